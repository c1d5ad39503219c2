"""Bessel functions with gradients: torch has their values only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _J0(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        value: Tensor = torch.special.bessel_j0(x)
        return value

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
        value: Tensor = torch.special.bessel_j1(x)
        return value

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
        value: Tensor = torch.special.bessel_y0(x)
        return value

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
        value: Tensor = torch.special.bessel_y1(x)
        return value

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
