"""The search for functions beside pykan's: all edges and functions of a trained [2,5,1]."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.timing import machine, silence
from kanstudio import functions
from kanstudio.snapping.search import best_fits
from kanstudio.snapping.suggest import COMMON

N_SAMPLES = 1_000
GOOD = 0.9

TEXT = """# The search for functions against pykan's

Every edge of a trained [2,5,1] (exp(sin(pi x) + y^2), {samples:,} samples, 50 L-BFGS steps in
pykan) against each of the {functions} functions of pykan's library: the best a, b, c, d and R2.
Both in one process with one thread, in turn, edge after edge; pykan by its `fix_symbolic` in
float32, KAN Studio in float64 on the same activations. Made by
`python -m benchmarks snap --write`.

{date}; {machine}.

| what | times faster | KAN Studio, ms | pykan, ms |
|---|---:|---:|---:|
| {edges} edges x {functions} functions | **{ratio:.3g}** | {ours_ms:,.0f} | {theirs_ms:,.0f} |
| one edge x {functions} functions | **{one_ratio:.3g}** | {one_ms:,.0f} | {edge_ms:,.0f} |

R2 of both, computed alike in float64 from a and b on all samples; worse and better are
differences of more than 1e-6. {bad}

| | pairs | KAN Studio worse | equal | better |
|---|---:|---:|---:|---:|
{counts}

The best function of each edge by R2 alone:

| edge | KAN Studio | R2 | pykan | R2 |
|---|---|---:|---|---:|
{best}
"""


@dataclass(frozen=True)
class Pair:
    """One edge and function: R2 of both."""

    edge: tuple[int, int, int]
    name: str
    ours: float
    theirs: float


def measured(rounds: int) -> str:
    """The whole page; so many edges are looked at in both libraries."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, silence():
        os.chdir(folder)
        try:
            return _measured(_trained(), rounds)
        finally:
            os.chdir(here)


def _trained() -> Any:
    from kan import KAN, create_dataset

    dataset = create_dataset(
        lambda x: torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2),
        n_var=2, train_num=N_SAMPLES,
    )  # fmt: skip
    model = KAN(width=[2, 5, 1], grid=5, k=3, seed=42, auto_save=False)
    model.fit(dataset, opt="LBFGS", steps=50, lamb=0.001)
    model(dataset["train_input"])
    return model


def _measured(model: Any, rounds: int) -> str:
    edges = [
        (layer, i, j)
        for layer in range(model.depth)
        for i in range(model.width_in[layer])
        for j in range(model.width_out[layer + 1])
    ]
    x = torch.stack([model.acts[e[0]][:, e[1]].detach().double() for e in edges])
    y = torch.stack([model.spline_postacts[e[0]][:, e[2], e[1]].detach().double() for e in edges])
    known = [functions.get(name) for name in COMMON]
    best_fits(x, y, known)
    all_s, one_s, theirs_s, pairs = [], [], [], []
    for index, edge in list(enumerate(edges))[:rounds]:
        start = time.perf_counter()
        fits = best_fits(x, y, known)
        middle = time.perf_counter()
        best_fits(x[[index]], y[[index]], known)
        end = time.perf_counter()
        theirs = [_pykan(model, edge, name) for name in COMMON]
        theirs_s.append(time.perf_counter() - end)
        all_s.append(middle - start)
        one_s.append(end - middle)
        for k, (name, (a, b)) in enumerate(zip(COMMON, theirs, strict=True)):
            r2 = _r2(name, a, b, x[index], y[index])
            pairs.append(Pair(edge, name, max(float(fits.r2[index, k]), 0.0), r2))
    return _page(edges, all_s, one_s, theirs_s, pairs)


def _pykan(model: Any, edge: tuple[int, int, int], name: str) -> tuple[float, float]:
    """What `suggest_symbolic` does for each function; a and b."""
    layer, i, j = edge
    model.fix_symbolic(layer, i, j, name, verbose=False, log_history=False)
    a, b = model.symbolic_fun[layer].affine[j, i, :2].tolist()
    model.unfix_symbolic(layer, i, j, log_history=False)
    return a, b


def _r2(name: str, a: float, b: float, x: Tensor, y: Tensor) -> float:
    from kan.utils import SYMBOLIC_LIB

    f = torch.nan_to_num(SYMBOLIC_LIB[name][0](a * x + b))
    f, y = f - f.mean(), y - y.mean()
    r2 = float((f @ y) ** 2 / ((f @ f) * (y @ y)))
    return r2 if 0 <= r2 <= 1 else 0.0


def _page(
    edges: list[tuple[int, int, int]],
    all_s: list[float],
    one_s: list[float],
    theirs_s: list[float],
    pairs: list[Pair],
) -> str:
    ratios = [len(edges) * their / our for our, their in zip(all_s, theirs_s, strict=True)]
    worst = min(pairs, key=lambda pair: pair.ours - pair.theirs)
    return TEXT.format(
        date=time.strftime("%Y-%m-%d"),
        machine=machine(),
        samples=N_SAMPLES,
        functions=len(COMMON),
        edges=len(edges),
        ratio=statistics.median(ratios),
        ours_ms=1e3 * statistics.median(all_s),
        theirs_ms=1e3 * len(edges) * statistics.median(theirs_s),
        one_ratio=statistics.median(t / o for o, t in zip(one_s, theirs_s, strict=True)),
        one_ms=1e3 * statistics.median(one_s),
        edge_ms=1e3 * statistics.median(theirs_s),
        bad=f"The largest shortfall is {max(worst.theirs - worst.ours, 0):.1g}, of {worst.name} "
        f"on an edge where pykan reaches {worst.theirs:.3f}.",
        counts="\n".join([
            _counts("all", pairs),
            _counts(f"where pykan reaches {GOOD:g}", [p for p in pairs if p.theirs >= GOOD]),
        ]),
        best=_best(pairs),
    )  # fmt: skip


def _counts(title: str, pairs: list[Pair]) -> str:
    worse = sum(pair.ours < pair.theirs - 1e-6 for pair in pairs)
    better = sum(pair.ours > pair.theirs + 1e-6 for pair in pairs)
    return f"| {title} | {len(pairs)} | {worse} | {len(pairs) - worse - better} | {better} |"


def _best(pairs: list[Pair]) -> str:
    rows = []
    for edge in dict.fromkeys(pair.edge for pair in pairs):
        mine = [pair for pair in pairs if pair.edge == edge]
        ours = max(mine, key=lambda pair: pair.ours)
        theirs = max(mine, key=lambda pair: pair.theirs)
        rows.append(
            f"| {edge} | {ours.name} | {ours.ours:.6f} | {theirs.name} | {theirs.theirs:.6f} |"
        )
    return "\n".join(rows)
