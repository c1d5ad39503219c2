"""Where the workers come from: processes of this machine, or a Dask scheduler elsewhere."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from distributed import Client, LocalCluster
from distributed.comm import parse_address

from kanstudio import __version__
from kanstudio.errors import TrainingError
from kanstudio.sweep.host import describe
from kanstudio.training.kernel import warm_up

T = TypeVar("T")

CONNECT_S = 5.0
START_S = 600.0
"""On a busy machine processes may need long to import everything."""
CLOSE_S = 10.0
COUNT_EVERY_S = 1.0
LOOK_EVERY_S = 5.0
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
_QUIET = {"WORKER__PROFILE__ENABLED": "False", "ADMIN__TICK__INTERVAL": "500ms"}
"""Dask looks at what a worker does 150 times a second; that took 4% of a run's time."""


class Cluster:
    """The workers that runs go to; a context manager.

    address: of a Dask scheduler, such as "tcp://10.0.0.5:8786"; its workers must have this
    version of KAN Studio. None: n_workers processes of this machine, by default one less
    than there are cores, with one thread each, which end with this process.
    """

    def __init__(self, address: str | None = None, n_workers: int | None = None) -> None:
        if address is not None:
            _check(address)
        if n_workers is not None and (address is not None or not _is_count(n_workers)):
            raise TrainingError(
                "workers is a whole number of at least 1, for the processes of this machine; "
                "a scheduler has its own"
            )
        self.address = address
        self._n_workers = n_workers or max(1, (os.cpu_count() or 1) - 1)
        self._client: Client | None = None
        self._local: LocalCluster | None = None
        self._workers: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._connecting = asyncio.Lock()
        self._devices: tuple[str, ...] = ("cpu",)
        self._looked_at = -LOOK_EVERY_S
        self._counted = -COUNT_EVERY_S, 1
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="kanstudio-cluster", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the thread that talks with the scheduler."""
        if self._closed:
            work.close()
            raise TrainingError("this cluster is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def connect(self) -> None:
        """Wait until there is a connection. Raises TrainingError."""
        self.submit(self.client()).result()

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices of the workers, as last heard; "cpu" is always there."""
        return self._devices

    def look(self) -> None:
        """Ask the workers for their devices; waits for nothing, and a failure changes nothing."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self.submit(self._describe())

    def n_slots(self) -> int:
        """How many runs the workers can train at once, as of about a second ago; at least 1.

        Raises TrainingError if the scheduler is gone.
        """
        if self.address is None:
            return self._n_workers
        now = time.monotonic()
        if now - self._counted[0] >= COUNT_EVERY_S:
            self._counted = now, self.submit(self._threads()).result()
        return self._counted[1]

    async def client(self) -> Client:
        """The connection; one that was lost is told once, then made anew. Raises TrainingError."""
        async with self._connecting:
            client = self._client
            if client is not None and client.status in ("closed", "closing"):
                self._client = None
                raise TrainingError(
                    f"the Dask scheduler at {self.address} is gone: start it again, and train again"
                )
            if client is None:
                address = self.address or await self._start_here()
                client = await _connected(address)
                try:
                    await self._meet(client)
                except TrainingError:
                    await client.close()
                    raise
                self._client = client
            return client

    async def _describe(self) -> None:
        await self._meet(await self.client())

    async def _meet(self, client: Client) -> None:
        described = await _descriptions(client)
        names = [name for _, devices in described.values() for name in devices]
        self._devices = tuple(dict.fromkeys(["cpu", *names]))

    async def _threads(self) -> int:
        client = await self.client()
        try:
            threads: dict[str, int] = await client.nthreads()
        except OSError:
            return self._counted[1]  # The line is broken: it may come back.
        return max(1, sum(threads.values()))

    async def _start_here(self) -> str:
        """A scheduler in this process, and workers that never import the caller's script."""
        # Compiled once here, the first time of all, and not by every worker at once.
        await asyncio.to_thread(warm_up)
        self._local = await LocalCluster(
            n_workers=0, host="127.0.0.1", scheduler_port=0, dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL, asynchronous=True,
        )  # fmt: skip
        address: str = self._local.scheduler_address
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        log = Path(self._folder.name) / "log"
        with log.open("wb") as output:
            self._workers = _spawn(address, self._n_workers, self._folder.name, output)
        end = time.monotonic() + START_S
        while not self._local.scheduler_info["workers"]:
            if self._workers.poll() is not None or time.monotonic() > end:
                words = log.read_text("utf-8", "replace").splitlines() or ["no reason was given"]
                raise TrainingError(f"the worker processes did not start: {words[-1]}")
            await asyncio.sleep(0.05)
        return address

    def close(self) -> None:
        """End the connection, and the workers of this machine; safe to call twice."""
        if self._closed:
            return
        try:
            self.submit(self._close()).result(CLOSE_S)
        finally:
            self._closed = True
            if self._workers is not None:
                _end(self._workers)
            if self._folder is not None:
                self._folder.cleanup()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_S)
            atexit.unregister(self.close)

    async def _close(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._local is not None:
            await self._local.close()


def _check(address: object) -> None:
    try:
        scheme, place = parse_address(address, strict=True)
        if not isinstance(address, str) or scheme not in ("tcp", "tls") or ":" not in place:
            raise ValueError
    except (TypeError, ValueError):
        raise TrainingError(
            f"a scheduler has an address such as tcp://10.0.0.5:8786, not {address!r}"
        ) from None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


async def _connected(address: str) -> Client:
    try:
        client = await Client(address, asynchronous=True, set_as_default=False, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"there is no Dask scheduler at {address} ({type(error).__name__}): start one there "
            "with `dask scheduler`, and workers with `dask worker`"
        ) from error
    return client


async def _descriptions(client: Client) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What each worker says of itself. Raises TrainingError if one is of another version."""
    try:
        found: dict[str, tuple[str, tuple[str, ...]]] = await client.run(describe)
    except ImportError as error:
        raise TrainingError(
            f"a worker cannot import KAN Studio ({error}): install version {__version__} there"
        ) from error
    for worker, (version, _) in found.items():
        if version != __version__:
            raise TrainingError(
                f"the worker {worker} has KAN Studio {version}, this is {__version__}: "
                "install the same version on both"
            )
    return found


def _spawn(address: str, n_workers: int, folder: str, output: Any) -> subprocess.Popen[bytes]:
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}
    environment |= {f"DASK_DISTRIBUTED__{name}": value for name, value in _QUIET.items()}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    options = {
        "nworkers": n_workers, "nthreads": 1, "host": "127.0.0.1", "memory-limit": 0,
        "dashboard-address": "127.0.0.1:0", "death-timeout": START_S, "local-directory": folder,
        "preload": "kanstudio.sweep.preload",
    }  # fmt: skip
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard", *given],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=environment,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    # Nobody needs a slow farewell: workers end with the process that looks after them.
    process.kill()
    process.wait()
