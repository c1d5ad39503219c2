"""From parameters to the factors of B-splines, and back for the gradient."""

from __future__ import annotations

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.plan import LOCAL
from kanstudio.training.kernel.rows import F0


@compiled(relaxed=False)
def spline_weights(plan, params, weights):  # type: ignore[no-untyped-def]
    """Per active spline mask * scale_sp * coef and mask * scale_base; all others stay 0."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        n_basis = layer.n_knots - layer.degree - 1
        pad = layer.degree if layer.kind == LOCAL else 0
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            coef = edge.params
            factor = edge.mask * params[coef + n_basis + 1]
            for b in range(n_basis):
                weights[edge.weights + pad + b] = factor * params[coef + b]
            weights[edge.weights + layer.width - 1] = edge.mask * params[coef + n_basis]


@compiled(relaxed=False)
def weight_gradient(plan, params, weight_sums, gradient):  # type: ignore[no-untyped-def]
    """From derivatives by the weights to derivatives by coef, scale_base and scale_sp."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        n_basis = layer.n_knots - layer.degree - 1
        pad = layer.degree if layer.kind == LOCAL else 0
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            coef = edge.params
            factor = edge.mask * params[coef + n_basis + 1]
            total = F0
            for b in range(n_basis):
                by_weight = weight_sums[edge.weights + pad + b]
                gradient[coef + b] = factor * by_weight
                total += params[coef + b] * by_weight
            by_base = weight_sums[edge.weights + layer.width - 1]
            gradient[coef + n_basis] = edge.mask * by_base
            gradient[coef + n_basis + 1] = edge.mask * total


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
