"""Where a function has a real value, and how to stay there without a NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

TensorMap = Callable[[Tensor], Tensor]
BoolMap = Callable[[Tensor], Tensor]
Interval = tuple[float, float]

# Strictly inside every domain of the table but that of arccosh, and no pole of any function.
DEFAULT_ANCHOR = 0.5


@dataclass(frozen=True, slots=True)
class Domain:
    """The real numbers from low to high, without the holes.

    low_open, high_open: the end itself does not belong to the domain.
    hole: "" for none, "zero", or "nonpositive integers".
    words: says what the other fields cannot; "" for nothing.
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    hole: str = ""
    words: str = ""

    def __str__(self) -> str:
        """The domain in words, such as "x > 0", "-1 <= x <= 1" or "all x"."""
        if self.words:
            return self.words
        if self.hole:
            return "x != 0" if self.hole == "zero" else "x != 0, -1, -2, ..."
        left = "<" if self.low_open else "<="
        right = "<" if self.high_open else "<="
        if math.isinf(self.low) and math.isinf(self.high):
            return "all x"
        if math.isinf(self.high):
            return f"x {left.replace('<', '>')} {self.low:g}"
        if math.isinf(self.low):
            return f"x {right} {self.high:g}"
        return f"{self.low:g} {left} x {right} {self.high:g}"


ALL = Domain()
NONZERO = Domain(hole="zero")
POSITIVE = Domain(low=0.0, low_open=True)
NONNEGATIVE = Domain(low=0.0)
UNIT_CLOSED = Domain(-1.0, 1.0)
UNIT_OPEN = Domain(-1.0, 1.0, low_open=True, high_open=True)


@dataclass(frozen=True)
class Limits:
    """The ends of a domain for one dtype: where the value is true, and the value beyond.

    The function is raw from smooth_low to smooth_high but for holes of half-width
    hole_width; below it is low_value, above it high_value, in a hole 0.
    """

    low: float
    high: float
    smooth_low: float
    smooth_high: float
    low_value: float
    high_value: float
    hole_width: float


class Guarded(NamedTuple):
    """A safe function, where its value is true, and the same as numbers per dtype."""

    function: TensorMap
    inside: BoolMap
    limits: Callable[[torch.dtype], Limits]


def guard(
    raw: TensorMap,
    domain: Domain = ALL,
    *,
    steep: bool = False,
    overflow: Callable[[float], Interval] | None = None,
    hole_width: Callable[[float], float] | None = None,
    anchor: float = DEFAULT_ANCHOR,
    pole: bool = True,
) -> Guarded:
    """Make raw safe, for tensors of any floating dtype and shape.

    Beyond the domain the value is that of the nearest point inside, or 0 where the end is
    open (a pole) and in a hole; the gradient there is 0. inside is true where the value is
    the true one. A NaN stays a NaN, so that a broken weight is noticed.

    steep: the derivative is infinite at the closed ends; there the gradient is 0.
    overflow: from the largest float of the dtype to the interval in which value and
        gradient are finite; beyond it the value stays that of the end.
    hole_width: from the largest float to the distance from 0 that counts as the hole.
    anchor: a point strictly inside, where masked samples are evaluated. (Double where:
        masking only the result would leave 0 * inf = NaN in the gradient.)
    pole: beyond an open end the value is 0, not that of the nearest float inside.
    """

    @lru_cache(maxsize=8)
    def ends(dtype: torch.dtype) -> Limits:
        return _ends(
            raw, domain, dtype,
            steep=steep, overflow=overflow, hole_width=hole_width, pole=pole,
        )  # fmt: skip

    def hole(x: Tensor, width: float) -> Tensor | None:
        if not domain.hole:
            return None
        near_zero = x.abs() < width
        if domain.hole == "zero":
            return near_zero
        return near_zero | ((x <= 0) & (x == torch.floor(x)))

    def function(x: Tensor) -> Tensor:
        end = ends(x.dtype)
        below, above = x < end.smooth_low, x > end.smooth_high
        masked = below | above
        gap = hole(x, end.hole_width)
        if gap is not None:
            masked = masked | gap
        y = raw(torch.where(masked, anchor, x))
        y = torch.where(above, end.high_value, torch.where(below, end.low_value, y))
        return y if gap is None else torch.where(gap, 0.0, y)

    def inside(x: Tensor) -> Tensor:
        end = ends(x.dtype)
        good = (x >= end.low) & (x <= end.high)
        gap = hole(x, end.hole_width)
        return good if gap is None else good & ~gap

    return Guarded(function, inside, ends)


def _ends(
    raw: TensorMap,
    domain: Domain,
    dtype: torch.dtype,
    *,
    steep: bool,
    overflow: Callable[[float], Interval] | None,
    hole_width: Callable[[float], float] | None,
    pole: bool,
) -> Limits:
    largest = torch.finfo(dtype).max
    low = _step(domain.low, 1, dtype) if domain.low_open else domain.low
    high = _step(domain.high, -1, dtype) if domain.high_open else domain.high
    if overflow is not None:
        least, most = overflow(largest)
        low, high = max(low, least), min(high, most)
    at_low, at_high = raw(torch.tensor([low, high], dtype=torch.float64)).tolist()
    return Limits(
        low=low,
        high=high,
        smooth_low=_step(low, 1, dtype) if steep else low,
        smooth_high=_step(high, -1, dtype) if steep else high,
        low_value=0.0 if domain.low_open and pole else min(max(at_low, -largest), largest),
        high_value=0.0 if domain.high_open and pole else min(max(at_high, -largest), largest),
        hole_width=hole_width(largest) if hole_width else torch.finfo(dtype).tiny,
    )


def _step(point: float, direction: int, dtype: torch.dtype) -> float:
    """The next float beside point; beside 0 the smallest whose reciprocal is finite."""
    if math.isinf(point):
        return point
    if point == 0:
        return direction * torch.finfo(dtype).tiny
    to = torch.tensor(direction * math.inf, dtype=dtype)
    return float(torch.nextafter(torch.tensor(point, dtype=dtype), to))
