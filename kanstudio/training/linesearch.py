"""A step length along a direction (Nocedal and Wright, Numerical Optimization, 2006)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kanstudio.network.network import FloatArray
from kanstudio.network.threads import dot
from kanstudio.training.objective import Evaluation

Evaluate = Callable[[FloatArray], Evaluation]


class Point(NamedTuple):
    length: float
    value: float
    slope: float
    evaluation: Evaluation


class LineSearch:
    """A step length that satisfies the strong Wolfe conditions, if the budget allows."""

    DECREASE = 1e-4
    CURVATURE = 0.9
    GROWTH = 4.0

    def __init__(
        self,
        params: FloatArray,
        direction: FloatArray,
        evaluate: Evaluate,
        lamb: float,
        budget: int,
    ) -> None:
        self._params = params
        self._direction = direction
        self._evaluate = evaluate
        self._lamb = lamb
        self._budget = budget
        self.count = 0

    def _at(self, length: float) -> Point:
        self.count += 1
        evaluation = self._evaluate(self._params + length * self._direction)
        value = evaluation.mse + self._lamb * evaluation.reg
        slope = dot(self._direction, evaluation.gradient)
        if not (np.isfinite(value) and np.isfinite(slope)):
            value, slope = np.inf, np.inf
        return Point(length, value, slope, evaluation)

    def run(
        self, value: float, slope: float, first: float, here: Evaluation
    ) -> tuple[float, Evaluation]:
        """(length, evaluation there); length 0 if nothing better was found."""
        self._value, self._slope = value, slope
        previous = Point(0.0, value, slope, here)
        length = first
        while self.count < self._budget:
            point = self._at(length)
            if self._too_far(point) or (self.count > 1 and point.value >= previous.value):
                return self._zoom(previous, point)
            if abs(point.slope) <= -self.CURVATURE * slope:
                return point.length, point.evaluation
            if point.slope >= 0:
                return self._zoom(point, previous)
            guess = cubic_minimum(previous, point)
            low, high = point.length * 1.1, point.length * self.GROWTH
            length = min(max(guess, low), high) if np.isfinite(guess) else high
            previous = point
        return previous.length, previous.evaluation

    def _too_far(self, point: Point) -> bool:
        return not point.value <= self._value + self.DECREASE * point.length * self._slope

    def _zoom(self, low: Point, high: Point) -> tuple[float, Evaluation]:
        """low is the best point so far, and its slope points towards high."""
        while self.count < self._budget:
            width = high.length - low.length
            guess = cubic_minimum(low, high)
            share = (guess - low.length) / width if width else np.nan
            if not 0.1 <= share <= 0.9:
                share = 0.5 if not np.isfinite(share) else min(max(share, 0.1), 0.9)
            length = low.length + share * width
            if length in (low.length, high.length):
                break
            point = self._at(length)
            if self._too_far(point) or point.value >= low.value:
                high = point
                continue
            if abs(point.slope) <= -self.CURVATURE * self._slope:
                return point.length, point.evaluation
            if point.slope * width >= 0:
                high = low
            low = point
        return low.length, low.evaluation


def cubic_minimum(a: Point, b: Point) -> float:
    """Minimum of the cubic through both values and slopes; NaN if it has none."""
    width = b.length - a.length
    if width == 0 or not np.isfinite([a.value, b.value, a.slope, b.slope]).all():
        return np.nan
    theta = a.slope + b.slope - 3 * (b.value - a.value) / width
    square = theta * theta - a.slope * b.slope
    if not square >= 0:
        return np.nan
    root = float(np.copysign(np.sqrt(square), width))
    divisor = b.slope - a.slope + 2 * root
    if divisor == 0:
        return np.nan
    return b.length - width * (b.slope + root - theta) / divisor
