"""The card of a level: add nodes, add a layer, remove it."""

from __future__ import annotations

from typing import Any

from kanstudio.app.component import Message, Part, script
from kanstudio.app.present import arities, level_words
from kanstudio.app.session import Session, Topic
from kanstudio.errors import EditError
from kanstudio.network.contract import remove_level
from kanstudio.network.network import Network
from kanstudio.scene.labels import level_title


class LevelMenu(Part):
    """Opens beside the band that was clicked."""

    _esm = script("levelmenu.js")

    def __init__(self, session: Session, **params: Any) -> None:
        super().__init__(**params)
        self._session = session
        self.actions = {
            "sum": self._add_sums,
            "mult": self._add_mults,
            "depth": self._deepen,
            "remove": self._remove,
            "closed": self._closed,
        }
        session.listen(self._update)

    def _update(self, topics: frozenset[Topic]) -> None:
        if not topics & {"level", "document"}:
            return
        card, network = self._session.level_card, self._session.network
        level = min(card.level, network.depth)
        hidden = 1 <= level < network.depth
        self.put(
            level=level,
            open=card.open,
            count=card.count,
            at={"x": card.at[0], "y": card.at[1]},
            error=card.error,
            title=level_title(network, level),
            about=level_words(network, level),
            canWiden=hidden,
            why=_why(level, network.depth),
            stays=why_it_stays(network, level) if hidden and card.open else "",
        )

    def _closed(self, message: Message) -> None:
        card, count = self._session.level_card, message.whole("count")
        if card.open and count in (None, card.count):
            self._session.close_level()

    def _add_sums(self, message: Message) -> None:
        level = message.whole("level")
        if level is not None:
            self._session.widen(level, message.whole("count"), None)

    def _deepen(self, message: Message) -> None:
        level = message.whole("level")
        if level is not None:
            self._session.deepen(level)

    def _remove(self, message: Message) -> None:
        level = message.whole("level")
        if level is not None:
            self._session.remove_level(level)

    def _add_mults(self, message: Message) -> None:
        level, found = message.whole("level"), arities(message.text("arity", 400))
        if level is None:
            return
        if found is None:
            self._session.level_error("Arity is one number, or one for each node: 2, 3")
            return
        self._session.widen(level, message.whole("count"), found)


def why_it_stays(network: Network, level: int) -> str:
    """Why a level cannot go without changing the output; "" if it can."""
    try:
        remove_level(network, level)
    except EditError as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}."
    return ""


def _why(level: int, depth: int) -> str:
    unchanged = "A new layer changes nothing until it is trained."
    if level == depth:
        return f"The outputs keep their number. {unchanged}"
    if level == 0:
        return f"The inputs come from the formula. {unchanged}"
    return "Neither new nodes nor a new layer change the output until they are trained."
