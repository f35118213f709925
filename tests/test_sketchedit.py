"""SketchEdit's networks: shapes, sizes, what they refuse, what they learn from."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from semedit_lite.errors import InputError
from semedit_lite.hub import parameters
from semedit_lite.models.sketchedit import (
    PRESETS,
    SketchDiscriminator,
    SketchEdit,
    SketchGenerator,
    attention,
    copy_losses,
    paste,
    regret,
)


def given(side: int = 32, strokes: int = 5, count: int = 2):
    image = torch.rand(count, 3, side, side) * 2 - 1
    sketch = (torch.rand(count, strokes, side, side) < 0.05).float()
    return image, sketch


@pytest.mark.parametrize("strokes", [1, 5])
@pytest.mark.parametrize("size", [(32, 32), (40, 64)])
def test_shapes(strokes, size):
    network = SketchEdit(width=8, strokes=strokes).eval()
    image, sketch = torch.rand(2, 3, *size), torch.zeros(2, strokes, *size)
    with torch.no_grad():
        edited, soft = network(image, sketch)
    assert edited.shape == (2, 3, *size)
    assert soft.shape == (2, 1, *size)
    assert 0 <= soft.min() <= soft.max() <= 1


def test_sizes_of_the_networks():
    official = SketchEdit(**PRESETS["official"])
    assert parameters(official.estimator) == pytest.approx(2.11e6, rel=0.01)  # as released
    assert parameters(official.generator) == pytest.approx(5.37e6, rel=0.01)
    assert parameters(SketchEdit(**PRESETS["lite"])) < 2e6


@torch.no_grad()
def test_what_is_known_in_the_region_is_not_seen_but_for_its_style():
    network = SketchGenerator(width=8, strokes=1).eval()
    image, sketch = given(strokes=1)
    region = torch.zeros(2, 1, 32, 32)
    region[..., 8:20, 8:20] = 1
    other = torch.where(region > 0, torch.rand_like(image), image)
    nothing = torch.zeros_like(region)
    same = [network(picture, sketch, region, nothing)[1] for picture in (image, other)]
    assert torch.equal(*same)
    styled = [network(picture, sketch, region)[1] for picture in (image, other)]
    assert not torch.equal(*styled)


@torch.no_grad()
def test_style_is_without_place_when_it_is_pooled():
    for pool in ("max", "mean"):
        network = SketchGenerator(width=8, strokes=1, pool=pool).eval()
        image, sketch = given(strokes=1)
        coarse, fine = network(image, sketch, torch.ones(2, 1, 32, 32))
        assert coarse.shape == fine.shape == image.shape
    with pytest.raises(InputError, match="not by 'median'"):
        SketchGenerator(width=8, strokes=1, pool="median")


@pytest.mark.parametrize("size", [(30, 32), (32, 12), (8, 8)])
def test_sides_that_do_not_fit_are_refused(size):
    network = SketchEdit(width=8)
    with pytest.raises(InputError, match="multiples of 8"):
        network(torch.zeros(1, 3, *size), torch.zeros(1, 1, *size))


def test_a_sketch_has_one_or_five_channels():
    with pytest.raises(InputError, match="1 or 5 channels, not 4"):
        SketchEdit(width=8, strokes=4)


def test_a_checkpoint_gives_the_same_picture_again(tmp_path):
    network = SketchEdit(width=8, strokes=5, size=32).eval()
    network.save_pretrained(tmp_path, torch.float32)
    again = SketchEdit.from_pretrained(tmp_path)
    assert again.size == 32
    image, sketch = given()
    with torch.no_grad():
        for one, two in zip(network(image, sketch), again(image, sketch), strict=True):
            torch.testing.assert_close(one, two)


# Attention ---------------------------------------------------------------------------------------


@torch.no_grad()
def test_attention_is_a_share_of_what_lies_outside():
    features = torch.randn(2, 6, 16, 20)
    region = torch.zeros(2, 1, 16, 20)
    region[:, :, :8] = 1
    weights = attention(features, region)
    count = 7 * 9
    assert weights.shape == (2, count, count)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, count))
    # A patch in the region has the score 0: the same share for each of them.
    inside = F.unfold(region, 4, stride=2).mean(1) >= 0.9
    for i in range(2):
        rows = weights[i][inside[i]]
        torch.testing.assert_close(rows, rows[:1].expand_as(rows))


@torch.no_grad()
def test_patches_that_stay_give_the_overlaps_of_the_picture():
    features = torch.randn(1, 5, 12, 12)
    stay = torch.eye(25)[None]
    overlaps = paste(stay, torch.ones_like(features))
    torch.testing.assert_close(paste(stay, features), features * overlaps)
    assert set(overlaps.unique().tolist()) == {1.0, 2.0, 4.0}


def test_256_pixels_take_less_than_a_gigabyte():
    code = """
