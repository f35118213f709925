"""The segmentation branch, and the functions of an edit, against what is known of them."""

import pytest
import torch
import torch.nn.functional as F

from semedit_lite.errors import InputError
from semedit_lite.labels import IGNORE
from semedit_lite.models.editgan import (
    WEIGHTS,
    Encoder,
    SegmentationBranch,
    edit_loss,
    features_at,
    image_uncertainty,
    js_uncertainty,
    layout_of,
    region,
    without_specks,
)

CHANNELS, SIDES, SIZE = (5, 4, 3), (4, 8, 32), 16  # the last level is larger than the part map


@pytest.fixture
def branch() -> SegmentationBranch:
    """In float64, with every buffer and bias away from its start."""
    branch = SegmentationBranch(
        channels=CHANNELS, classes=6, members=2, hidden=(7, 5), size=SIZE, grid=SIZE
    ).double()
    for key, value in branch.state_dict().items():
        if value.is_floating_point():
            value += torch.rand_like(value) * (0.5 if "weight" not in key else 0.1)
    return branch.eval()


@pytest.fixture
def maps() -> list[torch.Tensor]:
    return [torch.randn(2, c, s, s).double() for c, s in zip(CHANNELS, SIDES, strict=True)]


def joined(maps: list[torch.Tensor], size: int) -> torch.Tensor:
    """The naive way: every map enlarged, all of them one tensor."""
    wide = [F.interpolate(x, (size, size), mode="bilinear", align_corners=False) for x in maps]
    return torch.cat(wide, 1)


@torch.no_grad()
def test_first_layer_before_resizing_is_exact(branch, maps) -> None:
    pixels = joined(maps, SIZE).permute(0, 2, 3, 1)  # (B, size, size, C)
    for member, found in zip(branch.members, branch(maps), strict=True):
        expected = member(pixels.flatten(0, 2)).view(2, SIZE, SIZE, 6).permute(0, 3, 1, 2)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_single_pixels_have_the_features_of_enlarged_maps(branch, maps) -> None:
    at = torch.arange(SIZE, dtype=torch.float64)
    y, x = torch.meshgrid(at, at, indexing="ij")
    places = (2 * torch.stack([x, y], -1) + 1) / SIZE - 1  # the middles of the pixels
    rows = features_at(maps, places.flatten(0, 1).expand(2, -1, -1))
    torch.testing.assert_close(rows, joined(maps, SIZE).flatten(2).transpose(1, 2))
    logits = branch.rows(rows.flatten(0, 1).expand(2, -1, -1))  # the same pixels for both members
    whole = branch(maps).permute(0, 1, 3, 4, 2).flatten(1, 3)
    torch.testing.assert_close(logits, whole)


@torch.no_grad()
def test_another_size(branch, maps) -> None:
    assert branch(maps, 9).shape == (2, 2, 6, 9, 9)
    whole = branch(maps)
    assert torch.equal(branch(maps, SIZE), whole)
    larger = branch(maps, 2 * SIZE)  # classified where it was before
    wide = F.interpolate(whole.flatten(0, 1), (2 * SIZE, 2 * SIZE), mode="bilinear")
    assert torch.equal(larger.flatten(0, 1), wide)
    assert branch.probabilities(maps).sum(1).allclose(torch.ones(2, SIZE, SIZE).double())


def test_another_generator_is_refused(branch, maps) -> None:
    with pytest.raises(InputError, match=r"reads maps of \[5, 4, 3\] channels, not \[5, 4\]"):
        branch(maps[:2])


def test_members_differ_and_are_saved(branch, tmp_path) -> None:
    fresh = SegmentationBranch(channels=CHANNELS, classes=6)
    first = [member.layers[0].weight for member in fresh.members]
    assert len(first) == 5
    assert not torch.equal(first[0], first[1])
    branch.float().save_pretrained(tmp_path, dtype=torch.float32)
    loaded = SegmentationBranch.from_pretrained(tmp_path)
    maps = [torch.randn(1, c, s, s) for c, s in zip(CHANNELS, SIDES, strict=True)]
    torch.testing.assert_close(loaded(maps), branch(maps))
    assert loaded.size == SIZE


def test_uncertainty() -> None:
    """Members that say the same have none, whatever they say; of two that are sure of two classes
    it is log 2."""
    same = torch.randn(1, 1, 4, 2, 5).expand(3, -1, -1, -1, -1)
    assert js_uncertainty(same).abs().max() < 1e-6
    apart = torch.full((2, 1, 4, 2, 5), -50.0)
    apart[0, :, 0], apart[1, :, 1] = 50.0, 50.0
    apart[1, :, :, 0] = apart[0, :, :, 0]  # agreed upon in one row
    found = js_uncertainty(apart)
    assert found[0, 0].tolist() == [0.0] * 5
    assert found[0, 1].tolist() == pytest.approx([0.693147] * 5)
    pixels = torch.arange(40.0).view(1, 5, 8)
    assert image_uncertainty(torch.cat([pixels, 2 * pixels])).tolist() == [37.5, 75.0]


def test_layout_is_that_of_the_mean_logit() -> None:
    logits = torch.tensor([[4.0, 0.0], [-1.0, 1.0], [-1.0, 1.0]])[:, None, :, None, None]
    assert layout_of(logits).item() == 0  # two of three would vote for the other


