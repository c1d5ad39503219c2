"""What Python calls: the entries into the compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kanstudio.training.kernel.adam import move
from kanstudio.training.kernel.compiled import compiled, compiled_entry, source_hash
from kanstudio.training.kernel.moments import penalty_backward, tile_moments
from kanstudio.training.kernel.penalty import coefficients, penalty
from kanstudio.training.kernel.rows import F0, F2, T1, TILE, U, at, clear, copy
from kanstudio.training.kernel.sweep import backward, forward
from kanstudio.training.kernel.weights import (
    affine_in,
    affine_out,
    spline_weights,
    weight_gradient,
)
from kanstudio.training.packing import IntArray


@compiled(relaxed=False)
def load(plan, tile, x, feature_indices, cached, work, indices):  # type: ignore[no-untyped-def]
    """A tile's inputs, and what is known of their B-splines, into the workspace."""
    first = plan.layers[0]
    size = first.n_sources * TILE
    copy(x, tile * size, work, first.x_row * TILE, size)
    if cached and first.size:
        size = (first.last_active - first.first_active) * TILE
        copy(feature_indices, tile * size, indices, 0, size)


@compiled(relaxed=False)
def errors(plan, tile, y, shares, work):  # type: ignore[no-untyped-def]
    """Weighted sum of squared errors; their derivatives into the last dx rows."""
    last = plan.layers[len(plan.layers) - 1]
    # A sum of very many, in float64 whatever the rows are.
    result = 0.0
    for i in range(last.n_sources):
        out, slope, target = last.x_row + i, last.dx_row + i, tile * last.n_sources + i
        result += row_errors(work, out, y, target, shares, tile, slope)
    return result


@compiled(relaxed=True)
def row_errors(work, out, y, target, shares, tile, slope):  # type: ignore[no-untyped-def]
    """Weighted sum of squared errors of a row; their derivatives into row ``slope``."""
    a, b, c, d, result = at(out), at(target), at(tile), at(slope), F0
    for t in range(T1):
        error = work[a + t] - y[b + t]
        part = shares[c + t] * error
        result += part * error
        work[d + t] = F2 * part
    return result


@compiled(relaxed=False)
def begin(plan, params, affine, weights, weight_sums, affine_sums, gradient):  # type: ignore[no-untyped-def]
    """What comes before the samples: weights from the parameters, sums of nothing."""
    clear(gradient, 0, len(gradient))
    clear(weight_sums, 0, len(weight_sums))
    clear(affine_sums, 0, len(affine_sums))
    affine_in(plan, params, affine)
    spline_weights(plan, params, weights)


@compiled(relaxed=False)
def keep(plan, tile, work, indices, features, feature_indices):  # type: ignore[no-untyped-def]
    """The reverse of load: what a tile's forward sweep found of the first layer's B-splines."""
    layer = plan.layers[0]
    copy(work, layer.feature_row * TILE, features, 0, len(features))
    if layer.size:
        size = (layer.last_active - layer.first_active) * TILE
        copy(indices, 0, feature_indices, tile * size, size)


FILL, LOSS, GRADIENT, PENALTY = range(4)
"""What the entry is asked for: fill the cache; the loss; its gradient; with regulariser."""


class Tiles(NamedTuple):
    """n samples cut into tiles: x (tiles * d * TILE,), y (tiles * o * TILE,), shares
    (tiles * TILE,) of each sample in the mean; features (tiles, rows * TILE) and indices, the
    B-splines of the inputs, full after the task FILL, or without tiles."""

    x: NDArray[Any]
    y: NDArray[Any]
    shares: NDArray[Any]
    features: NDArray[Any]
    indices: IntArray
    n: int


