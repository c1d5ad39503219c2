"""What a formula costs under each strategy, worked out beside the server's own thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache

from kanstudio.compiler import STRATEGIES, Cost, Strategy, cost_report
from kanstudio.editor.document import read_formula
from kanstudio.errors import KanStudioError

REST_S = 0.25
"""So long must a text stand still before its costs are worked out."""

Key = tuple[str, tuple[str, ...]]
Costs = dict[Strategy, Cost]
Rows = list[dict[str, str | int]]


@lru_cache(maxsize=256)
def costs(text: str, inputs: tuple[str, ...]) -> Costs:
    """The cost of each strategy; none for a text that is no formula or has no network."""
    try:
        parsed = read_formula(text, inputs)
        return cost_report([output.expr for output in parsed.outputs], parsed.variables)
    except KanStudioError:
        return {}


@cache
def _aside() -> ThreadPoolExecutor:
    """One thread for all sessions: nobody waits for it."""
    return ThreadPoolExecutor(1, thread_name_prefix="costs")


class CostWatch:
    """Keeps the costs of a text at hand; asks for them once the text stands still."""

    def __init__(self, found: Callable[[], None]) -> None:
        self._found = found
        self._wanted: Key = ("", ())
        self._since = 0.0
        self._future: Future[Costs] | None = None
        self._asked: Key = ("", ())
        self._known: tuple[Key, Costs] = (self._wanted, {})

    def want(self, text: str, inputs: tuple[str, ...]) -> None:
        """The text whose costs are wanted from now on; "" for none."""
        if (text, inputs) != self._wanted:
            self._wanted, self._since = (text, inputs), time.monotonic()

    @property
    def rows(self) -> Rows:
        """A row per strategy for the wanted text; none while they are not known yet."""
        key, found = self._known
        if key != self._wanted:
            return []
        return [
            {
                "key": name,
                "title": name.capitalize(),
                "nodes": found[name].nodes,
                "edges": found[name].edges,
                "depth": found[name].depth,
                "parameters": found[name].parameters,
            }
            for name in STRATEGIES
            if name in found
        ]

    def tick(self) -> None:
        """Take what has come back, ask for what is wanted; never waits."""
        if self._future is not None and self._future.done():
            self._known, self._future = (self._asked, self._future.result()), None
            if self._known[0] == self._wanted:
                self._found()
        text, inputs = self._wanted
        if not text or self._known[0] == self._wanted or self._future is not None:
            return
        if time.monotonic() - self._since >= REST_S:
            self._asked = self._wanted
            self._future = _aside().submit(costs, text, inputs)

    def close(self) -> None:
        """Nobody wants costs any more."""
        if self._future is not None:
            self._future.cancel()
