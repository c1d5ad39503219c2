"""Adam and L-BFGS on one flat float64 vector.

torch's own optimisers spend more time on dispatch than such a vector needs, and torch's
L-BFGS drops every curvature pair with y.s below 1e-10, which ends progress near a loss
of 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from kanstudio.network.network import FloatArray
from kanstudio.training.objective import Evaluation

Evaluate = Callable[[FloatArray], Evaluation]


class Step(NamedTuple):
    """The new parameters (P,), and the evaluation whose loss the step reports."""

    params: FloatArray
    evaluation: Evaluation


class Optimizer(Protocol):
    """One call is one training step."""

    def step(self, params: FloatArray, evaluate: Evaluate) -> Step:
        """A step from params, which stay as they are."""

    def forget(self) -> None:
        """The objective has changed: drop what no longer holds."""


class Adam:
    """Kingma and Ba 2015, algorithm 1. Reports the loss before its step."""

    def __init__(self, size: int, rate: float, lamb: float = 0.0) -> None:
        self._rate = rate
        self._beta1, self._beta2, self._epsilon = 0.9, 0.999, 1e-8
        self._mean = np.zeros(size)
        self._square = np.zeros(size)
        self._count = 0

    def step(self, params: FloatArray, evaluate: Evaluate) -> Step:
        evaluation = evaluate(params)
        gradient = evaluation.gradient
        self._count += 1
        self._mean += (1 - self._beta1) * (gradient - self._mean)
        self._square += (1 - self._beta2) * (gradient * gradient - self._square)
        size = self._rate / (1 - self._beta1**self._count)
        scale = 1 / np.sqrt(1 - self._beta2**self._count)
        moved = params - size * self._mean / (scale * np.sqrt(self._square) + self._epsilon)
        return Step(moved, evaluation)

    def forget(self) -> None:
        """The moments stay: they follow a changed objective within a few steps."""


class LBFGS:
    """Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4, 3.5 and 3.6.

    One step has up to MAX_ITERATIONS iterations and MAX_EVALUATIONS evaluations, as
    torch's and pykan's have. Reports the loss after its step.
    """

    HISTORY = 10
    MAX_ITERATIONS = 20
    MAX_EVALUATIONS = 25

    def __init__(self, size: int, rate: float, lamb: float = 0.0) -> None:
        self._rate = rate
        self._lamb = lamb
        self._moves: list[FloatArray] = []
        self._changes: list[FloatArray] = []
        self._inverses: list[float] = []
        self._scale = 1.0

    def forget(self) -> None:
        """Curvature of another objective misleads: start from the gradient again."""
        self._moves.clear()
        self._changes.clear()
        self._inverses.clear()

    def step(self, params: FloatArray, evaluate: Evaluate) -> Step:
        here = evaluate(params)
        budget = self.MAX_EVALUATIONS - 1
        for _ in range(self.MAX_ITERATIONS):
            if budget <= 0 or not np.isfinite(here.gradient).all():
                break
            direction = self._direction(here.gradient)
            slope = float(direction @ here.gradient)
            if not slope < 0:
                # Rounding made the curvature useless: fall back to steepest descent.
                self.forget()
                direction = -here.gradient
                slope = -float(here.gradient @ here.gradient)
                if not slope < 0:
                    break
            first = self._rate
            if not self._moves:
                first *= min(1.0, 1 / float(np.abs(here.gradient).sum()))
            search = _LineSearch(params, direction, evaluate, self._lamb, budget)
            length, there = search.run(self._value(here), slope, first, here)
            budget -= search.count
            if length == 0:
                if not self._moves:
                    break
                self.forget()
                continue
            move = length * direction
            self._remember(move, there.gradient - here.gradient)
            params, here = params + move, there
        return Step(params, here)

    def _value(self, evaluation: Evaluation) -> float:
        return evaluation.mse + self._lamb * evaluation.reg

    def _remember(self, move: FloatArray, change: FloatArray) -> None:
        curvature = float(move @ change)
        square = float(change @ change)
        # A pair without positive curvature would make the direction point uphill.
        if not (curvature > 0 and square > 0 and np.isfinite(square / curvature)):
            return
        if len(self._moves) == self.HISTORY:
            for values in (self._moves, self._changes, self._inverses):
                del values[0]
        self._moves.append(move)
        self._changes.append(change)
        self._inverses.append(1 / curvature)
        self._scale = curvature / square

    def _direction(self, gradient: FloatArray) -> FloatArray:
        direction = -gradient
        pairs = list(zip(self._moves, self._changes, self._inverses, strict=True))
        weights = []
        for move, change, inverse in reversed(pairs):
            weight = inverse * float(move @ direction)
            direction -= weight * change
            weights.append(weight)
        if pairs:
            direction *= self._scale
        for (move, change, inverse), weight in zip(pairs, reversed(weights), strict=True):
            direction += (weight - inverse * float(change @ direction)) * move
        return direction


class _Point(NamedTuple):
    length: float
    value: float
    slope: float
    evaluation: Evaluation


class _LineSearch:
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

    def _at(self, length: float) -> _Point:
        self.count += 1
        evaluation = self._evaluate(self._params + length * self._direction)
        value = evaluation.mse + self._lamb * evaluation.reg
        slope = float(self._direction @ evaluation.gradient)
        if not (np.isfinite(value) and np.isfinite(slope)):
            value, slope = np.inf, np.inf
        return _Point(length, value, slope, evaluation)

    def run(
        self, value: float, slope: float, first: float, here: Evaluation
    ) -> tuple[float, Evaluation]:
        """(length, evaluation there); length 0 if nothing better was found."""
        self._value, self._slope = value, slope
        previous = _Point(0.0, value, slope, here)
        length = first
        while self.count < self._budget:
            point = self._at(length)
            if self._too_far(point) or (self.count > 1 and point.value >= previous.value):
                return self._zoom(previous, point)
            if abs(point.slope) <= -self.CURVATURE * slope:
                return point.length, point.evaluation
            if point.slope >= 0:
                return self._zoom(point, previous)
            guess = _cubic_minimum(previous, point)
            low, high = point.length * 1.1, point.length * self.GROWTH
            length = min(max(guess, low), high) if np.isfinite(guess) else high
            previous = point
        return previous.length, previous.evaluation

    def _too_far(self, point: _Point) -> bool:
        return not point.value <= self._value + self.DECREASE * point.length * self._slope

    def _zoom(self, low: _Point, high: _Point) -> tuple[float, Evaluation]:
        """low is the best point so far, and its slope points towards high."""
        while self.count < self._budget:
            width = high.length - low.length
            guess = _cubic_minimum(low, high)
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


def _cubic_minimum(a: _Point, b: _Point) -> float:
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
