"""Adam's steps one after the other in compiled code.

Between two steps of a small network Python would take a fifth of the time, and as much again
to fetch back what the kernel has driven out of the caches.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kanstudio.network.network import FloatArray
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.kernel import KernelObjective
from kanstudio.training.loop import Taken, rates
from kanstudio.training.progress import Progress, rmse

CHUNK_S = 0.005
"""A chunk shall take so long: whoever looks at a run does not wait for more."""
MAX_STEPS = 64


class KernelLoop:
    """Steps of one run on all its samples; see DeviceLoop, whose place it takes on the CPU."""

    capacity = MAX_STEPS

    def __init__(self, objective: KernelObjective) -> None:
        self._objective = objective
        self.seconds = 0.0

    def take(self, starts: Sequence[Checkpoint], counts: Sequence[int]) -> list[Taken]:
        """So many steps from where the run stands; fewer if the next one were not finite."""
        (start,), (count,) = starts, counts
        begun = time.perf_counter()
        state, results = self._run(start, count)
        if 0 < len(results) < count:
            # Once more up to there: the step that failed stands where the one before was.
            state, results = self._run(start, len(results))
        self.seconds = time.perf_counter() - begun
        return [_taken(start, state, results, len(results) == count)]

    def _run(self, start: Checkpoint, count: int) -> tuple[FloatArray, FloatArray]:
        """Rows of the state (2, 3, P), the last step in the second, and results (steps, 3)."""
        state = np.empty((2, 3, len(start.params)))
        state[0] = start.params, start.memory["mean"], start.memory["square"]
        results = np.empty((count, 3))
        n_good = self._objective.adam_steps(state, rates(start, start.settings, count), results)
        return (state if n_good % 2 else state[::-1]), results[:n_good]


def _taken(start: Checkpoint, state: FloatArray, results: FloatArray, whole: bool) -> Taken:
    """The run after these results."""
    if not len(results):
        return Taken(start, (), whole)
    plateau, progress = start.plateau, []
    for step, (mse, reg, test) in enumerate(results.tolist(), start.n_steps + 1):
        progress.append(Progress(step, rmse(mse), rmse(test), reg))
        plateau = plateau.after(start.settings, progress[-1].test_loss)
    (safe, _, _), (params, mean, square) = state
    count = np.array(start.memory["count"] + len(results))
    at = replace(
        start,
        n_steps=start.n_steps + len(results),
        params=params,
        safe=safe,
        memory={"mean": mean, "square": square, "count": count},
        plateau=plateau,
    )
    return Taken(at, tuple(progress), whole)
