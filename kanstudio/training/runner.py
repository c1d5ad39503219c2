"""Training outside the server's process: a small pool of workers that runs share.

Nothing here blocks: orders go out through a queue, updates come in on a thread and wait
in one slot per run until somebody asks.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pickle
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from kanstudio.errors import TrainingError
from kanstudio.network.network import Network
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.checks import available_devices, check_run
from kanstudio.training.data import Dataset
from kanstudio.training.handle import RunHandle, checked
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.worker import Start

MAX_WORKERS = 3
CLOSE_S = 5.0

# Fork is safe on Linux only: elsewhere system libraries keep threads of their own.
_CAN_FORK = sys.platform == "linux"
# Not "-m": classes of a __main__ module cannot be unpickled on the other side.
_BOOT = "import sys; from kanstudio.training.worker import main; main(*sys.argv[1:])"
_ONE_THREAD = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")


class _Worker:
    """A worker process: a thread that sends orders, a thread that takes updates."""

    def __init__(self, runner: Runner, connection: Connection[Any, Any]) -> None:
        self.pid: int | None = None
        self.alive = True
        self.handles: dict[int, RunHandle] = {}
        self._runner = runner
        self._connection = connection
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for target in (self._send, self._receive):
            threading.Thread(target=target, name="kanstudio-runner", daemon=True).start()

    def tell(self, verb: str, run_id: int, order: Start | None = None) -> None:
        self._orders.put((verb, run_id, order))

    def close(self) -> None:
        self._orders.put(None)

    def _send(self) -> None:
        try:
            while (message := self._orders.get()) is not None:
                self._connection.send(message)
        except (OSError, ValueError):
            pass
        finally:
            # Both directions end, so that the other thread and the worker notice.
            _shut_down(self._connection)

    def _receive(self) -> None:
        try:
            while True:
                kind, *content = self._connection.recv()
                if kind == "hello":
                    self.pid = content[0]
                elif content[0] in self.handles:
                    self.handles[content[0]].take(content[1])
        except (EOFError, OSError, pickle.UnpicklingError):
            pass
        self.alive = False
        self._orders.put(None)
        self._runner.worker_ended(self)


def _shut_down(connection: Connection[Any, Any]) -> None:
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Runner:
    """A pool of at most n_workers processes; by default one less than there are cores.

    The first worker starts at once, others when there are more runs than workers. A
    worker that dies is replaced, and its runs go on from their last checkpoints.
    """

    def __init__(self, n_workers: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if _CAN_FORK else os.cpu_count() or 1
        self._n_workers = n_workers or max(1, min(cores - 1, MAX_WORKERS))
        self._devices = available_devices()
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._workers: list[_Worker] = []
        self._closed = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._nursery: socket.socket | None = None
        with self._lock:
            self._new_worker()
        atexit.register(self.close)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are ready."""
        with self._lock:
            return [worker.pid for worker in self._workers if worker.pid is not None]

    def devices(self) -> tuple[str, ...]:
        """The devices of this machine."""
        return self._devices

    def start(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainingSettings,
        *,
        paused: bool = False,
        checkpoint: Checkpoint | None = None,
        observer: Callable[..., Any] | None = None,
        arguments: tuple[Any, ...] = (),
    ) -> RunHandle:
        """Start a run, or go on from a checkpoint of it.

        Raises TrainingError at once if it cannot work.
        observer(network, *arguments) is called in the worker with every snapshot, at most
        20 times a second, and its result comes with the snapshot; it and the arguments
        must be picklable.
        """
        check_run(network, dataset, settings)
        return self._begin(
            checked(Start(network, dataset, settings, paused, checkpoint, observer, arguments))
        )

    def _begin(self, order: Start) -> RunHandle:
        with self._lock:
            if self._closed:
                raise TrainingError("the training workers are closed")
            handle = RunHandle(self, next(self._ids), order)
            self._assign(handle, order)
            return handle

    def _assign(self, handle: RunHandle, order: Start) -> None:
        worker = min(self._workers, key=_load, default=None)
        if worker is None or (_load(worker) and len(self._workers) < self._n_workers):
            worker = self._new_worker()
        worker.handles[handle.run_id] = handle
        worker.tell("start", handle.run_id, order)

    def tell(self, handle: RunHandle, verb: str) -> None:
        with self._lock:
            for worker in self._workers:
                if handle.run_id in worker.handles:
                    worker.tell(verb, handle.run_id)

    def drop(self, handle: RunHandle) -> None:
        with self._lock:
            self.tell(handle, "stop")
            for worker in self._workers:
                worker.handles.pop(handle.run_id, None)

    def close(self) -> None:
        """End all workers; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for worker in self._workers:
                worker.close()
            if self._nursery is not None:
                self._nursery.close()
        for process in self._processes:
            # Workers leave by themselves; the nursery may still be importing.
            process.terminate()
            try:
                process.wait(CLOSE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        atexit.unregister(self.close)

    def worker_ended(self, worker: _Worker) -> None:
        """Called by a worker's thread: give its unfinished runs to another."""
        with self._lock:
            if worker in self._workers:
                self._workers.remove(worker)
            if self._closed:
                return
            for handle in worker.handles.values():
                if handle.ended or handle.end_if_stopping():
                    continue
                order = handle.order_again()
                if order is None:
                    handle.fail(
                        "the training process ended again and again, perhaps for want of "
                        "memory; the run is over"
                    )
                else:
                    self._assign(handle, order)

    def _new_worker(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            if _CAN_FORK:
                self._send_to_nursery(theirs)
            else:
                self._processes.append(_spawn("worker", theirs))
        worker = _Worker(self, Connection(ours.detach()))
        self._workers.append(worker)
        return worker

    def _send_to_nursery(self, theirs: socket.socket) -> None:
        if self._nursery is not None:
            try:
                socket.send_fds(self._nursery, [b"w"], [theirs.fileno()])
                return
            except OSError:
                # The nursery itself has died: make a new one.
                self._nursery.close()
        self._nursery, end = socket.socketpair()
        with end:
            self._processes.append(_spawn("nursery", end))
        socket.send_fds(self._nursery, [b"w"], [theirs.fileno()])


def _load(worker: _Worker) -> int:
    return sum(not handle.ended for handle in list(worker.handles.values()))


def _spawn(role: str, end: socket.socket) -> subprocess.Popen[bytes]:
    """A new interpreter that never imports the caller's main module."""
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in _ONE_THREAD}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-c", _BOOT, role, str(end.fileno())],
        pass_fds=[end.fileno()],
        stdin=subprocess.DEVNULL,
        env=environment,
    )


_shared: tuple[int, Runner] | None = None
_shared_lock = threading.Lock()


def shared_runner(n_workers: int | None = None) -> Runner:
    """The runner of this process, made at the first call (and anew after a fork)."""
    global _shared  # noqa: PLW0603 - one pool per process is the point
    with _shared_lock:
        if _shared is None or _shared[0] != os.getpid():
            _shared = os.getpid(), Runner(n_workers)
        return _shared[1]
