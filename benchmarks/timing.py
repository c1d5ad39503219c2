"""Fair timing on a machine that others use as well: interleaved, medians, ratios."""

from __future__ import annotations

import contextlib
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
    name: str, ours: Task, theirs: Task, *, rounds: int, ours_count: int = 1, theirs_count: int = 1
) -> Row:
    """Time both in turn, round after round; ``*_count`` units of work a call.

    Interference from other work hits both alike, and the median of the rounds' ratios
    forgets the rounds that it hit.
    """
    pairs: list[tuple[float, float]] = []
    with silence():
        ours()
        theirs()
        for _ in range(rounds):
            pairs.append((_time(ours) / ours_count, _time(theirs) / theirs_count))
    return Row(
        name,
        1e3 * statistics.median(a for a, _ in pairs),
        1e3 * statistics.median(b for _, b in pairs),
        statistics.median(b / a for a, b in pairs),
        rounds,
    )


def _time(task: Task) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        task()
        return time.perf_counter() - start
    finally:
        gc.enable()


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


def table(rows: list[Row]) -> str:
    """Markdown, ratios first."""
    lines = [
        "| what | times faster | KAN Studio, ms | pykan, ms |",
        "|---|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | **{row.ratio:.3g}** | {_figure(row.ours_ms)} "
            f"| {_figure(row.theirs_ms)} |"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
