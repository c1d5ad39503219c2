"""Where a search begins: windows of a function's argument, and how well each fits.

The values x of an edge are seen as u in [-1, 1]; a window (alpha, beta) stands for the
argument alpha * u + beta. The windows of a function are the same for all edges, so that
one table of its values serves them all.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from kanstudio.functions import Domain
from kanstudio.snapping.samples import Bins
from kanstudio.snapping.shapes import Shape

FLAT = 1e-20
"""A variance below this share of the largest square is rounding."""

SMALLEST, LARGEST = 1e-50, 1e50
"""Of the largest square: what is smaller or larger needs a c that no float32 can hold."""

FASTEST = 60.0
"""Largest alpha of a periodic function: 19 periods of a sine over the samples."""

FARTHEST = 1e4
"""Beyond, a power or logarithm is a straight line within 1e-8 of its variance."""

MARGIN = 1e-6
"""How near an argument comes to a pole at the end of a domain, for alpha = 1."""


def windows(shape: Shape) -> tuple[Tensor, ...]:
    """Grids (A, B, 2) of the alpha and beta to try, neighbours side by side.

    Each grid is owed starts of its own: a pole that stands between two samples may seem
    best on a summary of the samples.
    """
    return _windows(
        shape.mirrored, shape.scaled, shape.shifted, shape.periodic, shape.function.domain
    )


@lru_cache(maxsize=256)
def _windows(
    mirrored: bool, scaled: bool, shifted: bool, periodic: bool, domain: Domain
) -> tuple[Tensor, ...]:
    one = torch.ones(1, 1, dtype=torch.float64)
    if scaled and shifted:
        pairs = [(one, 0 * one)]
    elif scaled:
        inside, outside = _shifts()
        around = torch.cat([-outside.flip(0), inside, outside])
        pairs = [(one, inside[None]), (one, torch.stack([outside, -outside]))]
        pairs = pairs if domain.hole else [(one, around[None])]
    elif shifted:
        alpha = _steps(-4, math.log10(FASTEST), 60)[None]
        pairs = [(alpha, 0 * alpha)]
    elif periodic:
        slow = torch.cat([_steps(-2, -0.3, 12), torch.arange(0.6, 3, 0.1, dtype=torch.float64)])
        alpha = torch.cat([slow, torch.arange(3, FASTEST, 0.3, dtype=torch.float64)])[:, None]
        pairs = [(alpha, torch.linspace(0, math.pi, 13, dtype=torch.float64)[None, :-1])]
    else:
        pairs = [_by_domain(domain)]
    return tuple(_grid(alpha, beta, mirrored=mirrored) for alpha, beta in pairs)


def _grid(alpha: Tensor, beta: Tensor, *, mirrored: bool) -> Tensor:
    whole = alpha + beta
    found = torch.stack([alpha.expand_as(whole), beta.expand_as(whole)], dim=-1)
    if mirrored:
        return found
    return torch.cat([found, found * torch.tensor([-1.0, 1.0], dtype=torch.float64)])


def _steps(low: float, high: float, n: int) -> Tensor:
    """Powers of ten from 10^low to 10^high."""
    return torch.logspace(low, high, n, dtype=torch.float64)


def _shifts() -> tuple[Tensor, Tensor]:
    """Where 0 lies: among the samples, or above them at any distance."""
    inside = torch.linspace(-0.99, 0.99, 67, dtype=torch.float64)
    outside = 1 + _steps(-5, math.log10(FARTHEST), 60)
    return inside, torch.cat([torch.ones(1, dtype=torch.float64), outside])


def _by_domain(domain: Domain) -> tuple[Tensor, Tensor]:
    """alpha (A, 1) and beta (A, B) for which the window lies in an interval."""
    low, high = domain.low, domain.high
    if math.isinf(low) and math.isinf(high):
        alpha = _steps(-2, math.log10(50), 28)[:, None]
        return alpha, (alpha + 5) * torch.linspace(-1, 1, 49, dtype=torch.float64)
    if math.isinf(low) or math.isinf(high):
        alpha = _steps(-2, 2, 24)[:, None]
        room = torch.cat([torch.zeros(1, dtype=torch.float64), _steps(-4, 2, 24)])
        return alpha, (low + alpha + room if math.isinf(high) else high - alpha - room)
    width = torch.cat([_steps(-5, -0.4, 14), 1 - _steps(-0.3, -4, 12), torch.ones(1)])
    alpha = (high - low) / 2 * width[:, None]
    room = high - low - 2 * alpha
    # From either end by shares of alpha, since what an end looks like depends on them.
    gap = torch.minimum(alpha * torch.cat([torch.zeros(1), _steps(-6, 0.5, 14)]), room / 2)
    between = room * torch.linspace(0, 1, 15, dtype=torch.float64)
    return alpha, low + alpha + torch.cat([gap, between, (room - gap).flip(1)], dim=1)


def interval(domain: Domain) -> Tensor:
    """(4,): the ends of a domain, and how far inside to stay for alpha = 1."""
    ends = domain.low, domain.high, MARGIN * domain.low_open, MARGIN * domain.high_open
    return torch.tensor(ends, dtype=torch.float64)


def best_windows(shape: Shape, bins: Bins, grid: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The best windows (E, count, 2) of a grid (A, B, 2) for E edges, and their R2 (E, count).

    Each is better than its neighbours in the grid, so that they lie in different valleys;
    R2 is -inf where there are fewer.
    """
    flat = grid.flatten(0, 1)
    r2 = _r2(shape, bins, flat).reshape(-1, *grid.shape[:2])
    around = torch.nn.functional.max_pool2d(r2[:, None], 3, stride=1, padding=1)[:, 0]
    peaks = torch.where(r2 >= around, r2, -torch.inf).flatten(1)
    best, at = peaks.topk(min(count, peaks.shape[1]), dim=1)
    return flat[at], best


def _r2(shape: Shape, bins: Bins, flat: Tensor) -> Tensor:
    """(E, C): R2 of each of C windows on the bins; -inf where a sample has no value."""
    function = shape.function
    alpha, beta = flat[:, :1], flat[:, 1:]
    t = alpha * bins.u + beta
    ends = torch.cat([beta - alpha, beta + alpha], dim=1)
    real = function.inside(t).all(dim=1) & function.inside(ends).all(dim=1)
    f = function.torch(t)
    largest = f.abs().amax(dim=1, keepdim=True).square()
    # Centred, since the mean may be much larger than what varies.
    f = f - f.mean(dim=1, keepdim=True)
    variance = f.square() @ bins.weight.T - (f @ bins.weight.T).square()
    r2 = (f @ bins.weighted.T).square() / variance
    sized = (largest > SMALLEST) & (largest < LARGEST)
    known = real[:, None] & sized & r2.isfinite() & (variance > FLAT * largest)
    return torch.where(known, r2.clamp_max(1.0), -torch.inf).T
