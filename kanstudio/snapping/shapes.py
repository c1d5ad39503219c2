"""What a search needs to know of a function: which of its scales and shifts change nothing new."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from kanstudio import functions
from kanstudio.functions import Function

# No whole numbers or simple fractions, at which functions may be special.
_PROBES = torch.linspace(-3.117, 3.293, 83, dtype=torch.float64)
_LEAST_PROBES = 8
_SAME = 1e-9


@dataclass(frozen=True)
class Shape:
    """Equalities that hold up to a factor and a constant, which ``c`` and ``d`` take up.

    - mirrored: f(-t) is f(t), so that only a > 0 need be tried.
    - scaled: f(r t) is f(t) for r > 0, as for powers and log: the size of a is free.
    - shifted: f(t + r) is f(t), as for exp: b is free.
    - periodic: f(t + pi) is f(t).
    - stepped: the derivative is 0 wherever there is one; bent: it is one of two numbers.
    """

    function: Function
    mirrored: bool
    scaled: bool
    shifted: bool
    periodic: bool
    stepped: bool
    bent: bool

    @property
    def numbers(self) -> int:
        """How many of a, b, c and d make a difference."""
        return 4 - self.scaled - self.shifted


def shape(function: Function) -> Shape:
    """The equalities of a function, as they show at some eighty points."""
    return _shape(function.name, functions.version())


@lru_cache(maxsize=4096)
def _shape(name: str, version: int) -> Shape:
    function = functions.get(name)
    slopes = _slopes(function)
    shifted = all(_alike(function, _PROBES + shift) for shift in (0.3, -1.1))
    return Shape(
        function=function,
        mirrored=_alike(function, -_PROBES),
        scaled=all(_alike(function, _PROBES * scale) for scale in (0.7, 1.9)),
        shifted=shifted,
        periodic=not shifted and _alike(function, _PROBES + math.pi),
        stepped=slopes == {0.0},
        bent=len(slopes) == 2,
    )


def _alike(function: Function, image: Tensor) -> bool:
    """Is f at the image of the probes p * f + q at the probes?"""
    both = function.inside(_PROBES) & function.inside(image)
    if int(both.sum()) < _LEAST_PROBES:
        return False
    f, g = function.torch(_PROBES[both]), function.torch(image[both])
    f, g = f - f.mean(), g - g.mean()
    rest = g - f * (f @ g) / (f @ f).clamp_min(torch.finfo(f.dtype).tiny)
    size = g.square().sum()
    return bool((size > 0) & (rest.square().sum() <= _SAME**2 * size))


def _slopes(function: Function) -> set[float]:
    """The derivatives at the probes."""
    t = _PROBES.clone().requires_grad_()
    with torch.enable_grad():
        value = function.torch(t)
        if not value.requires_grad:  # A constant
            return {0.0}
        (slope,) = torch.autograd.grad(value.sum(), t)
    return set(slope.tolist())
