"""The best c * f(a * x + b) + d for many edges and functions in one go.

For every function a table of windows (`starts`), the same for all edges, is compared with
all of them by matrix products; the best few windows of each pair are refined on a summary
of the samples, and the best one of those on all samples (`refine`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kanstudio.functions import Function
from kanstudio.network.threads import one_thread
from kanstudio.snapping.bends import placed, with_pole
from kanstudio.snapping.refine import Batch, refined
from kanstudio.snapping.regress import regressed, simplest
from kanstudio.snapping.samples import (
    Bins,
    Samples,
    Scaled,
    bins,
    grouped,
    scaled,
    to_affine,
    to_windows,
)
from kanstudio.snapping.shapes import Shape, shape
from kanstudio.snapping.starts import best_windows, interval, windows

N_STARTS = 4
FIRST_ROUNDS, FIRST_GAIN = 4, 1e-6
LAST_ROUNDS, LAST_GAIN = 10, 1e-10
MAX_SAMPLES = 2_000
"""Of more samples so many are taken, evenly in the order of x, with both ends."""

MAX_VALUES = 2_000_000
"""Fits times samples at once: bounds the memory, a dozen arrays of 8 bytes each."""

N_GRID = 41

Range = tuple[float, float]


class Fits(NamedTuple):
    """affine (E, F, 4): a, b, c, d; r2 (E, F): at most 1, -inf where there is no fit."""

    affine: Tensor
    r2: Tensor


@one_thread()
def best_fits(
    x: Tensor,
    y: Tensor,
    functions: Sequence[Function],
    a_range: Range | None = None,
    b_range: Range | None = None,
) -> Fits:
    """The best fits of F functions to E edges: x, y (E, n) float64, n >= 1.

    Samples that are not finite are left out. A function counts only where it has a value
    at every sample. An edge that is constant has no fits (r2 is -inf). a_range, b_range:
    (low, high) of a and b; both None let the samples decide, one alone makes the other
    (-10, 10). The same samples give the same bits.
    """
    x, y = _thinned(x, y)
    shapes = [shape(function) for function in functions]
    box = None if a_range is None and b_range is None else _box(a_range, b_range)
    at_once = max(1, MAX_VALUES // max(1, len(shapes) * N_STARTS * x.shape[1]))
    parts = [
        _fits(x[i : i + at_once], y[i : i + at_once], shapes, box)
        for i in range(0, len(x), at_once)
    ]
    return Fits(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _thinned(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    n = x.shape[1]
    if n <= MAX_SAMPLES:
        return x, y
    chosen = torch.linspace(0, n - 1, MAX_SAMPLES, dtype=torch.float64).round().long()
    order = x.sort(dim=1, stable=True).indices[:, chosen]
    return x.gather(1, order), y.gather(1, order)


def _box(a_range: Range | None, b_range: Range | None) -> Tensor:
    """(2, 2): the least and largest a and b."""
    ranges = torch.tensor([a_range or (-10.0, 10.0), b_range or (-10.0, 10.0)], dtype=torch.float64)
    return ranges.T


def _fits(x: Tensor, y: Tensor, shapes: list[Shape], box: Tensor | None) -> Fits:
    data = scaled(x, y)
    edges = torch.arange(len(x))
    starts = _starts(data, shapes, box)  # (F, E, N_STARTS, 2)
    repeated = edges.repeat_interleave(N_STARTS)
    first = _batch(data, grouped(data.samples), shapes, repeated, box)
    found, _ = refined(first, starts.reshape(-1, 2), FIRST_ROUNDS, FIRST_GAIN)
    # The summary of the samples must not decide: it may have smoothed a pole away.
    _, r2 = refined(_batch(data, data.samples, shapes, repeated, box), found, 0, 0)
    best = r2.reshape(starts.shape[:3]).argmax(dim=2)[..., None, None].expand(-1, -1, 1, 2)
    found = found.reshape(starts.shape).gather(2, best)[:, :, 0]
    if box is None:
        found = _each(with_pole, shapes, data.samples, found)
    last = _batch(data, data.samples, shapes, edges, box)
    found, _ = refined(last, found.reshape(-1, 2), LAST_ROUNDS, LAST_GAIN)
    found = found.reshape(len(shapes), -1, 2)
    if box is None:
        found = _each(placed, shapes, data.samples, found)
    rows = [
        regressed(s, x, y, affine)
        for s, affine in zip(shapes, _affine(found, data, shapes, box), strict=True)
    ]
    r2 = torch.stack([row.r2 for row in rows], dim=1)
    return Fits(
        torch.stack([row.affine for row in rows], dim=1),
        torch.where(data.flat[:, None], -torch.inf, r2),
    )


def _each(
    move: Callable[[Shape, Samples, Tensor], Tensor],
    shapes: list[Shape],
    samples: Samples,
    windows: Tensor,
) -> Tensor:
    """Windows (F, E, 2), those of each shape moved."""
    pairs = zip(shapes, windows, strict=True)
    return torch.stack([move(s, samples, rows) for s, rows in pairs])


def _starts(data: Scaled, shapes: list[Shape], box: Tensor | None) -> Tensor:
    """(F, E, N_STARTS, 2) windows; where there are fewer, the best again."""
    table = bins(data.samples)
    found = []
    for s in shapes:
        if box is None:
            grids = windows(s)
            each = [best_windows(s, table, grid, N_STARTS // len(grids)) for grid in grids]
        else:
            each = [_starts_in_box(s, data, table, box)]
        at, r2 = torch.cat([at for at, _ in each], dim=1), torch.cat([r2 for _, r2 in each], dim=1)
        best = at[torch.arange(len(at)), r2.argmax(dim=1)][:, None]
        at = torch.where(r2.isfinite()[..., None], at, best)
        found.append(torch.cat([at, best.expand(-1, N_STARTS - at.shape[1], -1)], dim=1))
    return torch.stack(found)


def _starts_in_box(s: Shape, data: Scaled, table: Bins, box: Tensor) -> tuple[Tensor, Tensor]:
    """A grid of a and b is another grid of windows for each edge."""
    share = torch.linspace(0, 1, N_GRID, dtype=torch.float64)
    low, high = box
    a, b = (low[i] + (high[i] - low[i]) * share for i in (0, 1))
    grid = torch.stack(torch.meshgrid(a, b, indexing="ij"), dim=-1)
    found = []
    for edge, (middle, half) in enumerate(zip(data.middle, data.half, strict=True)):
        one = Bins(table.u, table.weight[edge : edge + 1], table.weighted[edge : edge + 1])
        found.append(best_windows(s, one, to_windows(grid, middle, half), N_STARTS))
    return torch.cat([at for at, _ in found]), torch.cat([r2 for _, r2 in found])


def _batch(
    data: Scaled, samples: Samples, shapes: list[Shape], edges: Tensor, box: Tensor | None
) -> Batch:
    """Fits of every function to these edges, function by function."""
    rows = edges.repeat(len(shapes))
    facts = torch.tensor([_facts(s, free=box is not None) for s in shapes], dtype=torch.float64)
    facts = facts.repeat_interleave(len(edges), dim=0)
    return Batch(
        shapes=shapes,
        counts=[len(edges)] * len(shapes),
        samples=Samples(*(part[rows] for part in samples)),
        free=facts[:, :2],
        ends=facts[:, 2:],
        scale=torch.stack([data.middle[rows], data.half[rows]], dim=1),
        box=box,
    )


def _facts(s: Shape, *, free: bool) -> tuple[float, ...]:
    return (float(free or not s.scaled), float(free or not s.shifted), *interval(s.function.domain))


def _affine(found: Tensor, data: Scaled, shapes: list[Shape], box: Tensor | None) -> Tensor:
    """a and b (F, E, 2) of windows (F, E, 2), in the simplest form that a shape has."""
    affine = to_affine(found, data.middle, data.half)
    if box is not None:
        return affine
    return torch.stack([simplest(s, rows) for s, rows in zip(shapes, affine, strict=True)])
