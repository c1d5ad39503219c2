"""What Python calls: the entries into the compiled code."""

from __future__ import annotations

from typing import Any

from kanstudio.training.kernel.compiled import compiled, compiled_entry, source_hash
from kanstudio.training.kernel.moments import finish, penalty_backward, rates, tile_moments
from kanstudio.training.kernel.penalty import coefficients, penalty
from kanstudio.training.kernel.rows import T1, TILE, U, at, clear, copy
from kanstudio.training.kernel.sweep import backward, fill_features, forward
from kanstudio.training.kernel.weights import (
    affine_in,
    affine_out,
    spline_weights,
    weight_gradient,
)


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
    result = 0.0
    share = U(tile) * T1
    for i in range(last.n_sources):
        out, slope = at(last.x_row + i), at(last.dx_row + i)
        target = at(tile * last.n_sources + i)
        for t in range(T1):
            error = work[out + t] - y[target + t]
            result += shares[share + t] * error * error
            work[slope + t] = 2.0 * shares[share + t] * error
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
def end(plan, params, weight_sums, affine_sums, gradient):  # type: ignore[no-untyped-def]
    """What comes after them: from derivatives by the weights to those by the parameters."""
    weight_gradient(plan, params, weight_sums, gradient)
    affine_out(plan, affine_sums, gradient)


def _entries(version: str) -> tuple[Any, Any, Any]:
    """The entries; each must make use of ``version``, see compiled_entry.

    x (tiles * d * TILE,), y (tiles * o * TILE,), shares (tiles * TILE,) of each sample in
    the mean; features (tiles, rows * TILE) as from fill_cache, or without tiles. Everything
    but plan and params is room to work in, as KernelObjective makes it.
    """

    def fill_cache(plan, x, work, indices, features, feature_indices):  # type: ignore[no-untyped-def]
        """The first layer's B-splines for all tiles of x."""
        layer = plan.layers[0]
        n_active = layer.last_active - layer.first_active
        for tile in range(features.shape[0]):
            load(plan, tile, x, feature_indices, False, work, indices)
            fill_features(plan, layer, work, indices)
            copy(work, layer.feature_row * TILE, features[tile], 0, features.shape[1])
            if layer.size:
                copy(indices, 0, feature_indices, tile * n_active * TILE, n_active * TILE)
        return len(version)

    def mean_square(  # type: ignore[no-untyped-def]
        plan, params, affine, x, y, shares, features, feature_indices, work, indices, weights,
        weight_sums, affine_sums, gradient, with_gradient,
    ):  # fmt: skip
        """Mean squared error; its gradient by all parameters if wanted."""
        n_tiles = len(shares) // TILE
        cached = features.shape[0] == n_tiles
        begin(plan, params, affine, weights, weight_sums, affine_sums, gradient)
        result = 0.0
        for tile in range(n_tiles):
            load(plan, tile, x, feature_indices, cached, work, indices)
            known = features[tile] if cached else work
            forward(plan, params, affine, weights, known, cached, work, indices)
            result += errors(plan, tile, y, shares, work)
            if with_gradient:
                backward(
                    plan, params, affine, weights, known, cached, work, indices, weight_sums,
                    affine_sums, gradient,
                )  # fmt: skip
        if with_gradient:
            end(plan, params, weight_sums, affine_sums, gradient)
        return result if len(version) else 0.0

    def regularised(  # type: ignore[no-untyped-def]
        plan, params, affine, x, y, shares, features, feature_indices, work, indices, weights,
        weight_sums, affine_sums, gradient, n, metric, factors, moments, scores, nodes,
    ):  # fmt: skip
        """(mean squared error, regulariser) of n samples; the gradient of both.

        factors: lamb, lamb_l1, lamb_entropy, lamb_coef, lamb_coefdiff. moments (4, edges +
        sources + subnodes), scores (2, all layers'), nodes (2, moments and outputs): room.
        """
        n_tiles = len(shares) // TILE
        cached = features.shape[0] == n_tiles
        means, squares, deviations, slopes = moments[0], moments[1], moments[2], moments[3]
        begin(plan, params, affine, weights, weight_sums, affine_sums, gradient)
        clear(means, 0, len(means))
        clear(squares, 0, len(squares))
        for tile in range(n_tiles):
            load(plan, tile, x, feature_indices, cached, work, indices)
            known = features[tile] if cached else work
            forward(plan, params, affine, weights, known, cached, work, indices)
            tile_moments(
                plan, metric, known, cached, indices, weights, params, work,
                min(TILE, n - tile * TILE), tile * TILE, means, squares,
            )  # fmt: skip
        finish(squares, n, deviations)
        reg = penalty(
            plan, metric, factors[1], factors[2], deviations, scores[0], scores[1], nodes[0],
            nodes[1], slopes,
        )  # fmt: skip
        rates(deviations, factors[0], n, slopes)
        result = 0.0
        for tile in range(n_tiles):
            load(plan, tile, x, feature_indices, cached, work, indices)
            known = features[tile] if cached else work
            forward(plan, params, affine, weights, known, cached, work, indices)
            result += errors(plan, tile, y, shares, work)
            penalty_backward(
                plan, metric, params, affine, weights, known, cached, work, indices,
                min(TILE, n - tile * TILE), means, slopes, weight_sums, affine_sums, gradient,
            )  # fmt: skip
        end(plan, params, weight_sums, affine_sums, gradient)
        reg += coefficients(plan, params, factors[3], factors[4], factors[0], gradient)
        return result if len(version) else 0.0, reg

    return compiled_entry(fill_cache), compiled_entry(mean_square), compiled_entry(regularised)


fill_cache, mean_square, regularised = _entries(source_hash())
