"""Fair timing on a machine that others use as well: interleaved, medians, ratios."""

from __future__ import annotations

import contextlib
import datetime
import gc
import io
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Task = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of a table: medians in milliseconds, and the median of the ratios."""

    name: str
    ours_ms: float
    theirs_ms: float
    ratio: float
    rounds: int


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """pykan prints its news."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def compare(
    name: str,
    ours: Task,
    theirs: Task,
    *,
    rounds: int,
    ours_count: int = 1,
    theirs_count: int = 1,
    before: Task = lambda: None,
) -> Row:
    """Time both in turn, round after round; ``*_count`` units of work a call.

    Interference from other work hits both alike, and the median of the rounds' ratios
    forgets the rounds that it hit. before: what each round begins with, not timed.
    """
    pairs: list[tuple[float, float]] = []
    with silence():
        for _ in range(rounds + 1):
            before()
            pairs.append((cpu_seconds(ours) / ours_count, cpu_seconds(theirs) / theirs_count))
    # The first round is for what is compiled or loaded at its first use.
    return row_of(name, pairs[1:])


def row_of(name: str, pairs: list[tuple[float, float]]) -> Row:
    """A row of the seconds (ours, theirs) of every round."""
    return Row(
        name,
        1e3 * statistics.median(a for a, _ in pairs),
        1e3 * statistics.median(b for _, b in pairs),
        statistics.median(b / a for a, b in pairs),
        len(pairs),
    )


def cpu_seconds(task: Task) -> float:
    """CPU time of this process: with one thread, wall time without the waits for a core."""
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        task()
        return time.process_time() - start
    finally:
        gc.enable()


def dated() -> str:
    """When and where: a line under a heading."""
    return f"{datetime.date.today().isoformat()}; {machine()}."


def machine() -> str:
    """Processor, cores and versions in one line."""
    import numba
    import torch

    return (
        f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__} with 1 thread, numba {numba.__version__}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(rows: list[Row], theirs: str = "pykan") -> str:
    """Markdown, ratios first."""
    lines = [
        f"| what | times faster | KAN Studio, ms | {theirs}, ms |",
        "|---|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | **{row.ratio:.3g}** | {figure(row.ours_ms)} "
            f"| {figure(row.theirs_ms)} |"
        )
    return "\n".join(lines)


def figure(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
