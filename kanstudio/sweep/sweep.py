"""A sweep: many runs on many workers, followed as one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from kanstudio.network.network import Network
from kanstudio.sweep.cluster import Cluster
from kanstudio.sweep.points import Over, Point, network_at, points_of, shape_of
from kanstudio.sweep.remote import ClusterRunner, RemoteRun
from kanstudio.sweep.result import Outcome, State, SweepResult, rank
from kanstudio.sweep.together import SeedRun, groups, train_together
from kanstudio.training.batched import Backend
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.checks import check_fit
from kanstudio.training.data import Dataset
from kanstudio.training.packing import packing
from kanstudio.training.progress import Progress
from kanstudio.training.sources import as_dataset

EVERY_S = 0.1
_OVER = ("finished", "error")
_BACKENDS: dict[bool, Backend] = {False: "auto", True: "chunked"}
STOP_S = 5.0
"""Runs that are stopped have so long to bring their last steps."""
KEPT = 100


class Record(NamedTuple):
    """A step of one of the runs."""

    point: Point
    progress: Progress


@dataclass
class _Running:
    point: Point
    start: Network
    handle: RemoteRun | SeedRun
    losses: list[Sequence[float]]
    seconds: float
    network: Network | None = None


class Sweep:
    """Trains a network for every point of a sweep; iterate, or call run.

    >>> study = Sweep(dataset, {"seed": range(5), "grid": [3, 5], "lamb": [0, 1e-3]},
    ...               width=[2, 5, 1], opt="LM", steps=50)
    >>> result = study.run()
    >>> print(result)                      # a table, the lowest test loss first
    >>> result.save("best.safetensors")

    dataset: anything that `KAN.fit` takes but a Stream. over: lists by name, of which all
    combinations are run, or a list of mappings, which are the points themselves. Names,
    swept over or fixed as keywords: one of width, formula and model to start from; inputs,
    mult_arity, grid, k, perturb and magnitude of the networks; seed, of networks,
    perturbation and minibatches; opt, lr, steps, lamb and every other training setting.

    scheduler: the address of a Dask scheduler; None trains in processes of this machine,
    ``workers`` of them, by default one less than there are cores. cluster: one that is
    there already, and stays. Where a worker dies its run goes on elsewhere from its last
    checkpoint. together: train networks of one shape at once on one device in this process,
    seeds as a batch dimension; None does so for GPUs if neither scheduler, workers nor
    cluster are given. The same points give the same numbers, bit for bit, on CPUs of one kind.

    Raises KanStudioError at once for what cannot be trained.
    """

    def __init__(
        self,
        dataset: object,
        over: Over,
        *,
        scheduler: str | None = None,
        workers: int | None = None,
        cluster: Cluster | None = None,
        together: bool | None = None,
        test_fraction: float = 0.2,
        **fixed: Any,
    ) -> None:
        self.points = points_of(over, fixed)
        first = network_at(self.points[0])
        names = first.input_names, first.output_names
        self.dataset: Dataset = as_dataset(dataset, *names, test_fraction=test_fraction)
        self._check()
        self._where = scheduler, workers
        self._cluster = cluster
        self._together = together
        self._cancelled = threading.Event()
        self._checkpoints: dict[int, Checkpoint] = {}
        self._outcomes = {point.index: Outcome(point, "waiting") for point in self.points}

    def _check(self) -> None:
        """Say what cannot be before any work: one network of each shape is made."""
        for point in {shape_of(point): point for point in self.points}.values():
            check_fit(network_at(point, self.dataset), self.dataset, point.settings)

    def cancel(self) -> None:
        """Stop all runs, from any thread; what they learned is in the result."""
        self._cancelled.set()

    def result(self) -> SweepResult:
        """The table as it stands; complete once the sweep is over."""
        return SweepResult(self._outcomes.values(), self.dataset)

    def run(self, *, bar: bool | None = None) -> SweepResult:
        """Train everything and give the table.

        bar: show a progress bar; None: on a terminal. After an interrupt, or if the
        scheduler goes away, which raises TrainingError, ``result`` has what was learned.
        """
        disable = None if bar is None else not bar
        bar_of = tqdm(total=len(self.points), unit=" runs", leave=False, disable=disable)
        with bar_of as shown, contextlib.closing(self._batches()) as batches:
            shown.set_description_str("starting workers")
            for records in batches:
                if records:
                    shown.set_description_str("")
                n_over = sum(o.state in _OVER for o in self._outcomes.values())
                if n_over > shown.n:
                    best = min(self._outcomes.values(), key=rank)
                    shown.set_postfix_str(f"best test {best.test_loss:.3e}: {best.point}", False)
                    shown.update(n_over - shown.n)
        return self.result()

    def __iter__(self) -> Iterator[Record]:
        """All steps of all runs, as they come; leaving the loop stops the runs.

        Runs that were stopped before go on from where they stood.
        """
        with contextlib.closing(self._batches()) as batches:
            for records in batches:
                yield from records

    def _batches(self) -> Generator[list[Record]]:
        self._cancelled.clear()
        yield from self._on_devices([point for point in self._open() if self._is_beside(point)])
        if self._open() and not self._cancelled.is_set():
            yield from self._on_workers()

    def _open(self) -> list[Point]:
        return [p for p in self.points if self._outcomes[p.index].state not in _OVER]

    def _is_beside(self, point: Point) -> bool:
        """The point is trained here, beside those of its shape."""
        if self._together is None:
            here = self._where == (None, None) and self._cluster is None
            return here and point.settings.device != "cpu"
        return self._together

    def _on_devices(self, points: list[Point]) -> Generator[list[Record]]:
        for group in groups(points):
            if self._cancelled.is_set():
                return
            starts = [
                (network_at(point, self.dataset), point, self._checkpoints.pop(point.index, None))
                for point in group
            ]
            training = train_together(starts, self.dataset, _BACKENDS[bool(self._together)])
            running = [
                self._running(point, network, at, handle)
                for (network, point, at), handle in zip(starts, next(training), strict=True)
            ]
            try:
                for _ in training:
                    yield self._follow(running)
                    if self._cancelled.is_set():
                        break
            finally:
                self._stop(running)

    def _on_workers(self) -> Generator[list[Record]]:
        with contextlib.ExitStack() as stack:
            cluster = self._cluster or stack.enter_context(Cluster(*self._where))
            cluster.connect()
            runner = ClusterRunner(cluster, every_s=EVERY_S)
            waiting = deque(self._open())
            running: list[_Running] = []
            try:
                while (waiting or running) and not self._cancelled.is_set():
                    # Every worker is busy, and one run waits for each.
                    while waiting and len(running) < 2 * runner.cluster.n_slots():
                        running.append(self._start(runner, waiting.popleft()))
                    yield self._follow(running)
                    time.sleep(EVERY_S / 2)
            finally:
                self._stop(running)

    def _start(self, runner: ClusterRunner, point: Point) -> _Running:
        network = network_at(point, self.dataset)
        at = self._checkpoints.pop(point.index, None)
        handle = runner.start(network, self.dataset, point.settings, checkpoint=at)
        return self._running(point, network, at, handle)

    def _running(
        self, point: Point, network: Network, at: Checkpoint | None, handle: RemoteRun | SeedRun
    ) -> _Running:
        known = self._outcomes[point.index]
        losses = [] if at is None else known.losses[: at.n_steps].tolist()
        return _Running(point, network, handle, losses, known.seconds)

    def _follow(self, running: list[_Running]) -> list[Record]:
        """The steps since the last look; runs that are over leave the list."""
        records = []
        for run in tuple(running):
            # Asked first: what comes before the end is then in the poll.
            over = run.handle.ended
            status = run.handle.poll()
            run.losses += [(p.train_loss, p.test_loss) for p in status.progress]
            run.network = status.network or run.network
            records += [Record(run.point, progress) for progress in status.progress]
            if over:
                running.remove(run)
                self._take(run, status.message)
        return records

    def _take(self, run: _Running, message: str) -> None:
        state = run.handle.state
        known: State = state if state in ("finished", "error") else "stopped"
        at = run.handle.checkpoint()
        if known == "stopped" and at is not None:
            self._checkpoints[run.point.index] = at
        losses = np.array(run.losses).reshape(-1, 2)
        train, test = self._final(run)
        network = run.network or run.start
        self._outcomes[run.point.index] = Outcome(
            run.point,
            known,
            message,
            train_loss=train,
            test_loss=test,
            seconds=run.seconds + run.handle.seconds,
            steps=len(losses),
            parameters=packing(network, affine_trainable=run.point.settings.affine_trainable).size,
            edges=network.n_edge,
            network=run.network,
            losses=losses,
        )
        self._forget()

    def _final(self, run: _Running) -> tuple[float, float]:
        """Losses of the network that the run gave: its best, if it was to stop early."""
        at = run.handle.checkpoint()
        index = -1
        if run.handle.state == "finished" and at is not None and at.best is not None:
            index = at.best.step - 1
        train, test = run.losses[index] if run.losses else (np.nan, np.nan)
        return train, test

    def _forget(self) -> None:
        """Keep the networks of the best runs only."""
        kept = sorted((o for o in self._outcomes.values() if o.network is not None), key=rank)
        for outcome in kept[KEPT:]:
            self._outcomes[outcome.point.index] = replace(outcome, network=None)

    def _stop(self, running: list[_Running]) -> None:
        for run in running:
            run.handle.stop()
        end = time.monotonic() + STOP_S
        while running and time.monotonic() < end:
            self._follow(running)
            time.sleep(EVERY_S / 2)
        for run in running:
            run.handle.close()
            self._take(run, "stopped")
