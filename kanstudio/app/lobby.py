"""Where work waits while its page is away: a reload comes back to where it was."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar

from kanstudio.app.keeping import Work

PLACES = 200
KEEP_S = 12 * 3600.0
Held = TypeVar("Held")
_TOKEN = re.compile(r"[0-9a-f]{32}")


class Lobby(Generic[Held]):
    """What was done, by the token of a browser's tab; the oldest leave when it is full.

    A token is 128 random bits that only its tab knows. While a session lives, the lobby
    asks it for its work as of now; when it ends, it leaves its last.
    """

    def __init__(self, places: int = PLACES, keep_s: float = KEEP_S) -> None:
        self._places = places
        self._keep_s = keep_s
        self._held: OrderedDict[str, tuple[float, Callable[[], Held]]] = OrderedDict()

    def hold(self, token: str, work: Callable[[], Held]) -> None:
        """Ask ``work`` for what belongs to the token from now on."""
        if not is_token(token):
            return
        self._held[token] = time.monotonic(), work
        self._held.move_to_end(token)
        while len(self._held) > self._places:
            self._held.popitem(last=False)

    def leave(self, token: str, last: Held, asked: Callable[[], Held]) -> None:
        """The session that was asked ends, unless another has taken its place by now."""
        if token in self._held and self._held[token][1] == asked:
            self.hold(token, lambda: last)

    def find(self, token: str) -> Held | None:
        """The work of a token, None if nothing waits for it any more."""
        if token not in self._held:
            return None
        since, work = self._held[token]
        if time.monotonic() - since > self._keep_s:
            del self._held[token]
            return None
        return work()


def is_token(text: str) -> bool:
    """32 lower-case hexadecimal digits: nothing else is ever kept."""
    return _TOKEN.fullmatch(text) is not None


@cache
def shared_lobby() -> Lobby[Work]:
    """The lobby of this server process."""
    return Lobby()
