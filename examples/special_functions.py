"""Special functions of two variables as Kolmogorov-Arnold networks.

The table of Liu et al., "KAN: Kolmogorov-Arnold Networks" (arXiv:2404.19756, section on
special functions), made again: for each function a few small networks, each from several
seeds; the best of them on a coarse grid goes on to finer ones. Levenberg-Marquardt trains
them in float64. The ranges are chosen here, since the paper names none: read the paper's
figures as a yardstick, not as a race on the same samples.

    python examples/special_functions.py [--write] [NAME ...]

prints the table, and with --write puts it beside this file.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import special

from kanstudio import KAN

TABLE = Path(__file__).with_suffix(".md")
SEEDS = range(6)
COARSE, FINE = [3, 6], [12, 24, 48]
N_SAMPLES = 3_000

Function = Callable[[np.ndarray, np.ndarray], np.ndarray]
Range = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """A function of two variables, where to sample it, and the shapes to try.

    paper: shape and RMSE of the best KAN in the paper.
    """

    name: str
    function: Function
    x: Range
    y: Range
    shapes: tuple[tuple[int, ...], ...]
    paper: tuple[tuple[int, ...], float]


def harmonic(m: int, n: int) -> Function:
    """Real part of the spherical harmonic of order m and degree n, of azimuth and polar angle."""
    return lambda azimuth, polar: special.sph_harm_y(n, m, polar, azimuth).real


SPHERE = (0.0, 2 * math.pi), (0.0, math.pi)

CASES = (
    Case("ellipj(x, y)", lambda x, y: special.ellipj(x, y)[0], (0, 4), (0, 0.95),
         ((2, 3, 1),), ((2, 3, 2, 1, 1, 1), 1.33e-4)),
    Case("ellipkinc(x, y)", special.ellipkinc, (0, 1.5), (0, 0.95),
         ((2, 2, 1, 1),), ((2, 2, 1, 1, 1), 1.24e-4)),
    Case("ellipeinc(x, y)", special.ellipeinc, (0, 1.5), (0, 0.95),
         ((2, 2, 1),), ((2, 2, 1, 1), 8.26e-5)),
    Case("jv(x, y)", special.jv, (0, 3), (0, 6),
         ((2, 3, 1), (2, 2, 2, 1)), ((2, 3, 1, 1, 1), 1.64e-3)),
    Case("kv(x, y)", special.kv, (0, 2), (0.5, 4),
         ((2, 2, 1), (2, 2, 1, 1)), ((2, 2, 1), 2.52e-5)),
    Case("lpmv(0, x, y)", lambda x, y: special.lpmv(0, x, y), (0, 2), (-0.9, 0.9),
         ((2, 2, 1), (2, 3, 1)), ((2, 2, 1), 5.25e-5)),
    Case("sph_harm(0, 1, x, y)", harmonic(0, 1), *SPHERE, ((2, 1, 1),), ((2, 1, 1), 2.21e-7)),
    Case("sph_harm(1, 1, x, y)", harmonic(1, 1), *SPHERE, ((2, 2, 1),), ((2, 3, 2, 1), 1.22e-4)),
    Case("sph_harm(0, 2, x, y)", harmonic(0, 2), *SPHERE, ((2, 1, 1),), ((2, 1, 1), 1.95e-7)),
    Case("sph_harm(1, 2, x, y)", harmonic(1, 2), *SPHERE, ((2, 2, 1),), ((2, 2, 1, 1), 1.50e-5)),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The best network of a case: its shape, grid, RMSE on samples it never saw, seconds."""

    shape: tuple[int, ...]
    grid: int
    rmse: float
    seconds: float


def samples(case: Case, seed: int, border: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Uniform samples; the share ``border`` of each variable's lies on the ends of its range."""
    rng = np.random.default_rng(seed)
    low, high = np.array([case.x, case.y]).T
    beyond = border / 2 * (high - low)
    x = np.clip(rng.uniform(low - beyond, high + beyond, (N_SAMPLES, 2)), low, high)
    return torch.tensor(x), torch.tensor(case.function(x[:, 0], x[:, 1])[:, None])


def fit(model: KAN, data: tuple[torch.Tensor, torch.Tensor], grids: list[int], steps: int) -> float:
    """Train, and return the lowest loss on the samples kept to choose by."""
    result = model.fit(
        data, opt="LM", steps=steps, grids=grids, normalize=True, test_fraction=1 / 3,
        grid_update_num=3, stop_grid_update_step=15,
    )  # fmt: skip
    return float(result["test_loss"].min())


def solve(case: Case) -> Found:
    """Many coarse starts, the best ones refined; the winner by the samples kept to choose."""
    began = time.process_time()
    # Grids reach as far as the samples: some of these shall be on the border.
    data = samples(case, seed=0, border=0.05)
    starts = []
    for shape in case.shapes:
        for seed in SEEDS:
            model = KAN(list(shape), grid=COARSE[0], seed=seed, dtype=torch.float64)
            starts.append((fit(model, data, COARSE, 20), len(starts), shape, model))
    starts.sort(key=lambda start: start[:2])
    best = (math.inf, starts[0][2], starts[0][3].network())
    for loss, _, shape, model in starts[:2]:
        best = min(best, (loss, shape, model.network()), key=lambda item: item[0])
        for grid in FINE:
            fine = fit(model, data, [grid], 40)
            best = min(best, (fine, shape, model.network()), key=lambda item: item[0])
    x, y = samples(case, seed=1)
    trained = KAN.from_network(best[2], dtype=torch.float64)
    rmse = float((trained(x) - y).square().mean().sqrt().detach())
    return Found(best[1], trained.grid, rmse, time.process_time() - began)


def row(case: Case, found: Found) -> str:
    shape, theirs = case.paper
    span = f"[{case.x[0]:.4g}, {case.x[1]:.4g}], [{case.y[0]:.4g}, {case.y[1]:.4g}]"
    return (
        f"| {case.name} | {span} | {list(found.shape)}, {found.grid} | {found.rmse:.1e} "
        f"| {list(shape)} | {theirs:.2e} | {found.rmse / theirs:.2g} | {found.seconds:.0f} s |"
    )


HEAD = """# Special functions as small networks

Made by `python examples/special_functions.py --write`, which says how. RMSE on 3,000 samples
that training never saw. The last columns: the best KAN of arXiv:2404.19756 (whose ranges
are not known), our RMSE as a multiple of its, and the CPU time of one thread for all shapes and
seeds. The shapes are those that did best of a few tried. Inputs and output are scaled to mean 0
and deviation 1 (`normalize`).

| scipy.special | ranges of x, y | shape, grid | RMSE | paper: shape | RMSE | ratio | time |
|---|---|---|---:|---|---:|---:|---:|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as jv; all by default")
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # Every run says when it stopped early; here that is the rule.
    logging.getLogger("kanstudio").setLevel(logging.ERROR)
    text = HEAD
    for case in CASES:
        if not options.names or any(case.name.startswith(name) for name in options.names):
            line = row(case, solve(case))
            print(line, flush=True)
            text += line + "\n"
    if options.write:
        TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
