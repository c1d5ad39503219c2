"""Training steps on a GPU: KAN Studio, pykan and efficient-kan on the same one."""

from __future__ import annotations

import gc
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.efficient_kan import EfficientKAN
from benchmarks.timing import silence
from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network
from kanstudio.training import Dataset, SeedTraining, TrainingRun, TrainingSettings

HEADING = "# Training on a GPU"
NOT_MEASURED = f"""{HEADING}

Ready to run and not yet measured: no machine with a CUDA device was at hand.
`python -m benchmarks gpu --write` fills in this part.
"""
TEXT = """{heading}

All on one GPU in one process, in turn, round after round; medians in milliseconds of a step of
Adam, float32, cubic splines on 5 intervals. Made by `python -m benchmarks gpu --write`.

{device}.

{table}

- Each step includes the loss on test samples, as in pykan's `fit`: 1,024 with batches of
  1,024, else as many as there are to train on.
- KAN Studio's steps are {steps}; losses are read once in a chunk. The others run as their users
  run them: `fit` of pykan 0.2.8, and a loop of `torch.optim.Adam` that reads every loss.
- efficient-kan is re-made from its description (`benchmarks/efficient_kan.py`).
- 256 seeds: a step of all of them. KAN Studio takes it at once; the others would take one
  network after the other, so theirs is the time of one network times 256.
"""
Task = Callable[[], float]
"""Does some steps; how many. A step of one seed in 256 counts as 1/256."""


@dataclass(frozen=True)
class Case:
    """What is trained: n_seeds networks of a width on n samples, batch samples a step."""

    name: str
    width: tuple[int, ...]
    n_samples: int
    batch: int = -1
    n_seeds: int = 1

    @property
    def n_test(self) -> int:
        return self.n_samples if self.batch == -1 else self.batch


CASES = (
    Case("[784,64,10], batch 1,024", (784, 64, 10), 60_000, 1_024),
    Case("[64,64,64,1], 100,000 samples", (64, 64, 64, 1), 100_000),
    Case("256 seeds of [4,9,9,1], 1,000 samples", (4, 9, 9, 1), 1_000, n_seeds=256),
)


def measured(rounds: int) -> str:
    """The part of the page; as it stands there, if this machine has no CUDA device."""
    if not torch.cuda.is_available():
        print("There is no CUDA device here: the part about GPUs is not measured.")
        return _as_it_stands()
    notes = _Warnings()
    with notes:
        rows = [row(case, rounds, "cuda") for case in CASES]
    return TEXT.format(
        heading=HEADING, device=_machine(), table=table(rows),
        steps="one recorded CUDA graph, played again and again"
        if not notes.seen
        else f"not recorded ({notes.seen[0]})",
    )  # fmt: skip


def _as_it_stands() -> str:
    page = Path(__file__).with_name("RESULTS.md").read_text(encoding="utf-8")
    if HEADING not in page:
        return NOT_MEASURED
    start = page.index(HEADING)
    end = page.find("\n# ", start)
    return page[start : None if end < 0 else end]


def _machine() -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}; {torch.cuda.get_device_name()}, torch {torch.__version__}, "
        f"CUDA {torch.version.cuda}"
    )


