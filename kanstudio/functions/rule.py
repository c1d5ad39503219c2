"""Functions of tensors that say their own derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanstudio.functions.domain import TensorMap


def with_slope(value: TensorMap, slope: TensorMap) -> TensorMap:
    """value with the derivative slope, both elementwise.

    slope is differentiable itself, so that higher derivatives, torch.func and forward mode
    work, whatever value is made of.
    """

    class Rule(torch.autograd.Function):
        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return value(x)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad * slope(x)

        @staticmethod
        def jvp(ctx: Any, tangent: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return tangent * slope(x)

        @staticmethod
        def vmap(info: Any, in_dims: tuple[int | None], x: Tensor) -> tuple[Tensor, int | None]:
            return apply(x), in_dims[0]

    def apply(x: Tensor) -> Tensor:
        result: Tensor = Rule.apply(x)  # type: ignore[no-untyped-call]
        return result

    return apply


def in_numpy(function: Callable[[Any], Any]) -> TensorMap:
    """A function of float64 arrays as one of tensors of any floating dtype.

    On other devices than the CPU the samples travel to it and back: torch's own special
    functions are wrong in the 7th digit in places, there and here.
    """

    def value(x: Tensor) -> Tensor:
        with np.errstate(all="ignore"):
            result = function(x.detach().to("cpu", torch.float64).numpy())
        return torch.as_tensor(np.asarray(result)).to(x.device, x.dtype)

    return value


class _FiniteGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        """Nothing to remember."""

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return torch.where(grad.isfinite(), grad, 0.0)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.view_as(tangent)


def finite_gradient(x: Tensor) -> Tensor:
    """x itself; a gradient that is not finite on the way back becomes 0."""
    result: Tensor = _FiniteGradient.apply(x)  # type: ignore[no-untyped-call]
    return result
