"""How the cost of a step grows with samples, width, depth and grid."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.shapes import IN_BOTH, Pair
from benchmarks.timing import Row, compare, cpu_seconds, dated, figure, silence
from kanstudio.training import TrainingRun, TrainingSettings
from kanstudio.training.settings import Dtype

TEXT = """# How cost grows

One Adam step with the loss on as many test samples, in milliseconds of one core; [2,5,1],
grid 5 and 1,000 samples where nothing else is said. KAN Studio computes in float64 and, in the
last two columns, in float32, pykan in float32. Made by `python -m benchmarks scaling --write`.

{dated}

{tables}

- pykan is left out where a step of it would hold a tensor (sample, out, in) of more than
  {limit:,} numbers.
"""

LIMIT = 20_000_000
"""Beyond so many numbers in its largest tensor (with the basis) pykan is not asked."""

Case = tuple[str, list[int], int, int]
"""What it is called, width, grid, samples."""


def cases() -> dict[str, list[Case]]:
    """What grows, and the networks."""
    return {
        "samples": [(f"{n:,}", [2, 5, 1], 5, n) for n in (1_000, 10_000, 100_000, 1_000_000)],
        "width: [n,n,1]": [(f"{n:,}", [n, n, 1], 5, 1_000) for n in (5, 16, 64, 256, 512)],
        "depth: layers of 5": [
            (f"{n:,}", [2, *[5] * (n - 1), 1], 5, 1_000) for n in (2, 4, 8, 16, 32)
        ],
        "grid": [(f"{n:,}", [2, 5, 1], n, 1_000) for n in (5, 20, 50, 100, 200, 500)],
    }


def measured(rounds: int) -> str:
    """The part of the page."""
    rounds = max(rounds // 3, 2)
    tables = [
        "\n".join(
            [
                f"| {what} | KAN Studio, ms | ns for an edge and a sample "
                "| times faster than pykan | in float32, ms | times faster than pykan |",
                "|---|---:|---:|---:|---:|---:|",
                *(_line(case, rounds) for case in rows),
            ]
        )
        for what, rows in cases().items()
    ]
    return TEXT.format(dated=dated(), tables="\n\n".join(tables), limit=LIMIT)


def _line(case: Case, rounds: int) -> str:
    name, width, grid, n_samples = case
    n_edges = sum(a * b for a, b in pairwise(width))
    largest = max(a * b for a, b in pairwise(width)) * n_samples
    with_pykan = largest <= LIMIT
    pair = Pair(width, grid, n_samples=n_samples)
    double, single = (_row(name, pair, dtype, with_pykan, rounds) for dtype, _ in IN_BOTH)
    each = 1e6 * double.ours_ms / (n_edges * n_samples)
    ratios = [f"**{row.ratio:.3g}**" if with_pykan else "" for row in (double, single)]
    return (
        f"| {name} | {figure(double.ours_ms)} | {each:.3g} | {ratios[0]} "
        f"| {figure(single.ours_ms)} | {ratios[1]} |"
    )


def _row(name: str, pair: Pair, dtype: Dtype, with_pykan: bool, rounds: int) -> Row:
    """One Adam step; dtype: of ours."""
    settings = TrainingSettings(
        optimizer="Adam", learning_rate=1e-4, steps=10_000_000, update_grid=False, dtype=dtype
    )
    run = TrainingRun(pair.ours, pair.dataset, settings)
    n_steps = max(int(0.05 / max(cpu_seconds(run.step), 1e-5)), 1)
    pair.theirs.save_act = False

    def ours() -> None:
        for _ in range(n_steps):
            run.step()

    def theirs() -> None:
        if with_pykan:
            pair.theirs.fit(
                pair.their_dataset, opt="Adam", lr=1e-4, steps=2, update_grid=False
            )  # fmt: skip

    with silence():
        return compare(name, ours, theirs, rounds=rounds, ours_count=n_steps, theirs_count=2)
