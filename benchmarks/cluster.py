"""What it costs a Dask worker to tell of a run while it trains."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.shapes import samples
from benchmarks.timing import dated
from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network
from kanstudio.sweep import Cluster, ClusterRunner
from kanstudio.training import TrainingSettings
from kanstudio.training.worker import REPORT_EVERY_S, Hosted

TEXT = """# Live progress from a cluster

A [2,5,1] of 1,000 samples trains by Adam on a Dask worker of this machine: half a second with
{rate:.0f} visits a second, half a second with none, and so on. A visit brings the records of all
steps and a snapshot of the network, and once a second a checkpoint. CPU time is that of the
worker's whole process. Made by `python -m benchmarks cluster --write`.

{dated}
The load average was {load:.0f}: where cores are short, the owner of the run, who unpacks what
comes, competes with the worker, and both come back to cold caches.

| a step | without visits, us | visits add | middle half of {n} comparisons |
|---|---:|---:|---|
{rows}
"""

SEGMENT_S = 0.5


class Cost(NamedTuple):
    """Seconds of CPU and of the clock for a step; or moments, with the steps until then."""

    steps: int
    cpu_s: float
    wall_s: float


class Visitor(ClusterRunner):
    """Goes to its runs, or does not."""

    goes = True

    async def _look(self) -> None:
        if self.goes:
            await super()._look()


def measured(rounds: int) -> str:
    """The part of the page."""
    network = random_spline_network(empty_network([2, 5, 1], grid=5))
    settings = TrainingSettings(optimizer="Adam", steps=10_000_000, update_grid=False)
    with Cluster(n_workers=1) as cluster:
        visitor = Visitor(cluster)
        run = visitor.start(network, samples(2, 1, 1_000), settings)
        while run.n_steps < 2_000:
            time.sleep(0.1)
        found = []
        for _ in range(4 * rounds):
            for visitor.goes in (False, True):
                found.append(_segment(cluster, run.poll))
        run.close()
    return _page(found[::2], found[1::2])


def _segment(cluster: Cluster, poll: Callable[[], object]) -> Cost:
    """What a step costs in the next half of a second."""
    time.sleep(2 * REPORT_EVERY_S)  # A visit may be on its way.
    begun = _mark(cluster)
    end = time.monotonic() + SEGMENT_S
    while time.monotonic() < end:
        time.sleep(REPORT_EVERY_S)
        poll()
    steps, cpu_s, wall_s = (b - a for a, b in zip(begun, _mark(cluster), strict=True))
    return Cost(int(steps), cpu_s / steps, wall_s / steps)


def _mark(cluster: Cluster) -> Cost:
    async def ask() -> Cost:
        (found,) = (await (await cluster.client()).run(_now)).values()
        return found

    return cluster.submit(ask()).result()


def _now(dask_worker: Any) -> Cost:
    """A moment on the worker."""
    if not hasattr(dask_worker, "measured_run"):
        hosted = next(found for found in gc.get_objects() if type(found) is Hosted)
        dask_worker.measured_run = hosted.run
    return Cost(dask_worker.measured_run.n_steps, time.process_time(), time.monotonic())


def _page(without: list[Cost], with_them: list[Cost]) -> str:
    # Each is held against the one before it, and against the one after it.
    pairs = [*zip(without, with_them, strict=True), *zip(without[1:], with_them, strict=False)]
    rows = []
    for name, field in (("CPU time", "cpu_s"), ("by the clock", "wall_s")):
        base = statistics.median(getattr(cost, field) for cost in without)
        added = [getattr(b, field) / getattr(a, field) - 1 for a, b in pairs]
        low, middle, high = statistics.quantiles(added, n=4)
        rows.append(f"| {name} | {1e6 * base:.0f} | **{middle:.1%}** | {low:.1%} to {high:.1%} |")
    return TEXT.format(
        rate=1 / REPORT_EVERY_S, dated=dated(), load=os.getloadavg()[1], n=len(pairs),
        rows="\n".join(rows),
    )  # fmt: skip
