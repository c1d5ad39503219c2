"""The page: the frame with all parts of one session, and the document around it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import panel as pn
from panel.io.callbacks import PeriodicCallback
from panel.template import Template
from panel.viewable import Child

from kanstudio.app.component import Message, Part, asset, script
from kanstudio.app.desk import Desk
from kanstudio.app.keeping import Keeping, Work
from kanstudio.app.lobby import Lobby, is_token
from kanstudio.app.policy import new_nonce, policy, signed
from kanstudio.app.session import Selection, Session, Topic
from kanstudio.app.share import shared_document
from kanstudio.app.simplifier import Simplifier
from kanstudio.app.tour import Tour
from kanstudio.app.views.datacard import DataCard
from kanstudio.app.views.dock import Dock
from kanstudio.app.views.inspector import Inspector
from kanstudio.app.views.level import LevelMenu
from kanstudio.app.views.network import NetworkView
from kanstudio.app.views.sidebar import Sidebar
from kanstudio.app.views.simplify import SimplifyCard
from kanstudio.app.views.status import StatusLine
from kanstudio.app.views.topbar import TopBar
from kanstudio.app.views.tour import TourCard
from kanstudio.errors import KanStudioError
from kanstudio.training.handle import Trainer

TICK_MS = 50

TEMPLATE = """
{% extends base %}
{% block title %}KAN Studio{% endblock %}
{% block preamble %}
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
{% endblock %}
{% block js_resources %}{{ signed(bokeh_js) }}{% endblock %}
{% block postamble %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{{ tokens }}
html, body { height: 100%; margin: 0; overflow: hidden; background: var(--ks-ground); }
.room-root { width: 100vw; height: 100vh; }
</style>
{% endblock %}
{% block inner_body %}
<div class="room-root">{{ embed(roots.studio) }}</div>
{{ signed(plot_script) }}
{% endblock %}
"""


class Shell(Part):
    """Six places on a grid, keys, notices, downloads."""

    topbar = Child()
    sidebar = Child()
    network = Child()
    level = Child()
    simplify = Child()
    tour = Child()
    inspector = Child()
    dock = Child()
    status = Child()

    _esm = script("shell.js")
    _stylesheets: ClassVar[list[str]] = [
        asset("tokens.css"),
        asset("style.css"),
        asset("frame.css"),
    ]


class Studio:
    """One session with its parts; ``shell`` is what is shown."""

    def __init__(
        self,
        runner: Callable[[], Trainer],
        session: Session | None = None,
        *,
        lobby: Lobby[Work] | None = None,
        page: bool = True,
    ) -> None:
        self.session = session or Session()
        self._lobby = lobby
        self._token = ""
        self.desk = Desk(self.session, runner)
        self.keeping = Keeping(self.session)
        self._data = DataCard(self.session)
        self.simplifier = Simplifier(self.session)
        self._simplify = SimplifyCard(self.session, self.simplifier)
        self.tour = Tour(self.session, self.desk, self.simplifier, self)
        self._network = NetworkView(self.session)
        self.shell = Shell(
            topbar=TopBar(self.session, self, self.keeping),
            sidebar=Sidebar(self.session, self.desk, self),
            simplify=self._simplify,
            tour=TourCard(self.session, self.tour) if page else None,
            network=self._network.canvas,
            level=LevelMenu(self.session),
            inspector=Inspector(self.session, self.desk, self.simplifier),
            dock=Dock(self.session, self.desk, self, self._data),
            status=StatusLine(self.session, self.desk, self.keeping, self.tour if page else None),
            sizing_mode="stretch_both",
        )
        self.shell.actions = {
            "hello": self._hello,
            "undo": lambda _: self.session.undo(),
            "redo": lambda _: self.session.redo(),
            "space": lambda _: self.desk.toggle(),
            "escape": lambda _: self._escape(),
        }
        self.shell.put(page=page, notice=asdict(self.session.notice))
        self.session.listen(self._update)

    def _hello(self, message: Message) -> None:
        """The page is there: its theme, and the tab that it stands in."""
        theme, token = message.choice("theme", ("light", "dark")), message.text("room", 32)
        self.session.set_theme(theme)
        if self._lobby is None or self._token or not is_token(token):
            return
        waiting = self._lobby.find(token)
        self._token = token
        self._lobby.hold(token, self._work)
        if waiting is not None and len(waiting.history.entries) > 1:
            self.keeping.last = waiting.saved
            self.session.restore(waiting.history)

    def _work(self) -> Work:
        return Work(self.desk.history(), self.keeping.last)

    def _escape(self) -> None:
        """Clear the selection; without one, close what is open beside the network."""
        if self.session.selection == Selection():
            self._simplify.close()
        self.session.select(Selection())

    def _update(self, topics: frozenset[Topic]) -> None:
        if "notice" in topics:
            self.shell.put(notice=asdict(self.session.notice))
        if "theme" in topics:
            self.shell.put(theme=self.session.theme)
        if topics & {"document", "run", "saved"}:
            self.shell.put(unsaved=self.keeping.state == "unsaved")

    def view(self, height: int) -> pn.Column:
        """The Studio as a block of a fixed height, for a notebook."""
        return pn.Column(self.shell, height=height, sizing_mode="stretch_width")

    def tick(self) -> None:
        """Follow the run; called every TICK_MS milliseconds."""
        self.desk.tick()
        self.session.insight.tick()
        self.simplifier.tick()
        self._network.flush()

    def close(self) -> None:
        """Stop the run and let go of everything; a reload finds its work in the lobby."""
        if self._lobby is not None and self._token:
            self._lobby.leave(self._token, self._work(), self._work)
        self.desk.close()
        self.simplifier.close()
        self.session.close()

    # What parts ask for.

    def download(self, name: str, mime: str, content: bytes) -> None:
        text = base64.b64encode(content).decode("ascii")
        self.shell._send_msg({"kind": "download", "name": name, "mime": mime, "base64": text})

    def open_data(self, kind: str, x: float | None = None, y: float | None = None) -> None:
        self._data.open(kind, x, y)

    def open_simplify(self, card: str) -> None:
        if card == "":
            self._simplify.close()
        else:
            self._simplify.open("prune" if card == "prune" else "symbolify")


def _asked_for() -> Session | None:
    """A session on the formula of the address, None for the usual first visit."""
    try:
        document = shared_document(pn.state.session_args or {})
    except KanStudioError as error:
        session = Session()
        session.say(f"The link's formula could not be opened: {error}", "error")
        return session
    return None if document is None else Session(document, "open link")


def create_page(runner: Callable[[], Trainer], lobby: Lobby[Work] | None = None) -> Any:
    """A page for one visitor; call it while the visitor's document is current."""
    studio = Studio(runner, _asked_for(), lobby=lobby)
    # In the background: else every tick would count as the session being busy, and saying so
    # costs more than the tick.
    callback = PeriodicCallback(callback=studio.tick, period=TICK_MS, background=True, log=False)
    callback.start()

    def gone(_: object) -> None:
        callback.stop()
        studio.close()

    pn.state.on_session_destroyed(gone)
    nonce = new_nonce()
    template = Template(TEMPLATE)
    template.add_variable("policy", policy(nonce))
    template.add_variable("signed", partial(signed, nonce))
    template.add_variable("tokens", asset("tokens.css"))
    template.add_panel("studio", studio.shell)
    return template
