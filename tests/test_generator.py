"""The face generator: latents, sizes, levels, gradients."""

import pytest
import torch
from parity.test_mobilestylegan import CROPS, FIXTURE, SIDE, psnr

from semedit_lite.data.faces import mixed_rows
from semedit_lite.errors import InputError
from semedit_lite.images import reduce
from semedit_lite.models.mobilestylegan import CHANNELS, ROWS, MobileStyleGAN, inverse_haar


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return MobileStyleGAN.from_pretrained("mobilestylegan-ffhq")


@torch.no_grad()
def test_equal_rows_are_one_w(generator: MobileStyleGAN) -> None:
    """16 equal rows give the picture of the original runtime, which knows one w only."""
    rows = FIXTURE["w"][:1, None].repeat(1, ROWS, 1)
    picture = generator.synthesis(rows, 1024)
    for (y, x), expected in zip(CROPS, FIXTURE["crops"][0], strict=True):
        assert psnr(picture[0, :, y : y + SIDE, x : x + SIDE], expected) > 50
    for size in (128, 256, 512):
        assert torch.equal(
            generator.synthesis(FIXTURE["w"][:1], size), generator.synthesis(rows, size)
        )


@torch.no_grad()
def test_rows_enter_where_they_say(generator: MobileStyleGAN) -> None:
    """Row 0 is that of the first convolution, 2i + 1 and 2i + 2 are those of block i: what comes
    before a row stays, what comes after it changes."""
    w, other = generator.mapping(torch.randn(2, 512))
    rows = w.expand(1, ROWS, -1)
    before = generator.levels(rows, 4)
    for row in range(9):
        changed = rows.clone()
        changed[:, row] = other
        after = generator.levels(changed, 4)
        level = (row + 1) // 2  # 0 after the first convolution, i + 1 after block i
        same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert same == [True] * level + [False] * (5 - level), row


@pytest.mark.parametrize(("size", "idle"), [(1024, []), (128, list(range(9, 15)))])
def test_gradients_reach_every_row_that_has_an_effect(
    generator: MobileStyleGAN, size: int, idle: list[int]
) -> None:
    """All 16 rows shape the whole picture; an early one skips some, but never the last."""
    rows = generator.rows(generator.mapping(torch.randn(1, 512))).clone().requires_grad_()
    generator.synthesis(rows, size).pow(2).mean().backward()
    strength = rows.grad[0].norm(dim=1)  # (16,)
    assert (strength == 0).nonzero().flatten().tolist() == idle


@torch.no_grad()
def test_sizes_show_the_same_face(generator: MobileStyleGAN) -> None:
    rows = mixed_rows(generator, [1_000_000])
    full = generator.synthesis(rows, 1024)
    assert full.shape == (1, 3, 1024, 1024)
    for size in (512, 256, 128):
        small = generator.synthesis(rows, size)
        assert small.shape == (1, 3, size, size)
        error = (small - reduce(full, size)).pow(2).mean()
        assert 10 * torch.log10(4 / error) > 20  # dB; another face is below 10
    with pytest.raises(InputError, match="sizes"):
        generator.synthesis(rows, 300)


@torch.no_grad()
def test_levels(generator: MobileStyleGAN) -> None:
    maps = generator.levels(generator.mapping(torch.randn(1, 512)), 5)
    sides = [4, 8, 16, 32, 64, 128]
    channels = [512, *CHANNELS[:5]]
    assert [tuple(m.shape) for m in maps] == [
        (1, c, s, s) for c, s in zip(channels, sides, strict=True)
    ]


@torch.no_grad()
def test_seeds_do_not_depend_on_the_batch(generator: MobileStyleGAN) -> None:
    together, latents = generator.sample([5, 6], size=128)
    alone, latent = generator.sample([6], size=128)
    assert torch.allclose(latents[1], latent[0], atol=1e-5)
    assert torch.allclose(together[1], alone[0], atol=1e-3)


@torch.no_grad()
def test_truncation(generator: MobileStyleGAN) -> None:
    w = generator.mapping(torch.randn(3, 512))
    assert torch.allclose(generator.truncate(w, 1.0), w, atol=1e-5)
    assert torch.allclose(generator.truncate(w, 0.0), generator.mean_w.expand(3, -1))
    spread = [generator.truncate(w, t).var(0).mean() for t in (0.3, 0.7, 1.0)]
    assert spread == sorted(spread)


@pytest.mark.parametrize("shape", [(512,), (2, 511), (1, 15, 512), (1, 16, 512, 1)])
def test_wrong_latents_are_refused(generator: MobileStyleGAN, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="latent"):
        generator.synthesis(torch.zeros(shape), 128)


def test_inverse_haar() -> None:
    """Low band 2v is a flat picture of v; a difference goes half to one side, half to the other."""
    bands = torch.zeros(1, 4, 1, 1)
    bands[0, 0] = 2.0
    assert torch.equal(inverse_haar(bands)[0, 0], torch.ones(2, 2))
    for index, signs in ((1, [[1, 1], [-1, -1]]), (2, [[1, -1], [1, -1]]), (3, [[1, -1], [-1, 1]])):
        bands.zero_()[0, index] = 2.0
        assert torch.equal(inverse_haar(bands)[0, 0], torch.tensor(signs).float())
