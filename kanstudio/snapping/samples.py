"""The samples of edges as a search sees them: scaled, and few where few are enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

N_BINS = 100
"""Equal steps of u in which starts are looked for."""

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
    flat = deviation <= CONSTANT
    v = torch.where(flat, 0.0, v / torch.where(flat, 1.0, deviation))
    samples = Samples((x - middle) / half, v, weight)
    return Scaled(samples, middle[:, 0], half[:, 0], flat[:, 0])


def bins(samples: Samples) -> Bins:
    """The samples gathered in N_BINS equal steps of u."""
    edge = torch.linspace(-1, 1, N_BINS + 1, dtype=torch.float64)
    at = ((samples.u + 1) * (N_BINS / 2)).long().clamp(0, N_BINS - 1)
    empty = samples.u.new_zeros(len(samples.u), N_BINS)
    weight = empty.scatter_add(1, at, samples.weight)
    weighted = empty.scatter_add(1, at, samples.weight * samples.v)
    return Bins((edge[1:] + edge[:-1]) / 2, weight, weighted)


def grouped(samples: Samples) -> Samples:
    """N_GROUPS groups of neighbours as one sample each; the samples if they are few."""
    n_edges, n = samples.u.shape
    if n <= 2 * N_GROUPS:
        return samples
    at = (torch.arange(n) * N_GROUPS // n).expand(n_edges, n)
    empty = samples.u.new_zeros(n_edges, N_GROUPS)

    def total(values: Tensor) -> Tensor:
        return empty.scatter_add(1, at, values)

    weight = total(samples.weight)
    whole = torch.where(weight > 0, weight, 1.0)
    v = total(samples.weight * samples.v) / whole
    # What is left of the variance within the groups no function of u can explain here.
    deviation = (weight * v * v).sum(dim=1, keepdim=True).sqrt()
    v = v / torch.where(deviation > 0, deviation, 1.0)
    return Samples(total(samples.weight * samples.u) / whole, v, weight)
