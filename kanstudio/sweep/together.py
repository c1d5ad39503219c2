"""Runs side by side on one device of this machine, followed like runs on a cluster.

A small network leaves a GPU idle: many of them at once are hardly slower than one. So
points whose networks differ in their numbers only share each step's kernels.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence

from kanstudio.network.network import Network
from kanstudio.sweep.points import Point, shape_of
from kanstudio.training.batched import SHARED, Backend, SeedTraining
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.data import Dataset
from kanstudio.training.handle import RunStatus
from kanstudio.training.progress import Progress
from kanstudio.training.run import TrainingRun
from kanstudio.training.worker import RunState


def groups(points: Iterable[Point]) -> list[list[Point]]:
    """The points by what networks that are trained at once have in common, in their order."""
    found: dict[object, list[Point]] = {}
    for point in points:
        alike = tuple(getattr(point.settings, name) for name in SHARED)
        found.setdefault((shape_of(point), alike), []).append(point)
    return list(found.values())


class SeedRun:
    """One of the runs, with what its follower asks of a run on a cluster."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._news: list[Progress] = []
        self._stopped = False
        self.seconds = 0.0

    def feed(self, news: Sequence[Progress], seconds: float) -> None:
        """Take the records of a chunk, and the run's share of the time."""
        self._news += news
        self.seconds += seconds

    @property
    def state(self) -> RunState:
        if self._run.finished:
            return "error" if self._run.failed else "finished"
        return "stopped" if self._stopped else "running"

    @property
    def ended(self) -> bool:
        return self.state != "running"

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._stopped = True

    def checkpoint(self) -> Checkpoint:
        return self._run.checkpoint()

    def poll(self) -> RunStatus:
        """Everything since the last poll; the network only when the run is over."""
        # The record of a step that failed has no loss, and its number comes again.
        news = [p for p in self._news if not (self._run.failed and p.step > self._run.n_steps)]
        self._news = []
        network = self._run.network() if self.ended and self._run.n_steps else None
        return RunStatus(tuple(news), network, self.state, self._run.message)


def train_together(
    starts: Sequence[tuple[Network, Point, Checkpoint | None]],
    dataset: Dataset,
    backend: Backend = "auto",
) -> Generator[list[SeedRun]]:
    """The runs of a group; each time they are asked for they have got on by a chunk.

    Runs with a checkpoint go on from it. Raises TrainingError, also for what the device
    cannot do.
    """
    if any(at is not None for _, _, at in starts):
        points = [
            at or TrainingRun(network, dataset, point.settings, backend="shared").checkpoint()
            for network, point, at in starts
        ]
        training = SeedTraining.resume(points, dataset, backend=backend)
    else:
        networks = [network for network, _, _ in starts]
        settings = [point.settings for _, point, _ in starts]
        training = SeedTraining(networks, dataset, settings, backend=backend)
    runs = [SeedRun(run) for run in training.runs]
    yield runs
    begun = time.monotonic()
    for news in training:
        now = time.monotonic()
        moved = sum(map(bool, news))
        for run, new in zip(runs, news, strict=True):
            if new:
                run.feed(new, (now - begun) / moved)
        yield runs
        begun = time.monotonic()