class _Warnings(logging.Handler):
    """What the training says, such as that a step cannot be captured."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())

    def __enter__(self) -> None:
        logging.getLogger("kanstudio").addHandler(self)

    def __exit__(self, *error: object) -> None:
        logging.getLogger("kanstudio").removeHandler(self)


@dataclass(frozen=True)
class Row:
    """A case: milliseconds a step of each library, and how many times KAN Studio is faster.

    None where memory ran out.
    """

    name: str
    milliseconds: tuple[float | None, ...]
    ratios: tuple[float | None, ...]


def row(case: Case, rounds: int, device: str) -> Row:
    """The libraries in turn, round after round."""
    data = samples(case)
    tasks = [_made(make, case, data, device) for make in (ours, pykan, efficient)]
    found: list[list[float | None]] = []
    for _ in range(rounds):
        found.append([None if task is None else _time(task, device) for task in tasks])
    times = [_median(column) for column in zip(*found, strict=True)]
    ratios = [
        _median([_quotient(values[index], values[0]) for values in found])
        for index in range(1, len(tasks))
    ]
    return Row(case.name, tuple(t and 1e3 * t for t in times), tuple(ratios))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if len(known) == len(values) else None


def _quotient(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a / b


def _made(
    make: Callable[[Case, Dataset, str], Task], case: Case, data: Dataset, device: str
) -> Task | None:
    """The task, after its first steps; None if memory ran out."""
    try:
        task = make(case, data, device)
        task()
    except torch.OutOfMemoryError:
        return None
    return task


def _time(task: Task, device: str) -> float | None:
    """Seconds a step; None if memory ran out."""
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    try:
        count = task()
    except torch.OutOfMemoryError:
        return None
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count


def samples(case: Case) -> Dataset:
    """Of a smooth function; as many outputs as the width ends with."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (case.n_samples + case.n_test, case.width[0]))
    y = np.sin(x.mean(axis=1, keepdims=True) * np.arange(1, case.width[-1] + 1))
    n = case.n_samples
    return Dataset(x[:n], y[:n], x[n:], y[n:])


def ours(case: Case, data: Dataset, device: str) -> Task:
    settings = TrainingSettings(
        device=device, dtype="float32", steps=10_000_000, update_grid=False, batch=case.batch,
        learning_rate=1e-3,
    )  # fmt: skip
    networks = [
        random_spline_network(empty_network(list(case.width), grid=5, seed=seed))
        for seed in range(case.n_seeds)
    ]
    if case.n_seeds > 1:
        together = SeedTraining(networks, data, settings, backend="chunked")
        return lambda: max(map(len, next(together)))
    run = TrainingRun(networks[0], data, settings, backend="chunked")

    def chunk() -> int:
        """To the end of a chunk: its time is that of all its steps."""
        n = 1
        run.step()
        while not run.settled:
            run.step()
            n += 1
        return n

    return chunk


def _tensors(data: Dataset, device: str) -> list[torch.Tensor]:
    arrays = (data.train_x, data.train_y, data.test_x, data.test_y)
    return [torch.tensor(values, dtype=torch.float32, device=device) for values in arrays]


def pykan(case: Case, data: Dataset, device: str) -> Task:
    from kan import KAN

    names = ("train_input", "train_label", "test_input", "test_label")
    dataset = dict(zip(names, _tensors(data, device), strict=True))
    with silence():
        model: Any = KAN(
            width=list(case.width), grid=5, k=3, seed=0, auto_save=False, device=device
        )

    def steps() -> float:
        with silence():
            model.fit(dataset, opt="Adam", lr=1e-3, steps=4, update_grid=False, batch=case.batch)
        return 4 / case.n_seeds

    return steps


def efficient(case: Case, data: Dataset, device: str) -> Task:
    train_x, train_y, test_x, test_y = _tensors(data, device)
    model = EfficientKAN(list(case.width)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)

    def step() -> None:
        x, y = train_x, train_y
        if case.batch != -1:
            rows = torch.tensor(rng.choice(len(x), case.batch, replace=False), device=device)
            x, y = x[rows], y[rows]
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            test = (model(test_x) - test_y).square().mean()
        assert np.isfinite([loss.item(), test.item()]).all()

    def steps() -> float:
        for _ in range(8):
            step()
        return 8 / case.n_seeds

    return steps


def table(rows: Sequence[Row]) -> str:
    """Markdown, ratios first."""
    lines = [
        "| one step | times pykan | times efficient-kan | KAN Studio, ms | pykan, ms "
        "| efficient-kan, ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for item in rows:
        ratios = ["" if ratio is None else f"**{ratio:.3g}**" for ratio in item.ratios]
        times = ["out of memory" if v is None else f"{v:.3g}" for v in item.milliseconds]
        lines.append(f"| {' | '.join([item.name, *ratios, *times])} |")
    return "\n".join(lines)
