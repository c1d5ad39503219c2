"""Bessel functions J and Y of order 0 and 1: 15 digits, and gradients.

torch has their values only, and those in 7 digits from 3 to 20. Here, up to _FAR, they
come from Bessel's integral ``J0(x) = mean of cos(x sin t)``, for which the trapezoidal
rule converges faster than any power; beyond, from Hankel's asymptotic series (DLMF
10.9.1, 10.17.3).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

_FAR = 25.0
# For x <= _FAR, J of order 56 is below 1e-17: so are the first wave that is left out and
# what the rule takes another for. So is, for x > _FAR, the first term of the series left out.
_WAVES = 28
_NODES = 2 * _WAVES
_TERMS = 20
_EULER = 0.57721566490153286061


@lru_cache(maxsize=1)
def _rule() -> tuple[tuple[float, float, float], ...]:
    """sin(t), weight and logarithmic weight of each node t of the rule in [0, pi/2].

    Summed with the latter, cos(x sin t) gives ``sum of (-1)^k J_2k(x) / k``, the regular
    part of Neumann's series for Y0 (Abramowitz and Stegun 9.1.88).
    """
    rule = []
    for index in range(_NODES // 2 + 1):
        t = math.pi * index / _NODES
        weight = (1 if index in {0, _NODES // 2} else 2) / _NODES
        waves = [(-1) ** k * math.cos(2 * k * t) / k for k in range(1, _WAVES)]
        rule.append((math.sin(t), weight, weight * math.fsum(waves)))
    return tuple(rule)


def _near(x: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """J of the order, and the regular part of Y0 or its derivative; for |x| <= _FAR."""
    regular, logarithmic = torch.zeros_like(x), torch.zeros_like(x)
    for sine, weight, log_weight in _rule():
        wave = torch.cos(x * sine) if order == 0 else sine * torch.sin(x * sine)
        regular = regular + weight * wave
        logarithmic = logarithmic + log_weight * wave
    return regular, logarithmic


def _far(x: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """J and Y of the order, for x > _FAR."""
    even, odd, term = torch.ones_like(x), torch.zeros_like(x), torch.ones_like(x)
    for k in range(1, _TERMS):
        term = term * ((4 * order**2 - (2 * k - 1) ** 2) / (8 * k)) / x
        sign = -1 if k % 4 in {2, 3} else 1
        even, odd = (even, odd + sign * term) if k % 2 else (even + sign * term, odd)
    # The cosine and the sine of x - order*pi/2 - pi/4, without rounding the difference.
    plus, minus = torch.cos(x) + torch.sin(x), torch.sin(x) - torch.cos(x)
    cosine, sine = (plus, minus) if order == 0 else (minus, -plus)
    size = torch.rsqrt(math.pi * x)
    return size * (even * cosine - odd * sine), size * (even * sine + odd * cosine)


def _first_kind(x: Tensor, order: int) -> Tensor:
    size = x.abs()
    far = size > _FAR
    near, _ = _near(torch.where(far, 1.0, size), order)
    away, _ = _far(torch.where(far, size, 2 * _FAR), order)
    value = torch.where(far, away, near)
    return value if order == 0 else value * torch.sign(x)


def _second_kind(x: Tensor, order: int) -> Tensor:
    far = x > _FAR
    inner = torch.where(far, 1.0, x)
    regular, logarithmic = _near(inner, order)
    near = (torch.log(inner / 2) + _EULER) * regular - 2 * logarithmic
    if order == 1:
        near = near - j0(inner) / inner
    _, away = _far(torch.where(far, x, 2 * _FAR), order)
    return torch.where(far, away, near * (2 / math.pi))


class _J0(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _first_kind(x, 0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return -grad * j1(x)


class _J1(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _first_kind(x, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        # J1(x)/x tends to 1/2 at 0, where the quotient itself is 0/0.
        small = x.abs() < torch.finfo(x.dtype).eps
        quotient = torch.where(small, 0.5, j1(x) / torch.where(small, 1.0, x))
        slope: Tensor = j0(x) - quotient
        return grad * slope


class _Y0(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _second_kind(x, 0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return -grad * y1(x)


class _Y1(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _second_kind(x, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = y0(x) - y1(x) / x
        return grad * slope


def j0(x: Tensor) -> Tensor:
    """Bessel function of the first kind, order 0; derivative -j1."""
    value: Tensor = _J0.apply(x)  # type: ignore[no-untyped-call]
    return value


def j1(x: Tensor) -> Tensor:
    """Bessel function of the first kind, order 1; derivative j0 - j1/x."""
    value: Tensor = _J1.apply(x)  # type: ignore[no-untyped-call]
    return value


def y0(x: Tensor) -> Tensor:
    """Bessel function of the second kind, order 0, for x > 0; derivative -y1."""
    value: Tensor = _Y0.apply(x)  # type: ignore[no-untyped-call]
    return value


def y1(x: Tensor) -> Tensor:
    """Bessel function of the second kind, order 1, for x > 0; derivative y0 - y1/x."""
    value: Tensor = _Y1.apply(x)  # type: ignore[no-untyped-call]
    return value
