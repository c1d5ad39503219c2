"""Work beside the server's own thread: nobody waits for it, and only the newest counts."""

from __future__ import annotations

import logging
import math
import operator
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Generic, Literal, TypeVar

LOG = logging.getLogger("kanstudio.app")
Key = TypeVar("Key")
Value = TypeVar("Value")


Lane = Literal["quick", "slow"]
"""What may take seconds has threads of its own, so that the quick need not wait."""
_THREADS = {"quick": 1, "slow": 2}


@cache
def _threads(lane: Lane) -> ThreadPoolExecutor:
    """The threads of all sessions of the process."""
    return ThreadPoolExecutor(_THREADS[lane], thread_name_prefix=f"aside-{lane}")


class Aside(Generic[Key, Value]):
    """Keeps what ``work`` makes of the newest key at hand.

    found is called, by ``tick``, when it has come. same tells whether two keys are one.
    rest_s: so long must a key stand before work begins. Work that fails is logged, and
    nothing is made of its key.
    """

    def __init__(
        self,
        work: Callable[[Key], Value],
        found: Callable[[], None],
        *,
        same: Callable[[Key, Key], bool] = operator.eq,
        rest_s: float = 0.0,
        lane: Lane = "quick",
    ) -> None:
        self._work, self._found, self._same = work, found, same
        self._rest_s, self._lane = rest_s, lane
        self._wanted: Key | None = None
        self._since = -math.inf
        self._running: tuple[Key, Future[Value]] | None = None
        self._known: tuple[Key, Value | None] | None = None

    def want(self, key: Key | None) -> None:
        """What is worked on from now on; None for nothing."""
        if self._differs(key):
            self._wanted, self._since = key, time.monotonic()

    def _differs(self, key: Key | None) -> bool:
        if key is None or self._wanted is None:
            return key is not self._wanted
        return not self._same(key, self._wanted)

    @property
    def value(self) -> Value | None:
        """What was made of the wanted key; None while it is not there."""
        return None if self._known is None or self._differs(self._known[0]) else self._known[1]

    @property
    def latest(self) -> Value | None:
        """The last that was made, perhaps of an older key; None for no key."""
        return None if self._known is None or self._wanted is None else self._known[1]

    def tick(self) -> None:
        """Take what has come back, begin what is wanted; never waits."""
        if self._running is not None and self._running[1].done():
            self._take(*self._running)
        wanted = self._wanted
        if wanted is None or self._running is not None:
            return
        if self._known is not None and not self._differs(self._known[0]):
            return
        if time.monotonic() - self._since >= self._rest_s:
            self._running = wanted, _threads(self._lane).submit(self._work, wanted)

    def _take(self, key: Key, future: Future[Value]) -> None:
        self._running = None
        error = future.exception()
        if error is None:
            self._known = key, future.result()
            self._found()
        else:
            self._known = key, None
            LOG.error("work aside failed", exc_info=error)

    def close(self) -> None:
        """Nobody wants anything any more."""
        if self._running is not None:
            self._running[1].cancel()
