"""B-spline bases on any knots (de Boor, A Practical Guide to Splines, 2001, ch. IX and X)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def basis(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """Every B-spline of every source at every sample.

    x (..., n, S), knots (..., S, K) not decreasing -> (..., n, S, K - degree - 1). Zero
    outside the knots, at the last knot too. Where knots coincide, 0 / 0 counts as 0, so that
    the bases still sum to 1 between knot ``degree`` and knot ``K - degree - 1``.

    By x it can be differentiated any number of times, forwards and backwards.
    """
    if degree and x.requires_grad and not knots.requires_grad:
        lead = torch.broadcast_shapes(x.shape[:-2], knots.shape[:-2])  # type: ignore[no-untyped-call]
        whole = x.expand(*lead, *x.shape[-2:])
        values, _ = _Basis.apply(whole, knots, degree)  # type: ignore[no-untyped-call]
        return values  # type: ignore[no-any-return]
    return _recurrence(x, knots, degree)[0]


def _recurrence(x: Tensor, knots: Tensor, degree: int) -> tuple[Tensor, Tensor]:
    """(basis, the B-splines of one degree less over the widths of their supports)."""
    knots = knots.unsqueeze(-3)
    # One operation for the distances to all knots; from here on few are left per degree.
    distance = x.unsqueeze(-1) - knots
    values = ((distance[..., :-1] >= 0) & (distance[..., 1:] < 0)).to(x.dtype)
    shares = values
    for order in range(1, degree + 1):
        shares = values * _reciprocal(knots[..., order:] - knots[..., :-order])
        rising = distance[..., : -order - 1] * shares[..., :-1]
        values = torch.addcmul(rising, distance[..., order + 1 :], shares[..., 1:], value=-1)
    return values, shares


def _reciprocal(width: Tensor) -> Tensor:
    """1 / width; 0 for 0."""
    return width.reciprocal().nan_to_num(posinf=0.0)


class _Basis(torch.autograd.Function):
    """The way back by de Boor's formula for the slope, not through the recurrence.

    A B-spline's slope is its degree times the difference of two shares: a fifth of the
    operations, and of the memory between the way there and the way back.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, knots: Tensor, degree: int) -> tuple[Tensor, Tensor]:
        return _recurrence(x, knots, degree)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor, Tensor, int], output: tuple[Tensor, Tensor]
    ) -> None:
        x, knots, ctx.degree = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(x, knots, output[1])
        ctx.save_for_forward(x, knots, output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        return (grad * _slope(ctx)).sum(dim=-1), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> tuple[Tensor, None]:
        return tangent.unsqueeze(-1) * _slope(ctx), None


def _slope(ctx: Any) -> Tensor:
    x, knots, shares = ctx.saved_tensors
    degree: int = ctx.degree
    if torch.is_grad_enabled():
        # Someone wants to differentiate the slope: its shares have to know their x.
        width = knots[..., degree:] - knots[..., :-degree]
        shares = basis(x, knots, degree - 1) * _reciprocal(width.unsqueeze(-3))
    slope: Tensor = degree * (shares[..., :-1] - shares[..., 1:])
    return slope
