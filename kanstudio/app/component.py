"""Parts of the page: a script, a state that the server sends, messages that come back."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import panel as pn
import param
from panel.custom import JSComponent

HERE = Path(__file__).parent
LOG = logging.getLogger("kanstudio.app")
MAX_TEXT = 20_000
MAX_LIST = 1_000
Choice = TypeVar("Choice", bound=str)


@cache
def asset(name: str) -> str:
    """The text of a file beside this module."""
    return (HERE / name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """A part's module: the helpers of dom.js, then its own code. No imports are left."""
    return f"{asset('js/dom.js')}\n{asset(f'js/{name}')}"


class BadMessage(Exception):
    """A browser sent something that the page never sends."""


class Message:
    """A message from the browser, which is trusted in nothing."""

    def __init__(self, data: Mapping[str, object]) -> None:
        self._data = data

    def raw(self, key: str) -> object:
        return self._data.get(key)

    def text(self, key: str, limit: int = MAX_TEXT) -> str:
        value = self._data.get(key)
        if not isinstance(value, str) or len(value) > limit:
            raise BadMessage(f"{key} is no text of at most {limit} characters")
        return value

    def choice(self, key: str, allowed: tuple[Choice, ...]) -> Choice:
        value = self.text(key, 100)
        for one in allowed:
            if value == one:
                return one
        raise BadMessage(f"{key} is none of {allowed}")

    def number(self, key: str) -> float | None:
        """A finite number; None for a field that is empty or holds something else."""
        return number(self._data.get(key))

    def whole(self, key: str) -> int | None:
        """A whole number, also from its text; None for anything else."""
        value = self._data.get(key)
        if isinstance(value, str):
            text = value.strip()
            value = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
        exact = number(value)
        return int(exact) if exact is not None and exact == int(exact) else None

    def texts(self, key: str, limit: int = 400) -> tuple[str, ...]:
        value = self._data.get(key)
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise BadMessage(f"{key} is no list")
        if not all(isinstance(item, str) and len(item) <= limit for item in value):
            raise BadMessage(f"{key} is no list of texts")
        return tuple(value)


def number(value: object) -> float | None:
    """The value as a float if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 and math.isfinite(value) else None


Action = Callable[[Message], None]


def on_page(callback: Callable[[], None]) -> None:
    """Run what a message asks for, with the document's lock and once the page has loaded.

    What is changed before that would not reach the browser: it is told of changes only
    after it has said that it is there.
    """
    pn.state.execute(partial(pn.state.onload, callback), schedule=True)


class Part(JSComponent):
    """A part of the page.

    ``state`` only goes to the browser: what comes back in it is never read, since a
    browser can set it to anything. Messages {"kind": ...} call ``actions[kind]``.
    """

    state = param.Dict(default={}, doc="What the part shows.")

    _stylesheets: ClassVar[list[str]] = [asset("style.css")]

    def __init__(self, **params: Any) -> None:
        self.actions: dict[str, Action] = {}
        self._sent: dict[str, Any] = {}
        super().__init__(**{"sizing_mode": "stretch_both", **params})

    def put(self, **values: Any) -> None:
        """Change some values of the state; nothing is sent if all are the same."""
        new = {**self._sent, **values}
        if new != self._sent:
            self._sent = new
            self.state = new

    def _handle_msg(self, data: Any) -> None:
        kind = data.get("kind") if isinstance(data, dict) else None
        action = self.actions.get(kind) if isinstance(kind, str) else None
        if action is None:
            return
        on_page(partial(self._act, action, Message(data)))

    def _act(self, action: Action, message: Message) -> None:
        try:
            action(message)
        except BadMessage as error:
            LOG.info("ignored a message to %s: %s", type(self).__name__, error)
