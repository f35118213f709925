"""The recipe on a toy domain: two classes, each with a colour of its own, in three moods."""

import os
from types import SimpleNamespace

import pytest
import torch
from torch import Generator

from semedit_lite.errors import InputError
from semedit_lite.hub import BUNDLED
from semedit_lite.labels import LabelSet
from semedit_lite.models.layers import MultiScaleDiscriminator
from semedit_lite.models.spade import GauGAN
from semedit_lite.training import perceptual
from semedit_lite.training.perceptual import perceptual_loss, resolve, torchvision_features
from semedit_lite.training.recipes.spade import SpadeRecipe
from semedit_lite.training.trainer import train
from semedit_lite.vision import import_torchvision

COLOURS = ((0, 0, 0), (255, 255, 255))
GROUND = LabelSet("ground", ("above", "below"), COLOURS)
SIDES = LabelSet("sides", ("left", "right"), COLOURS, pairs=((0, 1),))


def pairs(count: int, seed: int, labels: LabelSet) -> tuple[torch.Tensor, torch.Tensor]:
    rng = Generator().manual_seed(seed)
    edge = torch.randint(8, 24, (count, 1, 1), generator=rng)
    layouts = (torch.arange(32).expand(count, 32, 32) >= edge).to(torch.uint8)
    layouts = layouts.mT if labels is GROUND else layouts
    mood = torch.randint(0, 3, (count, 1, 1, 1), generator=rng) * 40
    colours = torch.tensor([[200, 40, 40], [40, 40, 200]])[layouts.long()].permute(0, 3, 1, 2)
    return (colours - mood + 40).clamp(0, 255).to(torch.uint8), layouts


def recipe(labels=GROUND, perceptual=None, judge=None, kind=SpadeRecipe, **settings) -> SpadeRecipe:
    torch.manual_seed(0)
    small = {"width": 2, "max_width": 8, "hidden": 4, "z_dim": 4, "encoder_width": 4}
    return kind(
        name="toy",
        network=GauGAN(classes=2, size=32, encoder_norm="batch", **small),
        discriminator=MultiScaleDiscriminator(classes=2, width=4, max_width=16),
        labels=labels,
        train=pairs(12, 0, labels),
        held_out=pairs(6, 1, labels),
        batch_size=4,
        perceptual=perceptual,
        judge=judge,
        **settings,
    )


def test_a_batch_depends_on_its_step_alone_and_flips_swap_sides():
    ours = recipe(SIDES)
    assert torch.equal(ours.batch(3)["image"], recipe(SIDES).batch(3)["image"])
    assert not torch.equal(ours.batch(3)["image"], ours.batch(4)["image"])
    flipped = 0
    for step in range(4):
        batch = ours.batch(step)
        assert (batch["layout"][..., 0] == 0).all()  # the left edge is "left" after a flip too
        red_left = batch["image"][:, 0, 16, 0] > batch["image"][:, 2, 16, 0]
        flipped += int((~red_left).sum())
    assert 0 < flipped < 16


def test_each_loss_moves_its_own_networks_only():
    ours = recipe(perceptual=lambda fake, real: (fake - real).abs().mean((1, 2, 3)))
    batch = ours.batch(0)
    loss, terms = ours.generator_loss(batch)
    assert loss.item() == pytest.approx(sum(terms.values()), rel=1e-4)
    assert set(terms) == {"g_gan", "g_features", "g_kl", "g_perceptual"}
    loss.backward()
    assert all(p.grad is not None for p in ours.gaugan.parameters())
    assert all(p.grad is None for p in ours.discriminator.parameters())
    ours.gaugan.zero_grad()
    ours.discriminator_loss(batch)[0].backward()
    assert all(p.grad is None for p in ours.gaugan.parameters())
    assert all(p.grad is not None for p in ours.discriminator.parameters())


