"""What a run says of a step."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class Records:
    """What many steps came to, as a few large things.

    A small network takes thousands of steps a second; as objects, to send their records
    would take longer than some of the steps.

    steps: their numbers, increasing. values: train_loss, test_loss and reg of each step,
    one step after the other. messages: by step, for those that have one.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    messages: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, progress: Iterable[Progress]) -> Records:
        """The same records; their steps increase."""
        found = tuple(progress)
        return cls(
            array("q", [one.step for one in found]),
            array("d", [x for one in found for x in (one.train_loss, one.test_loss, one.reg)]),
            {one.step: one.message for one in found if one.message},
        )

    @property
    def last(self) -> int:
        """The last step; 0 without any."""
        return self.steps[-1] if self.steps else 0

    def after(self, step: int) -> Records:
        """Those of later steps."""
        at = bisect_right(self.steps, step)
        messages = {number: text for number, text in self.messages.items() if number > step}
        return Records(self.steps[at:], self.values[3 * at :], messages)

    def __add__(self, later: Records) -> Records:
        return Records(
            self.steps + later.steps, self.values + later.values, self.messages | later.messages
        )

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Progress]:
        one = iter(self.values)
        for step, train, test, reg in zip(self.steps, one, one, one, strict=True):
            yield Progress(step, train, test, reg, self.messages.get(step, ""))


def rmse(mse: float) -> float:
    """The root of a mean squared error; NaN where a loss of the caller's is negative."""
    return math.sqrt(mse) if mse >= 0 else math.nan
