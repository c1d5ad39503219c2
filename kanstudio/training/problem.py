"""What a run asks of the samples of one step, and whether the answers are numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kanstudio.network.network import FloatArray
from kanstudio.network.threads import dot
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.jacobian import Linearization, Linearizer
from kanstudio.training.objective import Evaluation, Objective
from kanstudio.training.optimizers import Optimizer, Step
from kanstudio.training.packing import IntArray

SHRINK = 0.1
"""A step that is undone is tried again with a learning rate of this share."""


class StepProblem(NamedTuple):
    """What the optimiser may ask about one step's samples."""

    objective: Objective
    linearizer: Linearizer | None
    rows: IntArray | None

    def evaluate(self, params: FloatArray) -> Evaluation:
        return self.objective.evaluate(params, self.rows)

    def linearize(self, params: FloatArray) -> Linearization:
        assert self.linearizer is not None
        return self.linearizer.linearize(params, self.rows)


def all_finite(values: FloatArray) -> bool:
    """True if every number is. The caller tells NumPy that overflow is no surprise."""
    # The sum of squares is quicker to find; it may overflow where no number is infinite.
    return math.isfinite(dot(values, values)) or bool(np.isfinite(values).all())


def is_good(test_mse: float, params: FloatArray) -> bool:
    """True if both are finite."""
    return math.isfinite(test_mse) and all_finite(params)


def is_finite(evaluation: Evaluation) -> bool:
    """True if losses and gradient are."""
    return (
        math.isfinite(evaluation.mse)
        and math.isfinite(evaluation.reg)
        and all_finite(evaluation.gradient)
    )


def calmed(
    optimizer: Optimizer, at: Checkpoint, step: Step, other_rows: int
) -> tuple[Checkpoint, str] | None:
    """Where to try again from, and what to say of it; None if nothing is left to try.

    step: the one from ``at`` that was not finite. other_rows: how many other batches can
    be taken instead.
    """
    seen = is_finite(step.evaluation)
    if not seen and other_rows > 0:
        return at, "a batch with a loss that is not finite was left out"
    if not seen and np.array_equal(at.params, at.safe):
        return None
    share = SHRINK * at.slowdown
    # Where nobody had looked at the training loss yet, the step before led too far.
    params = at.params if seen else at.safe + SHRINK * (at.params - at.safe)
    return (
        replace(at, params=params, slowdown=share, memory=optimizer.calm(at.memory)),
        f"a step was undone; it goes on with {share:.0e} of the learning rate",
    )
