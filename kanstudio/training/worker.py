"""The process that trains: several runs take turns, a slice of time each.

A nursery process imports everything once and compiles the kernel; workers are forked from
it while it has one thread. Where fork is not safe, each worker is a process of its own.
Both end when the server's end of their socket closes, however the server ended.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, Literal

from kanstudio.errors import KanStudioError, TrainingError
from kanstudio.functions import UnknownFunctionError
from kanstudio.functions.shipping import take
from kanstudio.network.network import Network
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.data import Dataset
from kanstudio.training.progress import Progress, Records
from kanstudio.training.run import TrainingRun
from kanstudio.training.settings import TrainingSettings

RunState = Literal["running", "paused", "finished", "stopped", "error"]
Observer = Callable[..., Any]

SLICE_S = 0.02
REPORT_EVERY_S = 0.05
KEEP_EVERY_S = 1.0
NICENESS = 10


@dataclass(frozen=True)
class Start:
    """The order to start a run, or to go on from a checkpoint.

    functions: those of the network that users added, see ``functions.shipping``.
    """

    network: Network
    dataset: Dataset
    settings: TrainingSettings
    paused: bool = False
    checkpoint: Checkpoint | None = None
    observer: Observer | None = None
    arguments: tuple[Any, ...] = ()
    functions: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """What a run came to since the last update.

    network, observed and checkpoint are pickles, so that only the latest is ever unpacked;
    progress ends with the step that network shows. The checkpoint, larger than the
    network, comes more seldom.
    """

    state: RunState
    message: str = ""
    progress: Records = field(default_factory=Records)
    network: bytes | None = None
    observed: bytes | None = None
    checkpoint: bytes | None = None


@dataclass
class Hosted:
    """A run in a worker process and what its owner asked of it."""

    order: Start
    run: TrainingRun
    paused: bool
    due: int = 0
    sent_at: float = 0.0
    kept_at: float = 0.0
    told: RunState = "running"
    news: list[Progress] = field(default_factory=list)

    @property
    def state(self) -> RunState:
        if self.run.failed:
            return "error"
        if self.run.finished:
            return "finished"
        return "paused" if self.paused and not self.due else "running"

    @property
    def busy(self) -> bool:
        return self.state == "running"

    def work(self, until: float) -> None:
        """Steps until the time is up, at least one."""
        while self.busy:
            self.news.append(self.run.step())
            self.due = max(self.due - 1, 0)
            # Inside a chunk of steps on a device a snapshot would repeat some of them.
            if time.monotonic() >= until and self.run.settled:
                break

    def wants_to_report(self, now: float) -> bool:
        return self.state != self.told or (bool(self.news) and now - self.sent_at >= REPORT_EVERY_S)

    def update(self, now: float, *, keep: bool | None = None) -> Update:
        """Everything new; the snapshot only if there was a step.

        keep: with a checkpoint; None: if the last is a second old, or the run stands still.
        """
        self.sent_at, self.told = now, self.state
        progress, self.news = Records.of(self.news), []
        network, observed, kept, message = None, None, None, self.run.message
        if progress:
            snapshot = self.run.network()
            network, (observed, problem) = pickle.dumps(snapshot), self._observe(snapshot)
            message = message or problem
        if keep is None:
            keep = self.state != "running" or (
                bool(progress) and now - self.kept_at >= KEEP_EVERY_S
            )
        if keep:
            self.kept_at, kept = now, pickle.dumps(self.run.checkpoint())
        return Update(self.state, message, progress, network, observed, kept)

    def _observe(self, network: Network) -> tuple[bytes | None, str]:
        """What the observer makes of a snapshot, and what went wrong."""
        if self.order.observer is None:
            return None, ""
        try:
            return pickle.dumps(self.order.observer(network, *self.order.arguments)), ""
        except Exception as error:
            # A drawing that fails must not end the training.
            return None, f"cannot show this step: {error}"


def begin(order: Start) -> Hosted:
    """The run of an order. Raises TrainingError in words for its owner."""
    try:
        take(order.functions)
        if order.checkpoint is None:
            run = TrainingRun(order.network, order.dataset, order.settings)
        else:
            run = TrainingRun.resume(order.checkpoint, order.dataset)
    except UnknownFunctionError as error:
        raise TrainingError(f"{error}: add it with kanstudio.add_function, then train") from error
    except (KanStudioError, MemoryError) as error:
        raise TrainingError(str(error) or "out of memory") from error
    return Hosted(order, run, order.paused)


class Worker:
    """The loop of one worker process."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._sessions: dict[int, Hosted] = {}
        self._turn = 0

    def serve(self) -> None:
        """Until the server closes its end."""
        try:
            self._connection.send(("hello", os.getpid()))
            while True:
                self._obey()
                self._work()
        except (EOFError, OSError):
            return

    def _obey(self) -> None:
        """Take all orders; wait for one if there is nothing to do."""
        while self._connection.poll(None if not self._busy() else 0):
            verb, run_id, order = self._connection.recv()
            if verb == "start":
                self._start(run_id, order)
            elif run_id in self._sessions:
                self._change(verb, run_id)

    def _busy(self) -> list[int]:
        return [run_id for run_id, session in self._sessions.items() if session.busy]

    def _start(self, run_id: int, order: Start) -> None:
        try:
            self._sessions[run_id] = begin(order)
        except TrainingError as error:
            self._send(run_id, Update("error", str(error)))
            return
        self._report(run_id)

    def _change(self, verb: str, run_id: int) -> None:
        session = self._sessions[run_id]
        if verb == "step":
            session.due += 1
        elif verb in ("pause", "resume"):
            session.paused = verb == "pause"
            session.due = 0
        else:
            last = session.update(time.monotonic(), keep=True)
            self._send(run_id, replace(last, state="stopped"))
            del self._sessions[run_id]
            return
        self._report(run_id)

    def _work(self) -> None:
        """One slice for the next run in turn."""
        busy = self._busy()
        if not busy:
            return
        self._turn += 1
        run_id = busy[self._turn % len(busy)]
        session = self._sessions[run_id]
        try:
            session.work(time.monotonic() + SLICE_S)
        except (KanStudioError, MemoryError, RuntimeError) as error:
            # torch reports a full device memory as a RuntimeError.
            self._send(run_id, replace(
                session.update(time.monotonic()), state="error", message=str(error)
            ))  # fmt: skip
            del self._sessions[run_id]
            return
        self._report(run_id)

    def _report(self, run_id: int) -> None:
        session, now = self._sessions[run_id], time.monotonic()
        if session.wants_to_report(now):
            self._send(run_id, session.update(now))

    def _send(self, run_id: int, update: Update) -> None:
        self._connection.send(("update", run_id, update))


def work_on(descriptor: int) -> None:
    """Serve as a worker on a socket that this process was given."""
    Worker(Connection(descriptor)).serve()


def prepare() -> None:
    """What every worker needs before its first run: priority, threads, the kernel."""
    # Ctrl+C in the terminal is the server's to answer; workers follow its socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    import torch

    torch.set_num_threads(1)
    from kanstudio.training.kernel import warm_up

    warm_up()


def nursery(descriptor: int) -> None:
    """Fork a worker for every socket that arrives, until the server closes its end."""
    prepare()
    # Nobody waits for the workers: the system clears them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as control:
        while True:
            data, sockets, _, _ = socket.recv_fds(control, 1, 1)
            if not data:
                return
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                control.detach()
                os.close(descriptor)
                _leave_after(work_on, sockets[0])
            os.close(sockets[0])


def _leave_after(task: Callable[[int], None], descriptor: int) -> None:
    """Run a task and end this process without the clean-up of its parent."""
    code = 1
    try:
        task(descriptor)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(role: str, descriptor: str) -> None:
    """The entry of a new process: "nursery", or "worker" where fork is not safe."""
    if role == "nursery":
        nursery(int(descriptor))
    else:
        prepare()
        work_on(int(descriptor))
