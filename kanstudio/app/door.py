"""The door of the server: so many sessions and no more, and quiet when somebody leaves."""

from __future__ import annotations

import logging
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bokeh.protocol.exceptions import ProtocolError
from bokeh.server.urls import per_app_patterns
from bokeh.server.views.session_handler import SessionHandler
from bokeh.util.token import get_session_id
from panel.io.server import WSHandler
from tornado.websocket import WebSocketClosedError

LOG = logging.getLogger("kanstudio.app")
RETRY_S = 5
"""A reload, too, waits until Bokeh has discarded the session before it, 15 to 18 s later."""

_FULL = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>KAN Studio</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{retry}">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0 24px; }}
body {{ display: grid; place-content: center; min-height: 90vh; }}
main {{ max-width: 460px; }} h1 {{ font-size: 19px; }}
</style></head>
<body><main><h1>KAN Studio is full</h1>
<p>{count} sessions are open on this server, and it takes no more. A place is free as soon as
somebody closes a tab.</p>
<p>This page tries again every {retry} seconds. <a href="">Try now</a></p></main></body></html>
"""


class _Guarded:
    """A handler of Bokeh's that makes sessions, up to ``max_sessions`` of them."""

    max_sessions: int

    async def prepare(self: Any) -> None:
        await super().prepare()  # type: ignore[misc]
        n_sessions = len(list(self.application_context.sessions))
        if self._finished or n_sessions < self.max_sessions or self.is_inside():
            return
        LOG.info("turned a visitor away: %d sessions are open", n_sessions)
        self.set_status(503)
        self.set_header("Retry-After", str(RETRY_S))
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.finish(_FULL.format(count=n_sessions, retry=RETRY_S))

    def is_inside(self) -> bool:
        """Whether what asks belongs to a session that is there already."""
        return False


class _Socket(_Guarded, WSHandler):
    """A connection to a session; one that was discarded would be made anew."""

    def is_inside(self) -> bool:
        token = self.request.headers.get("Sec-WebSocket-Protocol", "").partition(",")[2].strip()
        try:
            wanted = get_session_id(token)
        except (ProtocolError, ValueError, KeyError):
            return False
        return any(session.id == wanted for session in self.application_context.sessions)

    async def send_message(self, message: Any) -> None:
        try:
            await message.send(self)
        except WebSocketClosedError:
            # The tab was closed a moment ago; ``on_close`` is told in its turn.
            LOG.debug("a message came too late for its tab")


def _guarded(handler: type, max_sessions: int) -> type:
    if issubclass(handler, WSHandler):
        return type("Socket", (_Socket,), {"max_sessions": max_sessions})
    if issubclass(handler, SessionHandler):
        return type(handler.__name__, (_Guarded, handler), {"max_sessions": max_sessions})
    return handler


@contextmanager
def door(max_sessions: int) -> Iterator[None]:
    """A server made in here takes so many sessions; beyond them it answers 503.

    Each process of a server counts its own. A session that nobody is connected to any more
    gives its place back when Bokeh discards it.
    """
    before = list(per_app_patterns)
    per_app_patterns[:] = [(path, _guarded(kind, max_sessions)) for path, kind in before]
    try:
        yield
    finally:
        per_app_patterns[:] = before


def quiet(loop: AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler for the server's loop: a tab that has gone is no error.

    Panel writes the parts of a message without waiting; those that find the connection
    closed end as tasks whose exception nobody asks for.
    """
    if isinstance(context.get("exception"), WebSocketClosedError):
        LOG.debug("a message came too late for its tab")
    else:
        loop.default_exception_handler(context)
