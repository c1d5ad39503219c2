"""The door of a server, with real requests: a full house, a place that gets free, a lost tab."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import panel as pn
import pytest
from bokeh.server.server import Server
from bokeh.server.urls import per_app_patterns
from bokeh.util.token import generate_jwt_token, generate_session_id
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from kanstudio.app.door import _Socket, door, quiet

Work = Callable[[], Awaitable[None]]
Visit = Callable[["House"], Awaitable[None]]


class House:
    """A server for two sessions that discards at once those that nobody uses."""

    def __init__(self) -> None:
        self.loop = IOLoop(make_current=False)
        with door(2):
            self.server: Server = pn.serve(
                {"/": lambda: pn.pane.Str("here")}, loop=self.loop, port=0,
                show=False, start=False, verbose=False,
                unused_session_lifetime_milliseconds=200, check_unused_sessions_milliseconds=50,
            )  # fmt: skip
        self.server.start()

    def do(self, work: Work) -> None:
        self.loop.run_sync(work, timeout=60)

    def close(self) -> None:
        self.server.stop()
        self.loop.close()

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server.port}{path}"

    async def get(self, path: str = "/") -> HTTPResponse:
        return await AsyncHTTPClient().fetch(self.url(path), raise_error=False)

    async def connect(self, token: str) -> WebSocketClientConnection:
        headers = HTTPHeaders({"Origin": self.url("")})
        request = HTTPRequest(self.url("/ws", "ws"), headers=headers)
        return await websocket_connect(request, subprotocols=["bokeh", token])

    async def empty(self) -> None:
        while self.server.get_sessions():
            await asyncio.sleep(0.02)


@pytest.fixture
def visiting() -> Iterator[Callable[[Visit], None]]:
    """Runs a visit to a house; in a thread of its own, whose event loop is its own too."""
    with ThreadPoolExecutor(1) as thread:
        house = thread.submit(House).result()
        yield lambda visit: thread.submit(house.do, partial(visit, house)).result()
        thread.submit(house.close).result()


def token_of(page: HTTPResponse) -> str:
    found: str = page.body.decode().partition('"token":"')[2].partition('"')[0]
    assert found
    return found


def test_a_full_house_says_so_and_a_free_place_is_taken(visiting: Callable[[Visit], None]) -> None:
    async def visit(house: House) -> None:
        assert [(await house.get()).code for _ in range(2)] == [200, 200]
        for path in ("/", "/?formula=x", "/autoload.js?bokeh-autoload-element=a"):
            refused = await house.get(path)
            assert refused.code == 503
            assert int(refused.headers["Retry-After"]) > 0
        assert "KAN Studio is full" in (await house.get()).body.decode()
        assert (await house.get("/static/js/bokeh.min.js")).code == 200
        await house.empty()
        assert (await house.get()).code == 200

    visiting(visit)


def test_nobody_comes_in_by_the_window(
    visiting: Callable[[Visit], None],
) -> None:
    async def visit(house: House) -> None:
        pages = [await house.get() for _ in range(2)]
        inside = await house.connect(token_of(pages[0]))
        greeting = await inside.read_message()
        assert json.loads(greeting or "")["msgtype"] == "ACK"
        forged = generate_jwt_token(generate_session_id())
        with pytest.raises(HTTPClientError, match="503"):
            await house.connect(forged)
        # The session without a connection goes, the other stays.
        while len(house.server.get_sessions()) > 1:
            await asyncio.sleep(0.02)
        assert [(await house.get()).code for _ in range(2)] == [200, 503]
        inside.close()
        await house.empty()

    visiting(visit)


def test_only_servers_made_inside_have_a_door() -> None:
    before = list(per_app_patterns)
    with door(1):
        assert per_app_patterns != before
    assert per_app_patterns == before


class Message:
    """Fails to be sent."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def send(self, socket: object) -> None:
        raise self._error


def test_a_tab_that_has_gone_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    socket = object.__new__(_Socket)
    with caplog.at_level(logging.INFO):
        asyncio.run(socket.send_message(Message(WebSocketClosedError())))
        with pytest.raises(ValueError, match="real"):
            asyncio.run(socket.send_message(Message(ValueError("real"))))

        async def lose() -> None:
            loop = asyncio.get_running_loop()
            quiet(loop, {"message": "never retrieved", "exception": WebSocketClosedError()})
            assert not caplog.records
            quiet(loop, {"message": "never retrieved", "exception": ValueError("real")})

        asyncio.run(lose())
    assert [record.name for record in caplog.records] == ["asyncio"]
