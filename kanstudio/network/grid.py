"""Fitting and moving spline grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from kanstudio.errors import EditError
from kanstudio.network import checks
from kanstudio.network.forward import check_inputs, layer_forward, program, tensors
from kanstudio.network.network import FloatArray, Layer, Network, frozen
from kanstudio.network.spline import basis
from kanstudio.network.threads import one_thread

GRID_EPS = 0.02
"""Share of equidistance in a grid from samples; the rest follows the quantiles (pykan)."""

CONSTANT = 1e-9
"""A source whose range is smaller than this share of its size counts as constant."""


def basis_matrix(x: FloatArray, knots: FloatArray, degree: int) -> FloatArray:
    """Values of all B-splines of one source: x (n,), knots (K,) -> (n, K - degree - 1)."""
    values = basis(torch.tensor(x)[:, None], torch.tensor(knots)[None, :], degree)
    result: FloatArray = values[:, 0].numpy()
    return result


def fit_coef(x: FloatArray, y: FloatArray, knots: FloatArray, degree: int) -> FloatArray:
    """Least-squares coefficients (curves, B) of curves y (n, curves) at x (n,).

    The solution of least norm where samples leave a B-spline undetermined.
    """
    # torch, since its number of threads can be set: on a busy machine numpy's, one per core,
    # make this a hundred times slower.
    matrix = torch.tensor(basis_matrix(x, knots, degree))
    solution = torch.linalg.lstsq(matrix, torch.tensor(y), driver="gelsd").solution
    return np.asarray(solution.numpy().T, dtype=np.float64)


def extend_knots(inner: FloatArray, degree: int) -> FloatArray:
    """Add ``degree`` equidistant knots at both ends of inner knots (G + 1,)."""
    step = (inner[-1] - inner[0]) / (len(inner) - 1)
    before = inner[0] - step * np.arange(degree, 0, -1)
    after = inner[-1] + step * np.arange(1, degree + 1)
    return np.concatenate([before, inner, after])


def knots_from_samples(x: FloatArray, old: FloatArray, degree: int) -> FloatArray:
    """A grid of the old one's size over the samples x (n,), extended.

    A constant source has no range to spread a grid over, which would collapse it and
    give 0 / 0 in every basis: it keeps the width of its old grid, moved only if the
    value lies outside.
    """
    grid = len(old) - 2 * degree - 1
    ordered = np.sort(x)
    low, high = ordered[0], ordered[-1]
    if high - low <= CONSTANT * max(abs(low), abs(high)):
        inner = old[degree : len(old) - degree]
        if inner[0] <= low <= inner[-1]:
            return old
        moved: FloatArray = old + (low - (inner[0] + inner[-1]) / 2)
        return moved
    picks = [int(len(ordered) / grid * i) for i in range(grid)] + [-1]
    uniform = np.linspace(low, high, grid + 1)
    return extend_knots(GRID_EPS * uniform + (1 - GRID_EPS) * ordered[picks], degree)


def _move_layer(layer: Layer, x: FloatArray, degree: int) -> Layer:
    knots, coef = layer.knots.copy(), layer.coef.copy()
    for source in range(layer.n_sources):
        samples = x[:, source]
        # Samples near the largest float have distances beyond it.
        with np.errstate(over="ignore", invalid="ignore"):
            new = knots_from_samples(samples, layer.knots[source], degree)
        if not np.isfinite(new).all():
            continue
        knots[source] = new
        # A spline that is switched off has no curve to keep: its wave is stretched along.
        rows = np.flatnonzero(layer.spline_active[:, source])
        if len(rows):
            curve = basis_matrix(samples, layer.knots[source], degree) @ layer.coef[rows, source].T
            coef[rows, source] = fit_coef(samples, curve, new, degree)
    return layer.with_arrays(knots=knots, coef=coef)


@one_thread()
def update_grid_from_samples(network: Network, x: FloatArray) -> Network:
    """Spread every grid over what its source takes on the samples x (n, inputs).

    Active splines are refitted by least squares at the samples, layer by layer, each on
    the outputs of the layers already moved. Never gives NaN: a constant source keeps
    the width of its grid; one with values or knots that are not finite keeps its grid.
    """
    check_inputs(len(network.levels[0]), np.shape(x))
    values = torch.tensor(np.asarray(x), dtype=torch.float64)
    layers: list[Layer] = []
    with torch.no_grad():
        for plan, layer in zip(program(network), network.layers, strict=True):
            samples = values.numpy()
            moved = layer
            if np.isfinite(samples).all() and len(samples):
                moved = _move_layer(layer, samples, network.degree)
            layers.append(moved)
            values = layer_forward(plan, tensors(moved, torch.float64), values)
    return network.with_layers(tuple(layers))


@one_thread()
def refine(network: Network, grid: int) -> tuple[Network, float]:
    """A grid of ``grid`` intervals on each spline's own span, and the largest change.

    The change is that of any active spline curve, taken on a dense sample of the span.
    Each old interval is split into as equal a number of parts as possible, so that the
    new knots contain the old ones, and the change is rounding error, whenever ``grid``
    is a multiple of the old number.
    """
    grid = checks.whole("a grid", grid, 0)
    if grid < network.grid:
        raise EditError(f"cannot refine to {grid} intervals: the grid has {network.grid} already")
    for layer in network.layers:
        checks.layer_size(layer.n_sources, layer.n_subnodes, grid + network.degree)
    layers, change = [], 0.0
    for layer in network.layers:
        refined, layer_change = _refine_layer(layer, grid, network.degree)
        layers.append(refined)
        change = max(change, layer_change)
    return replace(network, layers=tuple(layers)), change


def _split(knots: FloatArray, grid: int, degree: int) -> FloatArray:
    inner = knots[degree : len(knots) - degree]
    positions = np.linspace(0, len(inner) - 1, grid + 1)
    return extend_knots(np.interp(positions, np.arange(len(inner)), inner), degree)


def _refine_layer(layer: Layer, grid: int, degree: int) -> tuple[Layer, float]:
    size = layer.coef.shape[:2]
    knots = np.empty((layer.n_sources, grid + 2 * degree + 1))
    coef = np.empty((*size, grid + degree))
    change = 0.0
    for source in range(layer.n_sources):
        old = layer.knots[source]
        knots[source] = _split(old, grid, degree)
        x = np.linspace(old[degree], old[-degree - 1], 20 * (grid + degree))[:-1]
        curve = basis_matrix(x, old, degree) @ layer.coef[:, source].T
        coef[:, source] = fit_coef(x, curve, knots[source], degree)
        fitted = basis_matrix(x, knots[source], degree) @ coef[:, source].T
        active = layer.spline_active[:, source]
        scale = np.abs(layer.spline_mask[:, source] * layer.scale_sp[:, source])[active]
        if active.any():
            change = max(change, float((np.abs(fitted - curve)[:, active] * scale).max()))
    return replace(layer, knots=frozen(knots), coef=frozen(coef)), change
