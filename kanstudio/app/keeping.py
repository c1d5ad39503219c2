"""Whether the work is kept: in a model file, or because it can be had again with a click."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from kanstudio.app.gallery import examples
from kanstudio.app.session import Session
from kanstudio.compiler import Strategy
from kanstudio.editor.document import Document, Range
from kanstudio.editor.history import History
from kanstudio.network.network import Network

Kept = Literal["unchanged", "saved", "unsaved"]


@dataclass(frozen=True)
class Contents:
    """What a model file holds; two are the same if it is the same network (`is`)."""

    network: Network
    text: str
    ranges: tuple[Range, ...]
    strategy: Strategy

    def same(self, other: Contents) -> bool:
        mine, theirs = (
            (one.text, one.ranges, one.strategy, id(one.network)) for one in (self, other)
        )
        return mine == theirs


@dataclass(frozen=True)
class Work:
    """What a reload comes back to: all that was done, and what was saved last."""

    history: History
    saved: Contents | None = None


class Keeping:
    """Knows what was saved last; whoever saves a model file says so."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.last: Contents | None = None

    @property
    def state(self) -> Kept:
        """ "unchanged" is a formula as it was compiled or a model as it was opened."""
        now = self._contents()
        if self.last is not None and now.same(self.last):
            return "saved"
        history = self._session.history
        fresh = now.network is history.document.network and _at_hand(history)
        return "unchanged" if fresh else "unsaved"

    def saved(self) -> None:
        """The network as it is now has just been saved as a model file."""
        self.last = self._contents()
        self._session.tell("saved")

    def _contents(self) -> Contents:
        document = self._session.document
        ranges = document.source.ranges if document.source is not None else ()
        return Contents(self._session.network, document.text, ranges, document.strategy)


def _at_hand(history: History) -> bool:
    """Whether the present document is a first one, an opened one or an example's."""
    entry = history.entries[history.position]
    if history.position == 0 or entry.label.startswith("open "):
        return True
    return entry.label.startswith("compile") and _is_example(entry.document)


def _is_example(document: Document) -> bool:
    return document.text in _formulas()


@cache
def _formulas() -> frozenset[str]:
    return frozenset(one.formula for _, group in examples() for one in group)
