"""A wide network, [784,64,10], against pykan and efficient-kan."""

from __future__ import annotations

import torch

from benchmarks.efficient_kan import EfficientKAN
from benchmarks.shapes import IN_BOTH, Pair
from benchmarks.timing import Row, compare, dated, table
from kanstudio.training import TrainingRun, TrainingSettings
from kanstudio.training.settings import Dtype

TEXT = """# A wide network: [784,64,10], 1,024 samples

One Adam step with the loss on as many test samples, measured like the speed above; 508,160
parameters. Made by `python -m benchmarks wide --write`.

{dated}

{pykan}

{efficient}

- efficient-kan is not on PyPI by itself: it is re-made from its description as a measuring stick
  (`benchmarks/efficient_kan.py`), in torch.
- Both of them compute in float32, KAN Studio in float64 where nothing else is said.
- "New samples in each step": a batch of 1,024 of 4,096, whose B-splines are not known yet.
"""

WIDTH = [784, 64, 10]
BATCH = 1_024


def measured(rounds: int) -> str:
    """The part of the page."""
    pair, rounds = Pair(WIDTH, n_samples=BATCH), max(rounds // 3, 2)
    same, new = "the same samples in each step", "new samples in each step"
    pairs = {same: pair, new: Pair(WIDTH, n_samples=4 * BATCH)}
    efficient = [
        efficient_row(name + note, samples, rounds, dtype)
        for name, samples in pairs.items()
        for dtype, note in IN_BOTH
    ]
    pykan = [pair.adam_row(same + note, rounds, 4, 1, dtype=dtype) for dtype, note in IN_BOTH]
    return TEXT.format(
        dated=dated(), pykan=table(pykan), efficient=table(efficient, "efficient-kan")
    )


def efficient_row(name: str, pair: Pair, rounds: int, dtype: Dtype) -> Row:
    """Against efficient-kan; dtype: of ours."""
    settings = TrainingSettings(
        optimizer="Adam", learning_rate=1e-3, steps=10_000_000, update_grid=False, batch=BATCH,
        dtype=dtype,
    )  # fmt: skip
    run = TrainingRun(pair.ours, pair.dataset, settings)
    model = EfficientKAN(WIDTH)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y, test_x, test_y = (
        pair.their_dataset[name]
        for name in ("train_input", "train_label", "test_input", "test_label")
    )

    def theirs() -> None:
        rows = torch.randperm(len(x))[:BATCH] if len(x) > BATCH else slice(None)
        optimizer.zero_grad()
        torch.mean((model(x[rows]) - y[rows]) ** 2).backward()
        optimizer.step()
        with torch.no_grad():
            torch.mean((model(test_x) - test_y) ** 2).item()

    def ours() -> None:
        for _ in range(4):
            run.step()

    return compare(name, ours, theirs, rounds=rounds, ours_count=4)
