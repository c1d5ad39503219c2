"""Figures that are known of pykan, made again: a compiled law, and networks that learn laws.

    python examples/reference_figures.py [--write]

prints the table, and with --write puts it beside this file. Random starts differ from
pykan's, and some of them end in poor minima: where the text says so, the best of several
seeds counts, by the loss on samples that training did not see.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import kanstudio
from kanstudio import KAN

TABLE = Path(__file__).with_suffix(".md")
SEEDS = range(12)
Samples = dict[str, Tensor]


class Row(NamedTuple):
    """One figure: pykan's as text, ours as text and as a number."""

    what: str
    theirs: str
    ours: str
    value: float


def row(what: str, theirs: str, value: float, note: str = "") -> Row:
    return Row(what, theirs, f"{value:.1e}{note}", value)


def shape(model: KAN) -> str:
    """The width as pykan writes it: [2, [5, 2], 1]."""
    return str([[a, m] if m else a for a, m in model.width])


# --- a compiled law ----------------------------------------------------------------------


def feynman_36() -> list[Row]:
    """The relativistic Doppler shift, compiled as pykan's tree: exact to the last digit."""
    variables, expression, _, ranges = kanstudio.get_feynman_dataset(36)
    names = [str(variable) for variable in variables]
    x = np.random.default_rng(0).uniform(*np.array(ranges, dtype=float).T, (1000, 3))
    omega, v, c = x.T
    y = omega * (1 + v / c) / np.sqrt(1 - (v / c) ** 2)
    rows = []
    for dtype, theirs in ((torch.float64, "7e-33"), (torch.float32, "1.5e-15")):
        model = kanstudio.compile(expression, names, strategy="tree", dtype=dtype)
        error = model(torch.tensor(x)).detach().numpy()[:, 0] - y
        name = str(dtype).removeprefix("torch.")
        rows.append(row(f"{name}: mean squared error", theirs, float(np.mean(error**2))))
    assert shape(model) == "[3, [1, 2], [0, 1]]"
    return rows


# --- networks that learn -----------------------------------------------------------------


def samples(law: Callable[[Tensor], Tensor], n_inputs: int, n_samples: int) -> Samples:
    return kanstudio.create_dataset(law, n_inputs, train_num=n_samples, test_num=1000)


def rmse(model: KAN, data: Samples) -> float:
    """On the test samples; the model then remembers the training samples."""
    error = model(data["test_input"]) - data["test_label"]
    model(data["train_input"])
    return float(error.square().mean().sqrt().detach())


def hellokan() -> list[Row]:
    """50 L-BFGS steps a stage, as in pykan's first tutorial, from the sparsest of three starts."""
    data = samples(lambda x: torch.exp(torch.sin(torch.pi * x[:, :1]) + x[:, 1:] ** 2), 2, 1000)
    rows, model = min((_pruned(data, seed) for seed in range(3)), key=lambda found: found[1].n_edge)
    model.refine(10)
    model.fit(data, opt="LBFGS", steps=50)
    rows.append(row("refined to 10 intervals", "4.7e-4", rmse(model, data)))
    model.auto_symbolic()
    model.fit(data, opt="LBFGS", steps=50)
    last = rmse(model, data)
    return [*rows, row("symbolic", "1e-11", last, f": `{model.symbolic_formula()}`")]


def _pruned(data: Samples, seed: int) -> tuple[list[Row], KAN]:
    model = KAN([2, 5, 1], grid=3, k=3, seed=seed)
    model.fit(data, opt="LBFGS", steps=50, lamb=0.001)
    rows = [row("[2, 5, 1], lamb 0.001: test RMSE", "1.8e-2", rmse(model, data))]
    model = model.prune()
    model.fit(data, opt="LBFGS", steps=50)
    return [*rows, row(f"pruned to {shape(model)}", "1.7e-2", rmse(model, data))], model


def deep_law(x: Tensor) -> Tensor:
    parts = torch.sin(torch.pi * (x[:, 0::2] ** 2 + x[:, 1::2] ** 2))
    return torch.exp(parts.sum(dim=1, keepdim=True) / 2)


def coarse_to_fine() -> list[Row]:
    """[4, 2, 1, 1]: one call goes through all grids; it starts from the best of the seeds."""
    data = samples(deep_law, 4, 3000)
    best = min((_coarse(data, seed) for seed in SEEDS), key=lambda found: found[0])[1]
    found = best.fit(data, opt="LM", steps=50, grids=[3, 5, 10, 20, 50], update_grid=False)
    ends = [*found["stages"][1:], len(found["test_loss"])]
    theirs = ("9.2e-3", "3.3e-3", "1.1e-3", "3.8e-4", "3.8e-5")
    return [
        row(f"{grid} intervals: test RMSE", known, float(found["test_loss"][start:end].min()))
        for grid, known, start, end in zip(
            (3, 5, 10, 20, 50), theirs, found["stages"], ends, strict=True
        )
    ]


def _coarse(data: Samples, seed: int) -> tuple[float, KAN]:
    model = KAN([4, 2, 1, 1], grid=3, k=3, seed=seed)
    model.fit(data, opt="LBFGS", steps=50, update_grid=False)
    return rmse(model, data), model


def product() -> list[Row]:
    """x * y from [2, [5, 2], 1]: what is left is one multiplication."""
    data = samples(lambda x: x[:, :1] * x[:, 1:], 2, 1000)
    loss, model = min((_product(data, seed) for seed in SEEDS), key=lambda found: found[0])
    return [row(f"pruned to {shape(model)}: mean squared error", "1e-10", loss**2)]


def _product(data: Samples, seed: int) -> tuple[float, KAN]:
    model = KAN([2, [5, 2], 1], grid=3, k=3, seed=seed)
    model.fit(data, opt="LBFGS", steps=20, lamb=0.01, lamb_coef=1.0)
    rmse(model, data)
    model = model.prune(edge_th=1e-2)
    model.fit(data, opt="LM", steps=60, stop_grid_update_step=10)
    return rmse(model, data), model


# --- the table ---------------------------------------------------------------------------

PARTS: dict[str, Callable[[], Iterable[Row]]] = {
    "Feynman 36, `omega_0*(1+v/c)/sqrt(1-v^2/c^2)`, compiled to [3, [1, 2], [0, 1]]": feynman_36,
    "exp(sin(pi x) + y^2), 3 intervals, sparsest of 3 starts": hellokan,
    "exp((sin(pi(a^2+b^2)) + sin(pi(c^2+d^2)))/2) by [4, 2, 1, 1], best of 12 starts":
        coarse_to_fine,
    "x*y by [2, [5, 2], 1], best of 12 starts": product,
}  # fmt: skip

HEAD = """# Known figures, made again

Made by `python examples/reference_figures.py --write`, in float64 where nothing else is said;
the seconds are CPU time of one thread. Beside them what pykan comes to.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    # Every run says when it stopped early; here that is the rule.
    logging.getLogger("kanstudio").setLevel(logging.ERROR)
    text = HEAD
    for name, part in PARTS.items():
        began = time.process_time()
        rows = list(part())
        lines = [f"**{name}** ({time.process_time() - began:.0f} s)\n"]
        lines += ["| what | pykan | KAN Studio |", "|---|---:|---:|"]
        lines += [f"| {found.what} | {found.theirs} | {found.ours} |" for found in rows]
        print("\n".join(lines), flush=True)
        text += "\n".join(lines) + "\n\n"
    if options.write:
        TABLE.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
