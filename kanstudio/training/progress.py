"""What a run says of a step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step came to.

    step counts from 1; losses are root mean squared errors: train_loss as the optimiser
    saw it (Adam before its step, the others after), test_loss after the step. reg is the
    regulariser without lamb, 0 if lamb is 0. message is empty unless something happened.
    """

    step: int
    train_loss: float
    test_loss: float
    reg: float = 0.0
    message: str = ""


def rmse(mse: float) -> float:
    """The root of a mean squared error; NaN where a loss of the caller's is negative."""
    return math.sqrt(mse) if mse >= 0 else math.nan
