"""The Studio as a person has it: a server in its own process and a real browser."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import find as find_browser
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ADDRESS = "KAN Studio: "
START_S = 120
VIEWPORT = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_browser()
    assert path, "no Chromium: run `python tests/browser.py`"
    with sync_playwright() as playwright:
        # The sandbox needs what a container's root user does not have.
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield found
        found.close()


class Server:
    """``kanstudio serve`` on a free port; ``log`` is all that it printed."""

    def __init__(self, *arguments: str, cwd: Path | None = None) -> None:
        self._arguments = arguments
        self._cwd = cwd
        self.log: list[str] = []
        self.address = ""

    def start(self) -> Server:
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-m", "kanstudio", "serve", "--port", "0", "--no-browser"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(root)}
        self._process = subprocess.Popen(
            [*command, *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=self._cwd,
        )
        addresses: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(addresses,), daemon=True)
        self._reader.start()
        try:
            self.address = addresses.get(timeout=START_S)
            self._wait_for_answer()
        except (queue.Empty, OSError):
            self.stop()
            pytest.fail("the server did not start:\n" + "".join(self.log))
        return self

    def _read(self, addresses: queue.Queue[str]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line)
            if line.startswith(ADDRESS):
                addresses.put(line.removeprefix(ADDRESS).strip())

    def _wait_for_answer(self) -> None:
        end = time.monotonic() + START_S
        # No proxy: this is 127.0.0.1, whatever the environment says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            try:
                with opener.open(self.address, timeout=START_S):
                    return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.1)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> int:
        """Send a signal; the exit status with which the server ends."""
        self._process.send_signal(number)
        return self._process.wait(timeout=30)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=15)
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture(scope="session")
def studio_server() -> Iterator[Server]:
    """One server for all tests that need no special one."""
    server = Server().start()
    yield server
    server.stop()


@pytest.fixture
def new_server() -> Iterator[Server]:
    """A server for one test, which may end it."""
    server = Server().start()
    yield server
    server.stop()


class Visit:
    """A context and page that note everything that must not happen."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.complaints: list[str] = []
        self.address = address
        self.context: BrowserContext = browser.new_context(
            viewport=VIEWPORT, reduced_motion="reduce", accept_downloads=True
        )
        self.context.on("request", self._requested)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(f"page: {error.error}"))
        self.page: Page = self.context.new_page()

    def _requested(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("data", "blob", "about"):
            return
        if url.hostname != "127.0.0.1":
            self.complaints.append(f"request to {request.url}")

    def _said(self, message: object) -> None:
        if getattr(message, "type", "") == "error":
            self.complaints.append(f"console: {getattr(message, 'text', '')}")

    def open(self) -> Page:
        """Load the Studio and wait until its first network stands there."""
        self.page.goto(self.address)
        self.page.wait_for_selector("#kanstudio-status[data-version]", state="attached")
        return self.page

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def visit(browser: Browser, studio_server: Server) -> Iterator[Callable[[], Visit]]:
    """Makes visits; at the end none of them may have complained."""
    visits: list[Visit] = []

    def make() -> Visit:
        visits.append(Visit(browser, studio_server.address))
        return visits[-1]

    yield make
    for one in visits:
        one.close()
    assert [complaint for one in visits for complaint in one.complaints] == []


@pytest.fixture
def studio_page(visit: Callable[[], Visit]) -> Page:
    """The Studio in a fresh browser context, loaded."""
    return visit().open()
