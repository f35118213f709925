"""SketchEdit's recipe, on a few faces made of ellipses, and its scores."""

import pytest
import torch
from torch import Generator

from semedit_lite.data.faces import Bank
from semedit_lite.evaluation import sketching
from semedit_lite.metrics import overlap, ssim
from semedit_lite.models.sketchedit import PRESETS, SketchEdit
from semedit_lite.training import recipes
from semedit_lite.training.recipes import sketchedit as module
from semedit_lite.training.trainer import train

SIDE = 64  # of the pictures; the networks see half of it


def faces(count: int, seed: int) -> Bank:
    rng = Generator().manual_seed(seed)
    at = torch.stack(torch.meshgrid(*[torch.arange(SIDE) / SIDE] * 2, indexing="ij"), -1)
    layouts = torch.zeros(count, SIDE, SIDE, dtype=torch.uint8)
    for layout in layouts:
        middle = 0.5 + 0.1 * (torch.rand(2, generator=rng) - 0.5)
        for name, (y, x, radius) in {
            1: (0, 0, 0.35),
            4: (-0.1, 0.1, 0.06),
            11: (0.15, 0, 0.08),
        }.items():
            layout[(at - middle - torch.tensor([y, x])).norm(dim=-1) < radius] = name
    colours = torch.tensor([[40, 60, 90], [220, 170, 140], [90, 30, 30], [200, 60, 80]])
    index = torch.zeros(256, dtype=torch.long)
    index[[1, 4, 11]] = torch.tensor([1, 2, 3])
    images = colours[index[layouts.long()]].permute(0, 3, 1, 2).to(torch.uint8)
    return Bank(images, layouts, torch.zeros(count, 512).half())


@pytest.fixture
def recipe(monkeypatch):
    """The recipe at 32 pixels, its networks small."""

    def made(**options):
        monkeypatch.setattr(module, "bank", lambda count, size, seed, *_: faces(count, seed))
        monkeypatch.setattr(module, "JUDGED", 12)
        monkeypatch.setattr(module, "SHOWN", 3)
        small = {"width": 16, "strokes": 5, "dilations": (1, 2)}
        monkeypatch.setitem(module.PRESETS, "lite", small)
        monkeypatch.setattr(module, "LITE_DISCRIMINATOR", {"width": 4, "multiples": (1, 2, 4)})
        torch.manual_seed(0)
        return module.SketchEditRecipe(
            32, count=16, perceptual="none", **{"batch_size": 4} | options
        )

    return made


def test_both_sizes_are_trainings():
    assert {"sketchedit-faces-64", "sketchedit-faces-128"} <= set(recipes.TRAININGS)


def test_a_batch_depends_on_its_step_alone(recipe):
    ours = recipe()
    one, again, other = ours.batch(3), recipe().batch(3), ours.batch(4)
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["image"], other["image"])
    kinds = torch.cat([ours.batch(step)["kind"].flatten() for step in range(20)])
    assert set(kinds.tolist()) == {module.INPAINT, module.SOFT, module.HARD}
    drawn = torch.cat([ours.batch(step)["mask_sketch"][:, :2] for step in range(20)])
    masks = torch.cat([ours.batch(step)["mask"] for step in range(20)])
    assert drawn.any()
    assert not (drawn.amax(1, keepdim=True) * (1 - masks)).any()  # all of it inside


def test_each_loss_moves_its_own_network_alone(recipe):
    ours = recipe()
    batch = ours.batch(0)
    estimator, generator = ours.sketchedit.estimator, ours.sketchedit.generator
    parts = {"estimator": estimator, "generator": generator, "discriminator": ours.discriminator}
    for name, loss_of in ours.losses.items():
        for part in parts.values():
            part.zero_grad(set_to_none=True)
        loss, terms = loss_of(batch)
        assert loss.item() == pytest.approx(sum(terms.values()), rel=1e-4)
        loss.backward()
        for other, part in parts.items():
            moved = [p.grad is not None and bool(p.grad.any()) for p in part.parameters()]
            assert any(moved) == (other == name)


