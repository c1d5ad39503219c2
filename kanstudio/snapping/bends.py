"""Functions of a shift with a jump, bend or pole: no slope says where, so places are tried."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kanstudio.snapping.samples import Samples
from kanstudio.snapping.shapes import Shape

_PLACES = 17
_IN_GAP = (1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999)
_REACH = 8
"""How many samples away from where a slope led the first round looks."""


def with_pole(shape: Shape, samples: Samples, windows: Tensor) -> Tensor:
    """Windows (E, 2) with the pole beside the largest v, where that is better.

    A pole among the samples shows in its neighbours alone: a summary has lost it.
    """
    if not shape.scaled or not shape.function.domain.hole or samples.u.shape[1] < 2:
        return windows
    u, v, weight = samples
    at = (v.abs() * (weight > 0)).argmax(dim=1, keepdim=True)
    share = torch.tensor(_IN_GAP, dtype=u.dtype)
    before = torch.cat([at - 1, at], dim=1).clamp(0, u.shape[1] - 2)
    low, high = u.gather(1, before)[..., None], u.gather(1, before + 1)[..., None]
    beta = -(low + (high - low) * share).flatten(1)
    tried = torch.cat([windows[:, None], torch.stack([torch.ones_like(beta), beta], dim=-1)], dim=1)
    return _best(shape, samples, tried, home=0)


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
        windows = _best(shape, samples, tried, home=_PLACES // 2)
    return windows


def _best(shape: Shape, samples: Samples, windows: Tensor, *, home: int) -> Tensor:
    """The best of P windows (E, P, 2) by R2; of equals the one at home."""
    u, v, weight = (part[:, None] for part in samples)
    t = windows[..., :1] * u + windows[..., 1:]
    f = shape.function.torch(t)
    f = f - (weight * f).sum(dim=2, keepdim=True)
    r2 = (weight * f * v).sum(dim=2).square() / (weight * f * f).sum(dim=2)
    inside = shape.function.inside(t).all(dim=2)
    r2 = torch.where(inside & r2.isfinite(), r2, -1.0)
    r2[:, home] += 1e-15
    return windows[torch.arange(len(windows)), r2.argmax(dim=1)]


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
