"""From a window to a, b, c, d in a simple form, and how well they fit the samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kanstudio.snapping.shapes import Shape
from kanstudio.snapping.starts import FLAT

_TAME = 1e3
"""Scales between 1/TAME and TAME may become 1: larger powers of others might overflow."""

_LARGEST_EXPONENT = 30.0
_ROUNDING = 4e-16


class Regression(NamedTuple):
    """affine (E, 4); r2 (E,), -inf where the function has no value at some sample."""

    affine: Tensor
    r2: Tensor


def simplest(shape: Shape, affine: Tensor) -> Tensor:
    """a and b (E, 2) of the same curve: a = 1 or b = 0 where they are free, b near 0."""
    a, b = affine.unbind(-1)
    if shape.mirrored:
        flip = torch.where(a < 0, -1.0, 1.0)
        a, b = a * flip, b * flip
    if shape.scaled:
        size = a.abs()
        size = torch.where((size > 1 / _TAME) & (size < _TAME), size, 1.0)
        a, b = a / size, b / size
    if shape.shifted:
        b = torch.where(b.abs() < _LARGEST_EXPONENT, 0.0, b)
    if shape.periodic:
        b = b - math.pi * torch.round(b / math.pi)
    return torch.stack([a, b], dim=-1)


def regressed(shape: Shape, x: Tensor, y: Tensor, affine: Tensor) -> Regression:
    """The best c and d for a and b (E, 2) on samples x, y (E, n), and R2."""
    good = x.isfinite() & y.isfinite()
    count = good.sum(dim=1, keepdim=True).clamp_min(1)
    affine = _nudged(shape, torch.where(good, x, x[:, :1]), affine)
    t = affine[:, :1] * torch.where(good, x, 0.0) + affine[:, 1:]
    inside = (shape.function.inside(t) | ~good).all(dim=1)
    f, y = torch.where(good, shape.function.torch(t), 0.0), torch.where(good, y, 0.0)

    def centred(values: Tensor) -> tuple[Tensor, Tensor]:
        mean = values.sum(dim=1, keepdim=True) / count
        return mean, torch.where(good, values - mean, 0.0)

    # Scaled, so that no square of a small or large value is lost.
    size_f, size_y = (v.abs().amax(dim=1, keepdim=True) for v in (f, y))
    size_f, size_y = (torch.where(s > 0, s, 1.0) for s in (size_f, size_y))
    (mean_f, f), (mean_y, y) = centred(f / size_f), centred(y / size_y)
    square = f.square().sum(dim=1, keepdim=True)
    known = square > FLAT * count
    c = torch.where(known, (f * y).sum(dim=1, keepdim=True) / torch.where(known, square, 1.0), 0.0)
    total = y.square().sum(dim=1)
    rest = (y - c * f).square().sum(dim=1)
    r2 = 1 - rest / torch.where(total > 0, total, 1.0)
    d = size_y * (mean_y - c * mean_f)
    found = torch.cat([affine, c * size_y / size_f, d], dim=1)
    fits = inside & known[:, 0] & (total > 0) & found.isfinite().all(dim=1)
    return Regression(found, torch.where(fits, r2, -torch.inf))


def _nudged(shape: Shape, x: Tensor, affine: Tensor) -> Tensor:
    """a and b with which no sample leaves the domain by rounding alone."""
    low, high = shape.function.domain.low, shape.function.domain.high
    a, b = affine.unbind(-1)
    t = a[:, None] * x + b[:, None]
    slack = _ROUNDING * (b.abs() + (a[:, None] * x).abs().amax(dim=1))
    below, above = low - t.amin(dim=1), t.amax(dim=1) - high
    b = torch.where((below > -slack) & (below < slack), b + below + slack, b)
    b = torch.where((above > -slack) & (above < slack), b - above - slack, b)
    return torch.stack([a, b], dim=-1)
