"""A run's steps on a device or in compiled code: taken in chunks, told of one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.loop import Taken
from kanstudio.training.progress import Progress

CHUNK_S = 0.05
"""A chunk shall take so long: charts are as fresh, and to stop takes no longer."""
FIRST = 8
"""Steps of the first chunk, when nobody knows yet how long one takes."""


def room(at: Checkpoint) -> int:
    """So many steps can be taken from here before the host has to decide something, >= 1."""
    settings, done = at.settings, at.n_steps
    left = max(settings.steps - done, 1)
    if settings.stops_after:
        waited = 0 if at.best is None else at.best.waited
        left = min(left, settings.stops_after - waited)
    if settings.schedule == "plateau":
        left = min(left, settings.rate_every - at.plateau.waited)
    # Beyond the last grid update nobody needs to look for the next.
    last = min(done + left, settings.stop_grid_update_step)
    for step in range(done + 1, last):
        if settings.updates_grid_at(step):
            return step - done
    return max(left, 1)


class Pace:
    """How long the next chunk is: it grows until it takes chunk_s, if nobody looks inside."""

    def __init__(self, chunk_s: float | None = None, first: int = FIRST) -> None:
        self._chunk_s = CHUNK_S if chunk_s is None else chunk_s
        self._length = first
        self._step_s = 0.0
        self._grows = False

    def length(self) -> int:
        """Steps of the next chunk, if there is room."""
        if self._grows:
            self._length *= 2
        if self._step_s:
            self._length = min(self._length, max(int(self._chunk_s / self._step_s), 1))
        return self._length

    def took(self, n_steps: int, seconds: float) -> None:
        """A chunk of so many steps."""
        self._step_s = seconds / n_steps
        self._grows = True

    def looked(self, n_told: int = 0) -> None:
        """Someone looked at the end of a chunk, or after n_told of its steps."""
        self._grows = False
        if n_told:
            self._length = n_told


class Loop(Protocol):
    """What takes steps in chunks: at most ``capacity``; ``seconds``: what the last took."""

    capacity: int
    seconds: float

    def take(self, starts: Sequence[Checkpoint], counts: Sequence[int]) -> list[Taken]:
        """So many steps of each run from where it stands."""


class Chunks:
    """The steps of one run in a loop of its own."""

    def __init__(self, loop: Loop, pace: Pace | None = None) -> None:
        self._loop = loop
        self._start: Checkpoint | None = None
        self._waiting: deque[Progress] = deque()
        self._n_told = 0
        # Looks often come every so many steps: a chunk ends where the next is due.
        self._n_since, self._between_looks = 0, 0
        self._pace = Pace() if pace is None else pace

    @property
    def n_waiting(self) -> int:
        """Steps that the device has taken and the run has not told of."""
        return len(self._waiting)

    def move(self, loop: Loop) -> None:
        """The objective has changed: go on in another loop."""
        self._loop = loop

    def take(self, at: Checkpoint, most: int) -> Taken:
        """The next chunk, of ``most`` steps; perhaps of none, if the first is not finite."""
        count = min(self._pace.length(), room(at), self._loop.capacity, most)
        until_look = self._between_looks - self._n_since
        if until_look > 0:
            count = min(count, until_look)
        (taken,) = self._loop.take([at], [count])
        self._pace.took(count, self._loop.seconds)
        self._start, self._n_told = at, 0
        return taken

    def wait(self, progress: tuple[Progress, ...]) -> None:
        """These steps are to be told of."""
        self._waiting.extend(progress)

    def tell(self) -> Progress:
        """The next step that has not been told of."""
        self._n_told += 1
        self._n_since += 1
        return self._waiting.popleft()

    def settle(self) -> Checkpoint | None:
        """The run at the last step that was told of; None if that is where it stands.

        Steps beyond are taken back: the chunk is repeated up to there. Whoever looks in
        the middle of chunks gets shorter ones from now on.
        """
        if self._n_since:
            self._between_looks, self._n_since = self._n_since, 0
        if not self._waiting or self._start is None:
            self._pace.looked()
            return None
        self._waiting.clear()
        self._pace.looked(self._n_told)
        (taken,) = self._loop.take([self._start], [self._n_told])
        return taken.at


def with_message(progress: tuple[Progress, ...], message: str) -> tuple[Progress, ...]:
    """The last step says it."""
    if not progress or not message:
        return progress
    return (*progress[:-1], replace(progress[-1], message=message))
