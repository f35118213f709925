"""Distances between two sets of pictures, given their features (N, D) on some named net.

Only with the real Inception-v3 features may the first be called FID and the second KID.
"""

import torch
from torch import Generator, Tensor


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Between Gaussians fitted to (N, D) and (M, D) features (Heusel et al. 2017, 1706.08500,
    section 2), N and M from 2 up. It falls as N and M grow: compare equal counts only.

    With Z the centred features over sqrt(n - 1), the covariance is Z^T Z, and the trace of the
    root of Ca Cb is the sum of the singular values of Za Zb^T: no matrix root is needed.
    """
    a, b = a.double(), b.double()
    za, zb = ((f - f.mean(0)) / (len(f) - 1) ** 0.5 for f in (a, b))
    cross = torch.linalg.svdvals(za @ zb.T).sum()  # (N, M)
    apart = (a.mean(0) - b.mean(0)).pow(2).sum()
    return (apart + za.pow(2).sum() + zb.pow(2).sum() - 2 * cross).clamp(min=0).item()


def kernel_distance(
    a: Tensor, b: Tensor, subsets: int = 50, size: int = 256, seed: int = 0
) -> tuple[float, float]:
    """Squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, unbiased (Binkowski et al.
    2018, 1801.01401, section 4): mean and deviation over random subsets of `size`, or of all where
    there are fewer (the deviation is then that of rounding). Sound for small sets; slightly
    negative values are normal. Features (N, D) and (M, D), N and M from 2 up."""
    a, b = a.double(), b.double()
    n = min(size, len(a), len(b))
    rng = Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        p, q = (f[torch.randperm(len(f), generator=rng)[:n]] for f in (a, b))  # (n, D)
        pairs = ((p, p), (q, q), (p, q))
        pp, qq, pq = ((u @ v.T / u.shape[1] + 1) ** 3 for u, v in pairs)  # (n, n)
        within = (pp.sum() - pp.trace() + qq.sum() - qq.trace()) / (n * (n - 1))
        values.append(within - 2 * pq.mean())
    result = torch.stack(values)
    return result.mean().item(), result.std(correction=0).item()
