"""The server as a process: it starts, answers only locally, and stops when told."""

from __future__ import annotations

import signal
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from conftest import Server


def test_address_is_local_and_free(studio_server: Server) -> None:
    address = urlsplit(studio_server.address)
    assert (address.scheme, address.hostname) == ("http", "127.0.0.1")
    assert address.port and address.port > 1024
    assert studio_server.running


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_server_stops_without_a_traceback(new_server: Server, name: str) -> None:
    # A page makes a session; it must not hold the server back.
    with urllib.request.urlopen(new_server.address, timeout=60):
        pass
    assert new_server.signal(getattr(signal, name)) in (0, 130, -getattr(signal, name))
    assert "Traceback" not in "".join(new_server.log)
