"""Everything that a training step changes, as one value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from kanstudio.network.network import FloatArray, Network
from kanstudio.training.optimizers import Memory
from kanstudio.training.schedule import Best, Plateau
from kanstudio.training.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training run between two steps; from it the run goes on bit for bit (on the CPU).

    - settings: with the optimiser that "auto" picked.
    - n_steps: steps taken.
    - network: gives structure, masks and grid; params (P,) are its numbers now.
    - safe (P,): where the training loss was last found finite; params, or the step before.
    - memory: the optimiser's.
    - n_read, n_used: of a stream, batches read before the present window and steps taken in it.
    - slowdown: factor of the learning rate after steps that had to be undone.
    """

    settings: TrainingSettings
    n_steps: int
    network: Network
    params: FloatArray
    safe: FloatArray
    memory: Memory
    slowdown: float = 1.0
    plateau: Plateau = field(default_factory=Plateau)
    best: Best | None = None
    n_read: int = 0
    n_used: int = 0

    def after(
        self, params: FloatArray, safe: FloatArray, memory: Memory, test_loss: float
    ) -> Checkpoint:
        """After one step more, which led to these."""
        n_steps = self.n_steps + 1
        # Not by replace, which takes several times as long: this is part of every step.
        result = object.__new__(Checkpoint)
        result.__dict__.update(
            self.__dict__,
            n_steps=n_steps,
            params=params,
            safe=safe,
            memory=memory,
            plateau=self.plateau.after(self.settings, test_loss),
            best=best_after(self, params, test_loss, n_steps),
        )
        return result


def best_after(at: Checkpoint, params: FloatArray, loss: float, step: int) -> Best | None:
    """Early stopping after a step from ``at``, with its parameters (P,) and test loss.

    None without early stopping, and while no loss was finite.
    """
    best, settings = at.best, at.settings
    if not settings.stops_after:
        return None
    if best is None:
        return Best(at.network, params, loss, step) if math.isfinite(loss) else None
    if loss < best.loss - settings.min_delta:
        return Best(at.network, params, loss, step)
    return replace(best, waited=best.waited + 1)
