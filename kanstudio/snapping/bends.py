"""Functions of a shift that jump or bend: no slope says where, so places are tried."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kanstudio.snapping.samples import Samples
from kanstudio.snapping.shapes import Shape

_PLACES = 17
_REACH = 8
"""How many samples away from where a slope led the first round looks."""


def placed(shape: Shape, samples: Samples, windows: Tensor) -> Tensor:
    """Windows (E, 2) with the best shift, for a scaled shape that jumps, bends or ends."""
    if not shape.scaled or shape.shifted or samples.u.shape[1] < 2:
        return windows
    if shape.stepped:
        alpha = windows[:, 0]
        return torch.stack([alpha, -alpha * _best_jump(samples)], dim=1)
    # A closed end is where x^0.5 begins.
    if not shape.bent and (math.isinf(shape.function.domain.low) or shape.function.domain.low_open):
        return windows
    share = torch.linspace(-1, 1, _PLACES, dtype=windows.dtype)
    for samples_away in (_REACH, 1):
        tried = windows[:, None].repeat(1, _PLACES, 1)
        tried[..., 1] += share * (2 * samples_away / samples.u.shape[1])
        best = _r2(shape, samples, tried).argmax(dim=1)
        windows = tried[torch.arange(len(windows)), best]
    return windows


def _r2(shape: Shape, samples: Samples, windows: Tensor) -> Tensor:
    """(E, P) for windows (E, P, 2)."""
    u, v, weight = (part[:, None] for part in samples)
    t = windows[..., :1] * u + windows[..., 1:]
    f = shape.function.torch(t)
    f = f - (weight * f).sum(dim=2, keepdim=True)
    r2 = (weight * f * v).sum(dim=2).square() / (weight * f * f).sum(dim=2)
    inside = shape.function.inside(t).all(dim=2)
    r2 = torch.where(inside & r2.isfinite(), r2, -1.0)
    r2[:, _PLACES // 2] += 1e-15  # Where all are equal, it stays where it was.
    return r2


def _best_jump(samples: Samples) -> Tensor:
    """(E,): the s for which the means of v left and right of s explain most of v.

    In the middle between two samples; 0 where all u are equal.
    """
    u, v, weight = samples
    left = weight.cumsum(dim=1)[:, :-1]
    total = (weight * v).cumsum(dim=1)[:, :-1]
    # With mean 0 and total weight 1, the variance between the two sides.
    between = total.square() / (left * (1 - left))
    apart = (u[:, 1:] > u[:, :-1]) & (weight[:, :-1] > 0) & (left < 1)
    at = torch.where(apart, between, -torch.inf).argmax(dim=1, keepdim=True)
    shift = (u.gather(1, at) + u.gather(1, at + 1)) / 2
    return torch.where(apart.any(dim=1), shift[:, 0], 0.0)