@compiled(relaxed=False)
def evaluate(  # type: ignore[no-untyped-def]
    plan, params, affine, tiles, work, indices, weights, weight_sums, affine_sums, gradient,
    task, metric, factors, moments, scores, nodes,
):  # fmt: skip
    """(mean squared error, regulariser) of samples; the gradient of both."""
    x, y, shares, features, feature_indices, n = tiles
    n_tiles = len(shares) // TILE
    cached = features.shape[0] == n_tiles and task != FILL
    begin(plan, params, affine, weights, weight_sums, affine_sums, gradient)
    means, squares, deviations, slopes = moments[0], moments[1], moments[2], moments[3]
    clear(moments[0], 0, len(means))
    clear(moments[1], 0, len(means))
    mse, reg = 0.0, 0.0
    # With a regulariser the first sweep is for the deviations, see moments.
    for last in range(int(task != PENALTY), 2):
        for tile in range(n_tiles):
            count = min(TILE, n - tile * TILE)
            load(plan, tile, x, feature_indices, cached, work, indices)
            known = features[tile] if cached else work
            way_back = last and task >= GRADIENT
            forward(plan, params, affine, weights, known, cached, way_back, work, indices)
            if task == FILL:
                keep(plan, tile, work, indices, features[tile], feature_indices)
            elif last:
                mse += errors(plan, tile, y, shares, work)
                if task == GRADIENT:
                    backward(
                        plan, params, affine, weights, known, cached, work, indices,
                        weight_sums, affine_sums, gradient,
                    )  # fmt: skip
                elif task == PENALTY:
                    penalty_backward(
                        plan, metric, params, affine, weights, known, cached, work, indices,
                        count, means, slopes, weight_sums, affine_sums, gradient,
                    )  # fmt: skip
            else:
                tile_moments(
                    plan, metric, known, cached, indices, weights, params, work, count,
                    tile * TILE, means, squares,
                )  # fmt: skip
        if not last:
            reg += penalty(plan, metric, factors, n, squares, deviations, scores, nodes, slopes)
    if task >= GRADIENT:
        weight_gradient(plan, params, weight_sums, gradient)
        affine_out(plan, affine_sums, gradient)
    if task == PENALTY:
        reg += coefficients(plan, params, factors, gradient)
    return mse, reg


@compiled(relaxed=False)
def all_finite(values):  # type: ignore[no-untyped-def]
    result = True
    for i in range(U(len(values))):
        result &= abs(values[i]) < np.inf
    return result


def _entry(dtype: str, version: str) -> Any:
    """The entry for a dtype; it must make use of ``version``, see compiled_entry."""

    def run(  # type: ignore[no-untyped-def]
        plan, state, rates, results, params, affine, train, test, work, indices, weights,
        weight_sums, affine_sums, gradient, task, metric, factors, moments, scores, nodes,
    ):  # fmt: skip
        """One evaluation of ``train``, or as many steps of Adam as there are rates.

        state (2, 3, P): parameters, mean and square of their gradient, in the first row.
        rates (steps, 2): see adam.move. results (steps, 3): mean squared error and regulariser
        before the step, mean squared error of ``test`` after it. The steps write the rows of
        state in turn, and end with the first in which anything is not finite.
        factors: lamb, lamb_l1, lamb_entropy, lamb_coef, lamb_coefdiff. moments (4, edges +
        sources + subnodes), scores (2, all layers'), nodes (2, moments and outputs) and all
        others but plan and samples: room to work in, as KernelObjective makes it. Arithmetic is
        in the dtype of params and work; state, moments, scores, nodes and results are float64.

        Returns the number of finite steps, and mean squared error and regulariser of the last
        evaluation. All evaluations are one call in the code, and so the same instructions:
        a step gives the same bits alone and among others.
        """
        n_steps = len(rates)
        for half in range(max(2 * n_steps, 1)):
            step, training = half // 2, half % 2 == 0
            here, there = state[step % 2], state[1 - step % 2]
            copy((here if training else there)[0], 0, params, 0, len(params))
            mse, reg = evaluate(
                plan, params, affine, train if training else test, work, indices, weights,
                weight_sums, affine_sums, gradient, task if training else LOSS, metric, factors,
                moments, scores, nodes,
            )  # fmt: skip
            if n_steps == 0:
                break
            finite = abs(mse) < np.inf and abs(reg) < np.inf
            if training:
                size, scale = rates[step]
                move(here[0], gradient, here[1], here[2], size, scale, there)
                results[step, 0], results[step, 1] = mse, reg
                finite = finite and all_finite(gradient) and all_finite(there[0])
            else:
                results[step, 2] = mse
            if not finite:
                return step, mse, reg
        return n_steps, mse if len(version) else 0.0, reg

    return compiled_entry(run, name=f"run_{dtype}")


run = {dtype: _entry(dtype, source_hash()) for dtype in ("float64", "float32")}
"""By the name of the dtype."""
