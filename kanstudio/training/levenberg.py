"""Levenberg-Marquardt: least squares to the last digit, on float64.

Damping after H. B. Nielsen, "Damping parameter in Marquardt's method", report
IMM-REP-1999-05, Technical University of Denmark, 1999.
"""

from __future__ import annotations

import numpy as np
import torch

from kanstudio.network.network import FloatArray
from kanstudio.network.threads import dot, one_thread
from kanstudio.training.jacobian import Linearization
from kanstudio.training.optimizers import Memory, Problem, Step

TAU = 1e-3
"""The first damping, as a share of the largest curvature (Nielsen)."""
LEAST, MOST = 1e-20, 1e20
CALM = 100.0


class LevenbergMarquardt:
    """One step lowers the loss once, with up to MAX_TRIES dampings; it reports the loss after.

    A loss with a regulariser (weight lamb) takes that one's exact gradient, and the
    curvature of the squared errors alone: where the regulariser bends more than they do,
    damping holds the step back. scale_sp stays: coefficients times scale_sp is what counts.
    Where no damping helps, at the minimum, the parameters stay as they are.
    """

    MAX_TRIES = 12

    def __init__(self, lamb: float = 0.0) -> None:
        self._lamb = lamb

    def start(self, size: int) -> Memory:
        return {"damping": np.zeros(()), "growth": np.array(2.0)}

    def forget(self, memory: Memory) -> Memory:
        """The damping stays: it is of the loss's size, not of one parameter's."""
        return {**memory, "growth": np.array(2.0)}

    def calm(self, memory: Memory) -> Memory:
        return {**memory, "damping": np.minimum(CALM * memory["damping"], MOST)}

    @one_thread()
    def step(self, memory: Memory, params: FloatArray, problem: Problem, rate: float) -> Step:
        here = problem.evaluate(params)
        if not np.isfinite(here.gradient).all():
            return Step(params, here, memory)
        model = _Model(problem.linearize(params), here.gradient, self._lamb == 0)
        damping, growth = float(memory["damping"]), float(memory["growth"])
        if damping == 0:
            damping = TAU * model.largest_curvature()
        value = here.mse + self._lamb * here.reg
        for _ in range(self.MAX_TRIES):
            move = model.move(damping)
            if move is not None:
                moved = params.copy()
                moved[model.free] += move
                there = problem.evaluate(moved)
                fall = value - (there.mse + self._lamb * there.reg)
                if fall > 0 and np.isfinite(there.gradient).all():
                    gain = fall / model.promise(move, damping)
                    damping *= max(1 / 3, 1 - (2 * gain - 1) ** 3)
                    return Step(moved, there, _memory(damping, 2.0))
            damping *= growth
            growth *= 2
        return Step(params, here, _memory(damping, 2.0))


def _memory(damping: float, growth: float) -> Memory:
    return {
        "damping": np.array(min(max(damping, LEAST), MOST)),
        "growth": np.array(growth),
    }


class _Model:
    """The loss near a point: half of K^T K is its curvature, its gradient is exact."""

    def __init__(self, near: Linearization, gradient: FloatArray, squares_only: bool) -> None:
        self.free = near.free
        self._gradient = gradient[near.free]
        self._near = near
        self._rest: FloatArray | None = None
        if near.jacobian is not None:
            self._jacobian = torch.from_numpy(near.jacobian)
            self._square = (self._jacobian @ self._jacobian.T).numpy()
            if not squares_only:
                self._rest = self._gradient - self._back(near.residuals)
        else:
            assert near.gram is not None
            self._square = near.gram

    def largest_curvature(self) -> float:
        return max(float(self._square.diagonal().max(initial=0.0)), LEAST)

    def move(self, damping: float) -> FloatArray | None:
        """The minimum of the model with this damping; None if it cannot be computed."""
        # torch, since its number of threads can be set; scipy's takes every core.
        damped = torch.from_numpy(self._square).clone()
        damped.diagonal().add_(damping)
        factor, failed = torch.linalg.cholesky_ex(damped)
        if failed:
            return None

        def solve(right: FloatArray) -> FloatArray:
            column = torch.from_numpy(right).unsqueeze(1)
            found: FloatArray = torch.cholesky_solve(column, factor).squeeze(1).numpy()
            return found

        if self._near.jacobian is None:
            move = -solve(self._gradient)
        else:
            # (K^T K + damping)^-1 K^T r = K^T (K K^T + damping)^-1 r, the smaller matrix.
            move = -self._back(solve(self._near.residuals))
            if self._rest is not None:
                there = (self._jacobian @ torch.from_numpy(self._rest)).numpy()
                move -= (self._rest - self._back(solve(there))) / damping
        return move if np.isfinite(move).all() else None

    def _back(self, residuals: FloatArray) -> FloatArray:
        product: FloatArray = (self._jacobian.T @ torch.from_numpy(residuals)).numpy()
        return product

    def promise(self, move: FloatArray, damping: float) -> float:
        """By how much the damped model lowers the loss: always above 0 (Nielsen, eq. 2.16)."""
        return max(dot(move, damping * move - self._gradient) / 2, np.finfo(float).tiny)
