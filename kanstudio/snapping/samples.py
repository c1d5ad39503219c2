"""The samples of edges as a search sees them: scaled, and few where few are enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

N_BINS, N_FINE, END = 76, 12, 0.05
"""Steps of u in which starts are looked for, and finer ones within END of either end."""

N_GROUPS = 128
"""Groups of neighbouring samples on which starts are refined."""


class Samples(NamedTuple):
    """u (E, n) in [-1, 1]; weight (E, n), the sum 1; v (E, n) with mean 0 and variance 1."""

    u: Tensor
    v: Tensor
    weight: Tensor


class Bins(NamedTuple):
    """u (m,): the middles of equal steps. weight (E, m); weighted (E, m): the sums of w * v."""

    u: Tensor
    weight: Tensor
    weighted: Tensor


@dataclass(frozen=True)
class Scaled:
    """E edges on n samples each, in order of x.

    x = middle + half * u with half > 0; the rest is (E,). flat: y is constant, and v is 0.
    """

    samples: Samples
    middle: Tensor
    half: Tensor
    flat: Tensor


def to_affine(windows: Tensor, middle: Tensor, half: Tensor) -> Tensor:
    """a and b (..., 2) of alpha and beta (..., 2): a * x + b = alpha * u + beta."""
    a = windows[..., 0] / half
    return torch.stack([a, windows[..., 1] - a * middle], dim=-1)


def to_windows(affine: Tensor, middle: Tensor, half: Tensor) -> Tensor:
    """alpha and beta of a and b, the inverse of `to_affine`."""
    a = affine[..., 0]
    return torch.stack([a * half, affine[..., 1] + a * middle], dim=-1)


CONSTANT = 1e-12
"""A deviation below this share of the largest value is rounding."""


def scaled(x: Tensor, y: Tensor) -> Scaled:
    """x, y (E, n), n >= 1, float64; samples that are not finite count nothing."""
    good = x.isfinite() & y.isfinite()
    x, order = torch.where(good, x, torch.inf).sort(dim=1, stable=True)
    y, good = y.gather(1, order), good.gather(1, order)
    count = good.sum(dim=1, keepdim=True)
    weight = good.to(x.dtype) / count.clamp_min(1)
    first = torch.where(count > 0, x[:, :1], 0.0)
    x = torch.where(good, x, first)  # A sample without weight may be anywhere inside.
    y = torch.where(good, y, 0.0)
    low, high = x.amin(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
    middle = low + (high - low) / 2
    half = torch.where(high > low, (high - low) / 2, 1.0)
    mean = (weight * y).sum(dim=1, keepdim=True)
    size = (y.abs() * good).amax(dim=1, keepdim=True)
    v = torch.where(good, y - mean, 0.0)
    # Scaled first, so that no square of a small or large value is lost.
    v = v / torch.where(size > 0, size, 1.0)
    deviation = (weight * v * v).sum(dim=1, keepdim=True).sqrt()
    still = deviation <= CONSTANT
    v = torch.where(still, 0.0, v / torch.where(still, 1.0, deviation))
    flat = still & (count > 0)
    samples = Samples(((x - middle) / half).clamp(-1, 1), v, weight)
    return Scaled(samples, middle[:, 0], half[:, 0], flat[:, 0])


def bins(samples: Samples) -> Bins:
    """The samples gathered in steps of u: equal ones, but fine ones at the ends.

    What stands next to a pole decides how well a power fits.
    """
    fine = torch.logspace(-5, math.log10(END), N_FINE, dtype=torch.float64)
    inner = torch.linspace(END - 1, 1 - END, N_BINS + 1, dtype=torch.float64)
    edges = torch.cat([fine - 1, inner[1:-1], 1 - fine.flip(0)])
    at = torch.bucketize(samples.u, edges)
    empty = samples.u.new_zeros(len(samples.u), len(edges) + 1)
    weight = empty.scatter_add(1, at, samples.weight)
    weighted = empty.scatter_add(1, at, samples.weight * samples.v)
    end = torch.ones(1, dtype=torch.float64)
    return Bins(torch.cat([-end, (edges[1:] + edges[:-1]) / 2, end]), weight, weighted)


def grouped(samples: Samples) -> Samples:
    """At most N_GROUPS groups of neighbours as one sample each, smaller ones at the ends."""
    n_edges, n = samples.u.shape
    if n <= 2 * N_GROUPS:
        return samples
    share = torch.linspace(0, math.pi, N_GROUPS + 1, dtype=torch.float64)[1:-1]
    firsts = (n * (1 - share.cos()) / 2).ceil().long()
    at = torch.bucketize(torch.arange(n), torch.unique(firsts), right=True)
    empty = samples.u.new_zeros(n_edges, int(at[-1]) + 1)
    at = at.expand(n_edges, n)

    def total(values: Tensor) -> Tensor:
        return empty.scatter_add(1, at, values)

    weight = total(samples.weight)
    whole = torch.where(weight > 0, weight, 1.0)
    v = total(samples.weight * samples.v) / whole
    # What is left of the variance within the groups no function of u can explain here.
    deviation = (weight * v * v).sum(dim=1, keepdim=True).sqrt()
    v = v / torch.where(deviation > 0, deviation, 1.0)
    found = Samples(total(samples.weight * samples.u) / whole, v, weight)
    # The ends have no weight, but a function must have a value there as well.
    ends = torch.tensor([[-1.0, 1.0]], dtype=torch.float64).expand(n_edges, 2)
    none = torch.zeros_like(ends)
    pairs = zip(found, (ends, none, none), strict=True)
    return Samples(*(torch.cat(pair, dim=1) for pair in pairs))