def test_it_learns_where_the_region_is_and_without_deforming_it_collapses(recipe, tmp_path):
    held_out = recipe().held_out
    found = {}
    for deform in (True, False):
        ours = recipe(deform=deform, batch_size=8)
        del ours.losses["generator"], ours.losses["discriminator"]
        networks = train(ours, tmp_path / str(deform), steps=150, show=False, decay=0.9)
        with torch.no_grad():
            soft = sketching.found(networks["sketchedit"], held_out)
        found[deform] = [soft[place].mean().item() for place in (held_out.region, ~held_out.region)]
    inside, outside = found[True]
    assert inside > 0.2
    assert inside > 1.7 * outside
    assert max(found[False]) < 0.1


def test_a_run_leaves_a_checkpoint_and_pictures(recipe, tmp_path):
    ours = recipe()
    networks = train(ours, tmp_path, steps=2, show=False)
    figures = ours.evaluate(networks)
    assert set(figures) == {"region_iou", "idle_share", "error_inside", "error_of_nothing"}
    assert ours.preview(networks).shape == (3 * 7, 3, 32, 32)
    again = SketchEdit.from_pretrained(tmp_path / "sketchedit-faces-32")
    assert again.size == 32
    assert (tmp_path / "grid.jpg").is_file()


# Scores ------------------------------------------------------------------------------------------


def test_scores_of_edits():
    bank = faces(24, 7)
    torch.manual_seed(0)
    model = SketchEdit(**PRESETS["lite"] | {"width": 8}, size=32).eval()
    images = bank.images.float() / 127.5 - 1
    found = sketching.judged(model, images, bank.layouts.long())
    assert found["edits"] == 24
    assert 12 < found["changing"] <= 24
    untouched = found["pictures"]["left as it was"]
    assert untouched["outside"]["psnr"] > untouched["inside"]["psnr"]
    assert set(found["lines"]) >= {"borders of parts", "Canny", "dark ridges"}
    for value in found["region"]["iou"].values():
        assert 0 <= value <= 1


def test_the_wanted_picture_is_perfect_everywhere():
    bank = faces(8, 3)
    edits = sketching.edited(bank.images.float() / 127.5 - 1, bank.layouts.long())
    perfect = sketching.compared(edits.target, edits)
    for place in ("inside", "seam", "outside"):
        assert perfect[place]["psnr"] > 90
        assert perfect[place]["ssim"] == pytest.approx(1, abs=1e-4)


def test_the_style_is_zeroed_only_meanwhile():
    model = SketchEdit(width=8, strokes=5, size=32).eval()
    bank = faces(4, 1)
    edits = sketching.edited(bank.images.float() / 127.5 - 1, bank.layouts.long())
    region = edits.region.float()
    with torch.no_grad():
        before = sketching.redrawn(model, edits, region)
        without = sketching.redrawn(model, edits, region, styled=False)
        after = sketching.redrawn(model, edits, region)
    assert torch.equal(before, after)
    assert not torch.equal(before, without)


def test_boxes_hold_their_regions():
    region = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    region[0, 0, 3:6, 8] = True
    region[0, 0, 5, 8:12] = True
    found = sketching.box(region)
    assert found[0, 0, 3:6, 8:12].all()
    assert found.sum() == 12


def test_ssim_is_one_for_the_same_and_falls_with_what_differs():
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    assert ssim(picture, picture).min() > 0.9999
    noise = [ssim(picture, picture + s * torch.randn_like(picture)).mean() for s in (0.1, 0.5)]
    assert 0 < noise[1] < noise[0] < 1
    flat = ssim(torch.full_like(picture, 0.2), torch.full_like(picture, 0.4)).mean().item()
    c1 = 0.02**2
    assert flat == pytest.approx((2 * 0.08 + c1) / (0.04 + 0.16 + c1), rel=1e-3)


def test_overlap_of_regions():
    one, other = (
        torch.zeros(3, 1, 4, 4, dtype=torch.bool),
        torch.zeros(3, 1, 4, 4, dtype=torch.bool),
    )
    one[0, 0, :2], other[0, 0, 1:3] = True, True
    one[1] = True
    assert overlap(one, other).tolist() == pytest.approx([1 / 3, 0, 1])
