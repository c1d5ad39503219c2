"""B-spline bases on any knots (de Boor, A Practical Guide to Splines, 2001, ch. IX)."""

from __future__ import annotations

from torch import Tensor


def basis(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """Every B-spline of every source at every sample.

    x (..., n, S), knots (..., S, K) not decreasing -> (..., n, S, K - degree - 1). Zero
    outside the knots, at the last knot too. Where knots coincide, 0 / 0 counts as 0, so that
    the bases still sum to 1 between knot ``degree`` and knot ``K - degree - 1``.
    """
    x = x.unsqueeze(-1)
    knots = knots.unsqueeze(-3)
    values = ((x >= knots[..., :-1]) & (x < knots[..., 1:])).to(x.dtype)
    for order in range(1, degree + 1):
        left_width = knots[..., order:-1] - knots[..., : -order - 1]
        right_width = knots[..., order + 1 :] - knots[..., 1:-order]
        left = (x - knots[..., : -order - 1]) * _reciprocal(left_width)
        right = (knots[..., order + 1 :] - x) * _reciprocal(right_width)
        values = left * values[..., :-1] + right * values[..., 1:]
    return values


def _reciprocal(width: Tensor) -> Tensor:
    positive = width > 0
    return positive.to(width.dtype) / width.where(positive, width.new_ones(()))