def test_renewed_statistics_are_those_of_the_weights_at_hand():
    ours = recipe()
    network = ours.gaugan.eval()
    norm = network.generator.blocks[0].norm_0.norm
    momentum, seen = norm.momentum, []
    handle = norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    with torch.no_grad():
        network.generator.start.bias.add_(3)
    ours.renew_statistics(network, pictures=12)  # in batches of 4
    handle.remove()
    means = torch.stack([x.mean((0, 2, 3)) for x in seen])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    assert len(seen) == 3
    assert norm.running_mean.mean() > 2
    assert norm.momentum == momentum
    assert not any(module.training for module in network.modules())


def test_training_learns_the_layout_and_writes_what_can_be_loaded(tmp_path):
    """With a distance to the picture among the losses, which steadies so short a training: without
    it one seed in five ends anywhere."""

    def judge(pictures):
        return (pictures[:, 2] > pictures[:, 0]).long()

    def distance(fake, real):
        return 3 * (fake - real).abs().mean((1, 2, 3))

    ours = recipe(judge=judge, perceptual=distance, rates=(2e-3, 2e-3))
    before = ours.evaluate(ours.networks)
    train(ours, tmp_path, steps=90, decay=0.95, every=1e9, show=False)
    loaded = GauGAN.from_pretrained(tmp_path / "toy")
    after = ours.evaluate({"gaugan": loaded})
    assert before["accuracy"] < 0.8 < 0.9 < after["accuracy"]
    assert after["own_difference"] < 0.6 * before["own_difference"]
    assert ours.preview({"gaugan": loaded}).shape == (36, 3, 32, 32)


def test_perceptual_sources(monkeypatch):
    monkeypatch.delenv("SEMEDIT_TEACHERS", raising=False)
    assert perceptual_loss("none") is None
    assert perceptual_loss("auto") is None
    with pytest.raises(InputError, match="SEMEDIT_TEACHERS"):
        perceptual_loss("teachers")
    with pytest.raises(InputError, match="choose from"):
        perceptual_loss("alexnet")
    assert resolve("auto") == "none"
    monkeypatch.setenv("SEMEDIT_TEACHERS", "anywhere")
    assert resolve("auto") == "teachers"
    assert resolve("torchvision") == "torchvision"
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(InputError, match="OFFLINE"):
        perceptual_loss("torchvision")
    monkeypatch.setenv("SEMEDIT_TEACHERS", str(BUNDLED / "nowhere"))
    with pytest.raises(InputError, match="There is no file"):
        perceptual_loss("teachers")


def test_perceptual_loss_of_the_teachers(monkeypatch):
    """Needs the teachers' files: nothing for the same picture, more for more noise, and a slope."""
    if not os.environ.get("SEMEDIT_TEACHERS"):
        pytest.skip("SEMEDIT_TEACHERS is not set")
    distance = perceptual_loss("auto")
    picture, noise = torch.rand(2, 3, 32, 32) - 0.5, torch.randn(2, 3, 32, 32)
    near, far = picture + 0.02 * noise, (picture + 0.2 * noise).requires_grad_()
    assert distance(picture, picture).abs().max() < 1e-6
    assert (distance(near, picture) < distance(far, picture)).all()
    distance(far, picture).sum().backward()
    assert far.grad.abs().sum() > 0


def test_torchvision_features_are_the_five_levels(monkeypatch):
    """The real layers without the download: their order and widths decide what is picked."""
    try:
        vgg = import_torchvision().models.vgg
    except ImportError:
        pytest.skip("torchvision is not installed")
    for name in ("OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    asked = []

    def vgg19(weights):
        asked.append(weights)
        return SimpleNamespace(features=vgg.make_layers(vgg.cfgs["E"]))

    weights = SimpleNamespace(IMAGENET1K_V1="ImageNet")
    models = SimpleNamespace(vgg19=vgg19, VGG19_Weights=weights)
    monkeypatch.setattr(perceptual, "import_torchvision", lambda: SimpleNamespace(models=models))
    features = torchvision_features()
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    maps = features(picture)
    assert asked == ["ImageNet"]
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    assert all((m >= 0).all() for m in maps)  # after the ReLUs
    assert all((m == 0).any() for m in maps)
    sum(m.sum() for m in maps).backward()
    assert picture.grad.abs().sum() > 0