import torch
from pathlib import Path
from semedit_lite.models.sketchedit import PRESETS, SketchEdit

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

torch.set_num_threads(1)
network = SketchEdit(**PRESETS["official"]).eval()
image, sketch = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
before = peak()
with torch.no_grad():
    network(image, sketch)
print(peak() - before)
"""
    if not Path("/proc/self/status").is_file():
        pytest.skip("only Linux tells the peak of a process that simply")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) * 1024 < 2**30


# Training ----------------------------------------------------------------------------------------


def test_the_official_loss_wants_a_region_where_copying_is_worse():
    image, target = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    target[..., 4:8, 4:8] = 1
    picture = target * 0.9 + 0.05  # near everywhere, nowhere exact
    regions = {
        name: torch.zeros(1, 1, 16, 16).index_fill_(2, torch.arange(low, high), 1.0)
        for name, low, high in (("empty", 0, 0), ("all", 0, 16))
    }
    regions["right"] = (target[:, :1] > 0).float()
    laid = {name: copy_losses(picture, m, image, target)[1] for name, m in regions.items()}
    assert laid["right"] < laid["empty"]
    assert laid["right"] < laid["all"]
    undeformed = {name: copy_losses(picture, m, target, target)[1] for name, m in regions.items()}
    assert undeformed["empty"] == 0  # why it collapses


def test_regret_grows_a_region_where_copying_fails_and_nowhere_else():
    image, target = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    target[..., 10:20, 10:20] = 0.5
    logits = torch.zeros(1, 1, 32, 32, requires_grad=True)
    regret(logits, image, target).backward()
    assert (logits.grad[..., 10:20, 10:20] < 0).all()  # a step down the gradient makes it larger
    assert (logits.grad[..., :6, :] > 0).all()
    same = torch.zeros(1, 1, 32, 32, requires_grad=True)
    regret(same, target, target).backward()
    assert (same.grad > 0).all()


def test_regret_still_pulls_where_the_region_is_sure_and_wrong():
    target = torch.ones(1, 3, 16, 16)
    logits = torch.full((1, 1, 16, 16), -20.0, requires_grad=True)
    regret(logits, torch.zeros_like(target), target).backward()
    assert logits.grad.max() < -1e-4


def test_the_sketch_is_heard_at_the_beginning():
    """What the weights' scale is for: a line changes what a fresh estimator says."""
    network = SketchEdit(**PRESETS["lite"]).estimator
    image, _ = given(64, count=1)
    blank, drawn = torch.zeros(1, 5, 64, 64), torch.zeros(1, 5, 64, 64)
    drawn[:, 0, 30, 20:44] = 1
    with torch.no_grad():
        quiet, loud = (network.heads(image, sketch)[0] for sketch in (blank, drawn))
    assert (quiet - loud).abs().max() > 0.1 * quiet.std()


def test_discriminator_judges_with_every_channel():
    network = SketchDiscriminator(inputs=4, width=8, multiples=(1, 2, 4))
    maps = network(torch.rand(2, 4, 32, 32))
    assert [tuple(x.shape) for x in maps] == [(2, 8, 16, 16), (2, 16, 8, 8), (2, 32, 4, 4)]
