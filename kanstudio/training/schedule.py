"""The learning rate from step to step, and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kanstudio.network.network import FloatArray, Network
from kanstudio.training.settings import TrainingSettings


@dataclass(frozen=True)
class Plateau:
    """The schedule "plateau": the lowest test loss, the steps since then, cuts so far."""

    loss: float = math.inf
    waited: int = 0
    cuts: int = 0

    def after(self, settings: TrainingSettings, loss: float) -> Plateau:
        """After a step with this test loss."""
        if settings.schedule != "plateau":
            return self
        if loss < self.loss:
            return Plateau(loss, 0, self.cuts)
        if self.waited + 1 >= settings.rate_every:
            return Plateau(self.loss, 0, self.cuts + 1)
        return Plateau(self.loss, self.waited + 1, self.cuts)


def rate_at(settings: TrainingSettings, step: int, plateau: Plateau) -> float:
    """The learning rate of a step, counted from 0."""
    if settings.schedule == "constant":
        return settings.rate
    share = min(step / max(settings.steps - 1, 1), 1.0)
    factor = 1.0
    if settings.schedule == "cosine":
        # Loshchilov and Hutter, arXiv:1608.03983, without restarts.
        end = settings.rate_end
        factor = end + (1 - end) * (1 + math.cos(math.pi * share)) / 2
    elif settings.schedule == "exponential":
        factor = settings.rate_end**share
    elif settings.schedule == "step":
        factor = settings.rate_factor ** (step // settings.rate_every)
    elif settings.schedule == "plateau":
        factor = settings.rate_factor**plateau.cuts
    return settings.rate * factor


@dataclass(frozen=True, eq=False)
class Best:
    """Early stopping: the step with the lowest test loss, 0 for the start, and the steps since.

    params (P,) belong to network's grid. loss is a root mean squared error.
    """

    network: Network
    params: FloatArray
    loss: float
    step: int
    waited: int = 0

    @property
    def note(self) -> str:
        """Why a run ended, if this is why."""
        since = f"step {self.step}" if self.step else "the start"
        return f"stopped early: the test loss has not fallen since {since}, whose network is kept"
