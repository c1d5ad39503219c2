"""Runs on a cluster, with the interface of the worker pool of one machine.

A run is one Dask task. Its owner here asks the task's worker how it stands, some times a
second, and keeps the latest checkpoint. When a worker dies, Dask gives the task to another,
and the next visit brings it the checkpoint to go on from.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Client, KilledWorker
from distributed import Future as Task

from kanstudio.errors import TrainingError
from kanstudio.network.network import Network
from kanstudio.sweep.cluster import Cluster
from kanstudio.sweep.host import Answer, Wish, host, parcel
from kanstudio.sweep.line import Line
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.checks import check_fit
from kanstudio.training.data import Dataset
from kanstudio.training.handle import RunHandle, checked
from kanstudio.training.settings import TrainingSettings
from kanstudio.training.worker import KEEP_EVERY_S, REPORT_EVERY_S, Start, Update

LOG = logging.getLogger("kanstudio.sweep")

KEEP_SHARE = 0.1
"""Checkpoints may take this share of the time of the line."""
IN_THE_GRAPH = 1 << 20
"""Orders of more bytes are sent beside the graph of tasks, not in it."""

PLACES_EVERY_S = 0.5
ABSENT_S = 2.0


class ClusterRunner:
    """Starts runs on a cluster; see ``training.runner.Runner`` for what its methods do.

    every_s: seconds from one visit to the next. share: let runs take turns where there are
    more of them than workers; else they wait for a place.
    """

    def __init__(
        self, cluster: Cluster, *, every_s: float = REPORT_EVERY_S, share: bool = False
    ) -> None:
        self.cluster = cluster
        self._every_s = every_s
        self._share = share
        self._line = Line()
        self._places: dict[str, Iterable[str]] = {}
        self._placed_at = -math.inf
        self._ids = itertools.count(1)
        self._runs: dict[int, RemoteRun] = {}
        self._data: WeakKeyDictionary[Dataset, tuple[Client, asyncio.Future[Task]]] = (
            WeakKeyDictionary()
        )
        self._asked: set[str] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._minding = False

    def devices(self) -> tuple[str, ...]:
        """The devices of the workers, as last heard."""
        self.cluster.look()
        return self.cluster.devices

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
    ) -> RemoteRun:
        """Start a run, or go on from a checkpoint of it; never waits for the cluster.

        Raises TrainingError at once if it cannot work on any machine.
        """
        check_fit(network, dataset, settings)
        order = checked(Start(network, dataset, settings, paused, checkpoint, observer, arguments))
        run = RemoteRun(self, next(self._ids), order)
        self.cluster.submit(self._take(run))
        return run

    def tell(self, handle: RunHandle, verb: str) -> None:
        """Note a wish; the next visit brings it."""
        assert isinstance(handle, RemoteRun)
        handle.note(verb)

    def drop(self, handle: RunHandle) -> None:
        assert isinstance(handle, RemoteRun)
        handle.note("stop")

    # All that follows happens on the cluster's thread.

    async def _take(self, run: RemoteRun) -> None:
        self._runs[run.run_id] = run
        if not self._minding:
            self._minding = True
            self._errand(self._mind(), self._runs.values())

    def _errand(self, work: Coroutine[Any, Any, None], runs: Iterable[RemoteRun]) -> None:
        """Do something beside; if it fails, the runs that it was for are over."""
        task = asyncio.get_running_loop().create_task(self._guard(work, runs))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _guard(self, work: Coroutine[Any, Any, None], runs: Iterable[RemoteRun]) -> None:
        try:
            await work
        except Exception as error:
            LOG.exception("runs on the cluster are given up")
            self._fail(runs, f"the run cannot go on on this cluster: {error}")

    async def _mind(self) -> None:
        """Look after the runs until there are none."""
        try:
            while self._runs:
                await self._look()
                await asyncio.sleep(self._every_s)
        finally:
            self._minding = False

    async def _look(self) -> None:
        try:
            client = await self.cluster.client()
        except TrainingError as error:
            kept = "; what was learned before is kept"
            self._fail(self._runs.values(), f"{error}{kept}")
            return
        if client.status != "running":
            return  # It tries to connect again, and closes if it cannot.
        try:
            places = await self._where(client)
        except OSError:
            return
        for run in list(self._runs.values()):
            if run.leaving:
                continue
            if run.task is None:
                self._place(client, run, there_are_workers=bool(places))
            elif run.task.status != "pending":
                run.leaving = True
                self._errand(self._settle(client, run), [run])
        by_key = {run.key: run for run in self._runs.values() if run.task is not None}
        placed = {place: [by_key[key] for key in keys if key in by_key]
                  for place, keys in places.items()}  # fmt: skip
        for place, runs in placed.items():
            if runs and place not in self._asked:
                self._errand(self._visit(client, place, runs), runs)
        there = {run.run_id for runs in placed.values() for run in runs}
        for run in by_key.values():
            run.is_placed(run.run_id in there)
            if run.may_be_given_up and not run.leaving:
                await self._give_up(client, run)

    async def _where(self, client: Client) -> dict[str, Iterable[str]]:
        """Which tasks each worker has, as of some visits ago if all runs are among them."""
        placed = {key for keys in self._places.values() for key in keys}
        missing = any(run.task is not None and run.key not in placed for run in self._runs.values())
        if missing or time.monotonic() - self._placed_at >= PLACES_EVERY_S:
            self._places, self._placed_at = await client.processing(), time.monotonic()
        return self._places

    def _place(self, client: Client, run: RemoteRun, *, there_are_workers: bool) -> None:
        if run.stopping:
            self._end(run, Update("stopped"))
        elif there_are_workers:
            run.leaving = True
            self._errand(self._send(client, run), [run])
        else:
            words = f"waiting for a worker at {self.cluster.address or 'this machine'}"
            run.take(Update(run.state, words))

    async def _send(self, client: Client, run: RemoteRun) -> None:
        """Make a task of a run."""
        try:
            content: Any = parcel(run.order)
            if len(content) > IN_THE_GRAPH:
                content = await client.scatter(content, hash=False)
            data = await self._scattered(client, run.order.dataset)
            run.task = client.submit(
                host, content, data, run.key, self._share, key=run.key, pure=False
            )
        except OSError as error:
            self._fail([run], f"the samples did not reach a worker: {error or 'none is there'}")
        finally:
            run.leaving = False

    async def _scattered(self, client: Client, dataset: Dataset) -> Task:
        """The samples on the workers: sent once for all runs that use them."""
        known = self._data.get(dataset)
        if known is None or known[0] is not client or _is_useless(known[1]):
            sending = asyncio.ensure_future(client.scatter(dataset, broadcast=True, hash=False))
            self._data[dataset] = known = client, sending
        return await known[1]

    async def _visit(self, client: Client, place: str, runs: list[RemoteRun]) -> None:
        """Ask a worker for its runs; no other has to wait if it does not answer."""
        self._asked.add(place)
        begun = time.monotonic()
        try:
            wishes = {run.key: run.wish(begun) for run in runs}
            answers = await self._line.exchange(client, place, wishes)
        except OSError:
            self._placed_at = -math.inf
            return  # Dask will notice if the worker is gone.
        finally:
            self._asked.discard(place)
        spent = time.monotonic() - begun
        for run in runs:
            answer = answers[run.key]
            if answer is not None:
                run.hear(answer, place, spent)
            elif run.may_be_given_up and not run.leaving:
                await self._give_up(client, run)

    async def _dismiss(self, client: Client, place: str, key: str) -> None:
        """After a break in the line a worker may still be at what nobody waits for."""
        with contextlib.suppress(OSError):
            await self._line.exchange(client, place, {key: Wish(stop=True)})

    async def _give_up(self, client: Client, run: RemoteRun) -> None:
        """Stop a run that waits for a place."""
        await client.cancel([run.task])
        self._end(run, Update("stopped"))

    async def _settle(self, client: Client, run: RemoteRun) -> None:
        """A task is over: its result, or what to do without one."""
        task = run.task
        assert task is not None
        try:
            if task.status == "finished":
                answer: Answer = await client.gather(task)
                run.hear(answer, run.worker, 0.0)
                self._end(run)
                return
            error = await task.exception() if task.status == "error" else None
        except (OSError, asyncio.CancelledError, KeyError):
            error = None
        finally:
            run.leaving = False
        killed = isinstance(error, KilledWorker)
        place, key = run.worker, run.key
        if error is not None and not killed:
            self._fail([run], f"the run failed on its worker: {error}")
        elif run.stopping:
            self._end(run, Update("stopped"))
        # Dask itself has tried some times before it says so.
        elif (killed and not run.has_moved) or not run.again():
            self._fail([run], "its workers ended again and again; the run is over")
        elif place:
            self._errand(self._dismiss(client, place, key), [])

    def _fail(self, runs: Iterable[RemoteRun], message: str) -> None:
        for run in list(runs):
            self._end(run, Update("error", message))

    def _end(self, run: RemoteRun, update: Update | None = None) -> None:
        if update is not None:
            run.take(update)
        self._runs.pop(run.run_id, None)
        run.task = None


def _is_useless(sending: asyncio.Future[Task]) -> bool:
    if not sending.done():
        return False
    failed = sending.cancelled() or sending.exception() is not None
    return failed or sending.result().status != "finished"


class RemoteRun(RunHandle):
    """One run on a cluster, as its owner sees it."""

    def __init__(self, runner: ClusterRunner, run_id: int, order: Start) -> None:
        super().__init__(runner, run_id, order)
        self.order = order
        self.task: Task | None = None
        self.leaving = False
        self.worker = ""
        self._name = f"kanstudio-run-{id(runner):x}-{run_id}-{time.time_ns():x}"
        self._attempt = self._from = 0
        self._host = self._keeper = ""
        self._began = 0
        self._steps = self._done = 0
        self._stop = False
        self._placed_at = time.monotonic()
        self._kept, self._kept_at, self._keep_every_s = -1, 0.0, KEEP_EVERY_S
        self._seconds = self._seconds_before = 0.0

    @property
    def key(self) -> str:
        """The name of its task."""
        return f"{self._name}-{self._attempt}"

    @property
    def seconds(self) -> float:
        """Time that workers spent on its steps, lost ones included."""
        return self._seconds_before + self._seconds

    @property
    def has_moved(self) -> bool:
        """This attempt has come to a new step."""
        return self.n_steps > self._from

    @property
    def stopping(self) -> bool:
        return self._stop

    @property
    def may_be_given_up(self) -> bool:
        """It shall stop, and no worker is at it, nor on the way back with a result."""
        waits = time.monotonic() - self._placed_at > ABSENT_S
        return self._stop and (waits or not self._host)

    def is_placed(self, somewhere: bool) -> None:
        """Note whether the task is with a worker."""
        if somewhere:
            self._placed_at = time.monotonic()

    def note(self, verb: str) -> None:
        """Keep a wish: pause, resume, step or stop."""
        if verb == "step":
            self._steps += 1
        elif verb == "stop":
            self._stop = True

    def wish(self, now: float) -> Wish:
        """What to say on the next visit."""
        seen = self.n_steps
        due = self._paused or now - self._kept_at >= self._keep_every_s
        return Wish(
            seen, self._paused, self._steps, self._done, self._stop,
            keep=due and seen > self._kept,
            checkpoint=self._checkpoint if self._is_behind else None,
        )  # fmt: skip

    @property
    def _is_behind(self) -> bool:
        """The host began before the checkpoint that one before it has made."""
        return self._host not in ("", self._keeper) and self._began < self._kept

    def hear(self, answer: Answer, place: str, spent_s: float) -> None:
        """Take what a visit brought."""
        if answer.host != self._host:
            self._seconds_before, self._host = self.seconds, answer.host
        self.worker, self._began, self._seconds = place, answer.began, answer.seconds
        update = answer.update
        if self._is_behind and update.state in ("running", "paused"):
            return
        if update.checkpoint is not None and answer.kept > self._kept:
            self._kept, self._kept_at, self._keeper = answer.kept, time.monotonic(), answer.host
            self._keep_every_s = max(KEEP_EVERY_S, spent_s / KEEP_SHARE)
        self._done = max(self._done, answer.done)
        self.take(update)

    def again(self) -> bool:
        """Make another attempt from the last checkpoint; False after too many."""
        order = self.order_again()
        if order is None:
            return False
        self.order, self.task, self._attempt = order, None, self._attempt + 1
        self._from = self.n_steps
        return True
