"""What Python calls: the two entries into the compiled code."""

from __future__ import annotations

from typing import Any

from kanstudio.training.kernel.compiled import compiled, compiled_entry, source_hash
from kanstudio.training.kernel.rows import clear, copy
from kanstudio.training.kernel.sweep import backward, fill_features, forward
from kanstudio.training.kernel.weights import spline_weights, weight_gradient


@compiled(relaxed=False)
def load(plan, tile, x, feature_indices, cached, work, indices, count):  # type: ignore[no-untyped-def]
    """A tile's inputs, and what is known of their B-splines, into the workspace."""
    first = plan.layers[0]
    for i in range(first.n_sources):
        copy(x[tile, i], work[first.x_row + i], count)
    if cached:
        for row in range(first.last_active - first.first_active):
            copy(feature_indices[tile, row], indices[row], count)


@compiled(relaxed=False)
def errors(plan, tile, y, scale, work, count):  # type: ignore[no-untyped-def]
    """Sum of squared errors; their derivatives by the outputs into the last dx rows."""
    last = plan.layers[len(plan.layers) - 1]
    result = 0.0
    for i in range(last.n_sources):
        out, slope, target = work[last.x_row + i], work[last.dx_row + i], y[tile, i]
        for t in range(count):
            error = out[t] - target[t]
            result += error * error
            slope[t] = scale * error
    return result


@compiled(relaxed=False)
def affine_in(plan, params, affine):  # type: ignore[no-untyped-def]
    """Take the affine maps that are trained from the parameters."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        if layer.affine_params >= 0:
            for i in range(2 * (layer.n_subnodes + layer.n_nodes)):
                affine[layer.affine + i] = params[layer.affine_params + i]


@compiled(relaxed=False)
def affine_out(plan, affine_sums, gradient):  # type: ignore[no-untyped-def]
    """The reverse of affine_in, for derivatives."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        if layer.affine_params >= 0:
            for i in range(2 * (layer.n_subnodes + layer.n_nodes)):
                gradient[layer.affine_params + i] = affine_sums[layer.affine + i]


def _entries(version: str) -> tuple[Any, Any]:
    def fill_cache(plan, x, n, work, indices, features, feature_indices):  # type: ignore[no-untyped-def]
        """The first layer's B-splines for all tiles of x (tiles, d, TILE)."""
        layer = plan.layers[0]
        width = x.shape[2]
        for tile in range(x.shape[0]):
            count = min(width, n - tile * width)
            load(plan, tile, x, feature_indices, False, work, indices, count)
            fill_features(plan, layer, work, indices, count)
            for row in range(features.shape[1]):
                copy(work[layer.feature_row + row], features[tile, row], count)
            for row in range(layer.last_active - layer.first_active):
                copy(indices[row], feature_indices[tile, row], count)
        return len(version)

    def mean_square(  # type: ignore[no-untyped-def]
        plan, params, affine, x, y, n, features, feature_indices, work, indices, weights,
        slope_weights, weight_sums, affine_sums, gradient, with_gradient,
    ):  # fmt: skip
        """Mean squared error over n samples; its gradient by all parameters if wanted.

        x (tiles, d, TILE), y (tiles, o, TILE); features as from fill_cache, or without
        tiles. All others are room to work in, as KernelObjective makes it.
        """
        width = x.shape[2]
        n_values = n * y.shape[1] * min(len(version), 1)
        cached = features.shape[0] == x.shape[0]
        clear(gradient, len(gradient))
        clear(weight_sums, len(weight_sums))
        clear(affine_sums, len(affine_sums))
        affine_in(plan, params, affine)
        spline_weights(plan, params, weights, slope_weights)
        result = 0.0
        for tile in range(x.shape[0]):
            count = min(width, n - tile * width)
            load(plan, tile, x, feature_indices, cached, work, indices, count)
            known = features[tile] if cached else work
            forward(plan, params, affine, weights, known, cached, work, indices, count)
            result += errors(plan, tile, y, 2.0 / n_values, work, count)
            if with_gradient:
                backward(
                    plan, params, affine, slope_weights, known, cached, work, indices,
                    weight_sums, affine_sums, gradient, count,
                )  # fmt: skip
        if with_gradient:
            weight_gradient(plan, params, weight_sums, gradient)
            affine_out(plan, affine_sums, gradient)
        return result / n_values

    return compiled_entry(fill_cache), compiled_entry(mean_square)


fill_cache, mean_square = _entries(source_hash())