def test_specks_are_removed() -> None:
    layout = torch.zeros(2, 8, 8, dtype=torch.long)
    layout[:, 0, :5], layout[0, 1, :4], layout[1, 1, :5] = 1, 2, 2
    found = without_specks(layout, fill=IGNORE, least=5)
    assert (found == IGNORE).sum((1, 2)).tolist() == [4, 0]
    assert torch.equal(found != IGNORE, (layout != 2) | (found == 2))
    assert torch.equal(without_specks(layout, least=5)[0] > 0, layout[0] == 1)


# The region ---------------------------------------------------------------------------------------


def test_region_by_classes_before_and_after_and_by_the_brush() -> None:
    before = torch.zeros(1, 20, 20, dtype=torch.long)
    after, brush = before.clone(), torch.zeros(1, 20, 20, dtype=torch.bool)
    before[0, 2, 2], after[0, 2, 10], brush[0, 15, 5], after[0, 15, 15] = 3, 4, True, 7
    found = region(before, after, (3, 4), brush, grow=0)[0].nonzero().tolist()
    assert found == [[2, 2], [2, 10], [15, 5]]  # class 7 is none of the edit's
    grown = region(before, before, (3,), grow=2)[0].nonzero()
    assert (grown.min(0).values.tolist(), grown.max(0).values.tolist()) == ([0, 0], [4, 4])
    assert len(grown) == 25
    assert region(before, after, (3,)).sum() == 8 * 8  # five pixels, cut off by the border
    assert not region(before, after, ()).any()


def test_region_holds_nothing_of_an_earlier_edit() -> None:
    layout = torch.zeros(1, 20, 20, dtype=torch.long)
    layout[0, 5, 5] = 1
    one = region(layout, layout, (1,))
    region(layout, layout, (0,), torch.ones_like(layout, dtype=torch.bool))
    assert torch.equal(region(layout, layout, (1,)), one)


# The loss -----------------------------------------------------------------------------------------


def half() -> tuple[torch.Tensor, ...]:
    """A picture to change, its goal, logits, a layout, and a region that is the left half of the
    second of two; logits are of half the picture's size."""
    image, goal = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    inside = torch.zeros(2, 8, 8, dtype=torch.bool)
    inside[1, :, :4] = True
    layout = torch.randint(4, (2, 8, 8))
    return image.requires_grad_(), goal, torch.randn(3, 2, 4, 8, 8), layout, inside


def test_loss_outside_and_inside() -> None:
    image, goal, logits, layout, inside = half()
    total, terms = edit_loss(image, goal, logits, layout, inside)
    squares = ((image - goal) / 2).square()
    assert terms["l2"][0].item() == pytest.approx(squares[0].mean().item(), rel=1e-5)
    assert terms["l2"][1].item() == pytest.approx(squares[1, :, :, 8:].mean().item(), rel=1e-5)
    each = F.cross_entropy(logits.mean(0), layout, reduction="none")
    assert terms["cross_entropy"].tolist() == pytest.approx([0, each[1, :, :4].mean().item()])
    assert set(terms) == {"l2", "cross_entropy"}
    expected = WEIGHTS["l2"] * terms["l2"] + WEIGHTS["cross_entropy"] * terms["cross_entropy"]
    assert torch.allclose(total, expected)
    total.sum().backward()
    assert image.grad[1, :, :, :8].abs().max() == 0  # inside, the picture is free
    assert image.grad[1, :, :, 8:].abs().min() > 0


def test_perceptual_and_identity_are_passed_in() -> None:
    image, goal, logits, layout, inside = half()
    seen = {}

    def distance(name):
        def measure(a, b):
            seen[name] = a, b
            return (a - b).abs().mean((1, 2, 3))

        return measure

    weights = {"l2": 0.0, "perceptual": 2.0, "cross_entropy": 0.0, "identity": 3.0}
    args = (image, goal, logits, layout, inside, distance("perceptual"), distance("identity"))
    total, terms = edit_loss(*args, weights=weights)
    one, other = seen["perceptual"]
    assert torch.equal(other, goal)
    assert torch.equal(one[1, :, :, :8], goal[1, :, :, :8])
    assert torch.equal(one[1, :, :, 8:], image[1, :, :, 8:])
    assert seen["identity"][0] is image  # the whole face
    outside = (image - goal).abs()[1, :, :, 8:].mean().item()
    assert terms["perceptual"][1].item() == pytest.approx(outside, rel=1e-5)
    assert torch.allclose(total, 2 * terms["perceptual"] + 3 * terms["identity"])


def test_loss_of_extreme_regions_is_finite() -> None:
    image, goal, logits, layout, inside = half()
    for everything in (torch.ones_like(inside), torch.zeros_like(inside)):
        total, terms = edit_loss(image, goal, logits, layout, everything)
        assert torch.isfinite(total).all()
        assert (terms["l2" if everything.all() else "cross_entropy"] == 0).all()
    _, terms = edit_loss(image, goal, logits, torch.full_like(layout, IGNORE), inside)
    assert (terms["cross_entropy"] == 0).all()


def test_encoder_wants_its_size() -> None:
    encoder = Encoder(size=32, rows=8, style=4, width=4, stem=4, planes=(2, 2, 2, 2))
    assert encoder(torch.zeros(2, 3, 32, 32)).shape == (2, 8, 4)
    with pytest.raises(InputError, match="sees pictures"):  # officially more rows come out
        encoder(torch.zeros(1, 3, 64, 64))
