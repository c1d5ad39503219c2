"""Adam and L-BFGS on one flat float64 vector.

An optimiser itself never changes: what it remembers from step to step is a value, so that
a step can be undone and a run can be saved. Levenberg-Marquardt has a module of its own.

torch's own optimisers spend more time on dispatch than such a vector needs, and torch's
L-BFGS drops every curvature pair with y.s below 1e-10, which ends progress near a loss
of 1e-8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from kanstudio.network.network import FloatArray
from kanstudio.network.threads import dot
from kanstudio.training.jacobian import Linearization
from kanstudio.training.kernel import adam, lbfgs
from kanstudio.training.linesearch import LineSearch
from kanstudio.training.objective import Evaluation

Memory = Mapping[str, FloatArray]
"""What an optimiser knows of the steps before: arrays by name, never changed in place."""


class Problem(Protocol):
    """What an optimiser may ask about the samples of one step."""

    def evaluate(self, params: FloatArray) -> Evaluation:
        """Loss, regulariser and gradient."""

    def linearize(self, params: FloatArray) -> Linearization:
        """Residuals and how they change with the parameters; for Levenberg-Marquardt."""


class Step(NamedTuple):
    """New parameters (P,), the evaluation whose loss the step reports, new memory."""

    params: FloatArray
    evaluation: Evaluation
    memory: Memory


class Optimizer(Protocol):
    """One call of step is one training step."""

    def start(self, size: int) -> Memory:
        """The memory before the first step, for ``size`` parameters."""

    def step(self, memory: Memory, params: FloatArray, problem: Problem, rate: float) -> Step:
        """A step from params, which stay as they are."""

    def forget(self, memory: Memory) -> Memory:
        """The objective has changed: drop what no longer holds."""

    def calm(self, memory: Memory) -> Memory:
        """The step from here was not finite: the next one shall be shorter.

        The caller lowers the rate; what has no rate does it here.
        """


class Adam:
    """Kingma and Ba 2015, algorithm 1. Reports the loss before its step.

    clip: the gradient's largest norm; None for no limit.
    """

    BETA1, BETA2, EPSILON = adam.BETA1, adam.BETA2, adam.EPSILON

    def __init__(self, clip: float | None = None) -> None:
        self._clip = clip
        self._move = adam.code()

    def start(self, size: int) -> Memory:
        return {"mean": np.zeros(size), "square": np.zeros(size), "count": np.zeros(())}

    def step(self, memory: Memory, params: FloatArray, problem: Problem, rate: float) -> Step:
        evaluation = problem.evaluate(params)
        gradient = evaluation.gradient
        if self._clip is not None:
            gradient = clipped(gradient, self._clip)
            evaluation = evaluation._replace(gradient=gradient)
        count = float(memory["count"]) + 1
        size, scale = self.factors(rate, count)
        result = np.empty((3, len(params)))
        self._move(params, gradient, memory["mean"], memory["square"], size, scale, result)
        memory = {"mean": result[1], "square": result[2], "count": np.array(count)}
        return Step(result[0], evaluation, memory)

    @classmethod
    def factors(cls, rate: float, count: float) -> tuple[float, float]:
        """Of the mean and of the root of the square in step number count, from 1 on."""
        return rate / (1 - cls.BETA1**count), 1 / math.sqrt(1 - cls.BETA2**count)

    def forget(self, memory: Memory) -> Memory:
        """The moments stay: they follow a changed objective within a few steps."""
        return memory

    def calm(self, memory: Memory) -> Memory:
        return memory


def clipped(gradient: FloatArray, limit: float) -> FloatArray:
    """The gradient, shortened to norm ``limit`` if it is longer.

    Infinite entries outweigh all others: they alone give the direction. NaN stays NaN.
    """
    infinite = np.isinf(gradient)
    if infinite.any():
        rest = np.where(np.isnan(gradient), np.nan, 0.0)
        gradient = np.where(infinite, np.sign(gradient), rest)
    largest = float(np.abs(gradient).max(initial=0.0))
    if not largest > 0:
        return gradient
    # Squares of large entries would overflow: take the norm of the shares.
    shares = gradient / largest
    norm = largest * math.sqrt(dot(shares, shares))
    return gradient if norm <= limit else shares * (limit * largest / norm)


class LBFGS:
    """Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4, 3.5 and 3.6.

    One step has up to MAX_ITERATIONS iterations and MAX_EVALUATIONS evaluations, as
    torch's and pykan's have. Reports the loss after its step. lamb weighs the regulariser.
    """

    HISTORY = 10
    MAX_ITERATIONS = 20
    MAX_EVALUATIONS = 25

    def __init__(self, lamb: float = 0.0) -> None:
        self._lamb = lamb

    def start(self, size: int) -> Memory:
        return _Curvature.nothing(size)

    def forget(self, memory: Memory) -> Memory:
        """Curvature of another objective misleads: start from the gradient again."""
        return self.start(memory["moves"].shape[1])

    def calm(self, memory: Memory) -> Memory:
        return self.forget(memory)

    def step(self, memory: Memory, params: FloatArray, problem: Problem, rate: float) -> Step:
        curvature = _Curvature(memory, self.HISTORY)
        here = problem.evaluate(params)
        budget = self.MAX_EVALUATIONS - 1
        for _ in range(self.MAX_ITERATIONS):
            if budget <= 0 or not np.isfinite(here.gradient).all():
                break
            direction = curvature.direction(here.gradient)
            slope = dot(direction, here.gradient)
            if not slope < 0:
                # Rounding made the curvature useless: fall back to steepest descent.
                curvature.forget()
                direction = -here.gradient
                slope = -dot(here.gradient, here.gradient)
                if not slope < 0:
                    break
            first = rate
            if not curvature.count:
                first *= min(1.0, 1 / float(np.abs(here.gradient).sum()))
            search = LineSearch(params, direction, problem.evaluate, self._lamb, budget)
            value = here.mse + self._lamb * here.reg
            length, there = search.run(value, slope, first, here)
            budget -= search.count
            if length == 0:
                if not curvature.count:
                    break
                curvature.forget()
                continue
            move = length * direction
            curvature.remember(move, there.gradient - here.gradient)
            params, here = params + move, there
        return Step(params, here, curvature.memory())


class _Curvature:
    """The last moves and the changes of the gradient along them.

    Rows of arrays that are written in turn; the oldest of ``count`` pairs is in row ``first``.
    """

    def __init__(self, memory: Memory, limit: int) -> None:
        size = memory["moves"].shape[1]
        self._limit = limit
        self.first, self.count = 0, len(memory["moves"])
        self._moves, self._changes = np.empty((2, limit, size))
        self._inverses, self._weights = np.empty((2, limit))
        self._moves[: self.count] = memory["moves"]
        self._changes[: self.count] = memory["changes"]
        self._inverses[: self.count] = memory["inverses"]
        self._scale = float(memory["scale"])
        self._direct = lbfgs.code()

    @staticmethod
    def nothing(size: int) -> Memory:
        """The memory without a pair."""
        none = np.empty((0, size))
        return {"moves": none, "changes": none, "inverses": np.empty(0), "scale": np.array(1.0)}

    def memory(self) -> Memory:
        """The pairs, the oldest first."""
        rows = (self.first + np.arange(self.count)) % self._limit
        return {
            "moves": self._moves[rows],
            "changes": self._changes[rows],
            "inverses": self._inverses[rows],
            "scale": np.array(self._scale),
        }

    def forget(self) -> None:
        self.first, self.count, self._scale = 0, 0, 1.0

    def remember(self, move: FloatArray, change: FloatArray) -> None:
        curvature = dot(move, change)
        square = dot(change, change)
        # A pair without positive curvature would make the direction point uphill.
        if not (curvature > 0 and square > 0 and np.isfinite(square / curvature)):
            return
        row = (self.first + self.count) % self._limit
        if self.count == self._limit:
            self.first = (self.first + 1) % self._limit
        else:
            self.count += 1
        self._moves[row], self._changes[row] = move, change
        self._inverses[row] = 1 / curvature
        self._scale = curvature / square

    def direction(self, gradient: FloatArray) -> FloatArray:
        """Downhill, by the inverse Hessian that the pairs make up (algorithm 7.4)."""
        result = np.empty_like(gradient)
        self._direct(
            gradient, self._moves, self._changes, self._inverses, self.first, self.count,
            self._scale, self._weights, result,
        )  # fmt: skip
        return result
