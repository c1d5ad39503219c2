"""The Studio as a server."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

import panel as pn
from bokeh.server.server import Server
from tornado.process import task_id

from kanstudio.app.door import door, quiet
from kanstudio.app.workshop import use_scheduler
from kanstudio.errors import KanStudioError

CHECK_MS = 3_000
"""Sessions without a connection are looked for this often; after 15 s they give up their place."""
APP = Path(__file__).with_name("main.py")


def serve(
    port: int = 5006,
    host: str = "127.0.0.1",
    *,
    show: bool = True,
    num_procs: int = 1,
    allow_origin: Sequence[str] = (),
    scheduler: str | None = None,
    max_sessions: int = 100,
) -> None:
    """Serve the Studio until interrupted; prints the address, port 0 takes a free one.

    allow_origin: HOST or HOST:PORT as people type it into their browsers; pages from
    elsewhere get no connection. This machine's own names are always allowed. scheduler: the
    address of a Dask scheduler, to whose workers all training goes. max_sessions: so many
    of each process; who comes then is told to wait.
    """
    if scheduler is not None:
        use_scheduler(scheduler)
    with door(max_sessions):
        server: Server = pn.serve(
            {"/": str(APP)}, port=port, address=host, show=False, start=False, verbose=False,
            num_procs=num_procs, title="KAN Studio", websocket_origin=origins(allow_origin, port),
            check_unused_sessions_milliseconds=CHECK_MS,
        )  # fmt: skip
    server.io_loop.asyncio_loop.set_exception_handler(quiet)
    shown = "127.0.0.1" if host in ("", "0.0.0.0") else host
    address = f"http://{shown}:{server.port}/"
    # Of several processes on one port, only the first speaks.
    if not task_id():
        print(f"KAN Studio: {address}", flush=True)
        if show:
            server.io_loop.call_later(0.2, lambda: webbrowser.open(address))
    server.start()
    server.io_loop.start()


def origins(allowed: Sequence[str], port: int) -> list[str] | None:
    """What Bokeh checks a connection's origin against; None is its own default."""
    if not allowed:
        return None
    if port == 0:
        raise KanStudioError("names to allow need a fixed port: choose one with --port")
    names = ("127.0.0.1", "localhost", *allowed)
    return [name if ":" in name else f"{name}:{port}" for name in names]
