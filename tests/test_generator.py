"""The face generator: latents, sizes, levels, gradients."""

import pytest
import torch

from semedit_lite.data.faces import mixed_rows
from semedit_lite.errors import InputError
from semedit_lite.evaluation.generator import reduce
from semedit_lite.models.mobilestylegan import CHANNELS, ROWS, MobileStyleGAN, inverse_haar


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return MobileStyleGAN.from_pretrained("mobilestylegan-ffhq")


@torch.no_grad()
def test_equal_rows_are_one_w(generator: MobileStyleGAN) -> None:
    w = generator.mapping(torch.randn(2, 512))
    rows = w[:, None].repeat(1, ROWS, 1)
    assert torch.equal(generator.synthesis(w, 128), generator.synthesis(rows, 128))


@torch.no_grad()
def test_every_row_has_an_effect_on_the_full_picture(generator: MobileStyleGAN) -> None:
    """The 16 rows are the ones that matter: none is idle."""
    w = generator.rows(generator.mapping(torch.randn(1, 512)))
    other = generator.mapping(torch.randn(1, 512))
    picture = generator.synthesis(w, 1024)
    for row in (0, 1, 8, 14, 15):
        changed = w.clone()
        changed[:, row] = other
        assert (generator.synthesis(changed, 1024) - picture).abs().mean() > 1e-4, row


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


def test_gradients_reach_the_latent(generator: MobileStyleGAN) -> None:
    rows = generator.rows(generator.mapping(torch.randn(1, 512))).clone().requires_grad_()
    generator.synthesis(rows, 128).mean().backward()
    used = rows.grad.abs().sum(2)[0] > 0
    assert used[:9].all()  # the first convolution and four blocks


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
