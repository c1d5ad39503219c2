"""From parameters to the factors of B-splines, and back for the gradient.

Coefficients are taken by four: an edge has too few for the loops that LLVM makes of vectors.
"""

from __future__ import annotations

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.plan import LOCAL
from kanstudio.training.kernel.rows import F0, FOUR, ONE, U, four, put_four


@compiled(relaxed=False)
def spline_weights(plan, params, weights):  # type: ignore[no-untyped-def]
    """Per active spline mask * scale_sp * coef and mask * scale_base; all others stay 0."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        n_basis = U(layer.n_knots - layer.degree - 1)
        pad = layer.degree if layer.kind == LOCAL else 0
        for i in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[i]
            coef, first = U(edge.params), U(edge.weights + pad)
            factor = edge.mask * params[coef + n_basis + ONE]
            b = U(0)
            while b + FOUR <= n_basis:
                c, d, e, f = four(params, coef + b)
                put_four(weights, first + b, factor * c, factor * d, factor * e, factor * f)
                b += FOUR
            while b < n_basis:
                weights[first + b] = factor * params[coef + b]
                b += ONE
            weights[U(edge.weights + layer.width - 1)] = edge.mask * params[coef + n_basis]


@compiled(relaxed=False)
def weight_gradient(plan, params, weight_sums, gradient):  # type: ignore[no-untyped-def]
    """From derivatives by the weights to derivatives by coef, scale_base and scale_sp."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        n_basis = U(layer.n_knots - layer.degree - 1)
        pad = layer.degree if layer.kind == LOCAL else 0
        for i in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[i]
            coef, first = U(edge.params), U(edge.weights + pad)
            factor = edge.mask * params[coef + n_basis + ONE]
            total, b = F0, U(0)
            while b + FOUR <= n_basis:
                c, d, e, f = four(weight_sums, first + b)
                put_four(gradient, coef + b, factor * c, factor * d, factor * e, factor * f)
                k, m, n, o = four(params, coef + b)
                total += (k * c + m * d) + (n * e + o * f)
                b += FOUR
            while b < n_basis:
                by_weight = weight_sums[first + b]
                gradient[coef + b] = factor * by_weight
                total += params[coef + b] * by_weight
                b += ONE
            by_base = weight_sums[U(edge.weights + layer.width - 1)]
            gradient[coef + n_basis] = edge.mask * by_base
            gradient[coef + n_basis + ONE] = edge.mask * total


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
