"""Work beside the server's own thread: nobody waits for it, and only the newest counts."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


@cache
def _thread() -> ThreadPoolExecutor:
    """One thread for all sessions of the process."""
    return ThreadPoolExecutor(1, thread_name_prefix="aside")


class Aside(Generic[Key, Value]):
    """Keeps what ``work`` makes of the newest key at hand.

    found is called, by ``tick``, when it has come. same tells whether two keys are one.
    rest_s: so long must a key stand before work begins; every_s: and so long after the
    last beginning.
    """

    def __init__(
        self,
        work: Callable[[Key], Value],
        found: Callable[[], None],
        *,
        same: Callable[[Key, Key], bool] = operator.eq,
        rest_s: float = 0.0,
        every_s: float = 0.0,
    ) -> None:
        self._work, self._found, self._same = work, found, same
        self._rest_s, self._every_s = rest_s, every_s
        self._wanted: Key | None = None
        self._since = self._began = -math.inf
        self._running: tuple[Key, Future[Value]] | None = None
        self._known: tuple[Key, Value] | None = None

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
            key, future = self._running
            self._running, self._known = None, (key, future.result())
            self._found()
        now = time.monotonic()
        key_ = self._wanted
        if key_ is None or self._running is not None:
            return
        if self._known is not None and not self._differs(self._known[0]):
            return
        if now - self._since >= self._rest_s and now - self._began >= self._every_s:
            self._began = now
            self._running = key_, _thread().submit(self._work, key_)

    def close(self) -> None:
        """Nobody wants anything any more."""
        if self._running is not None:
            self._running[1].cancel()
