"""From parameters to the factors of B-splines, and back for the gradient."""

from __future__ import annotations

from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.rows import clear


@compiled(relaxed=False)
def spline_weights(plan, params, weights, slope_weights):  # type: ignore[no-untyped-def]
    """Per active spline mask * scale_sp * coef and mask * scale_base, and for its slope.

    Dense layers have them side by side; local ones between ``degree`` zeros at both ends.
    """
    clear(weights, len(weights))
    clear(slope_weights, len(slope_weights))
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        k, n_knots = layer.degree, layer.n_knots
        n_basis = n_knots - k - 1
        pad = 0 if layer.dense else k
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            coef = edge.params
            factor = edge.mask * params[coef + n_basis + 1]
            base = edge.mask * params[coef + n_basis]
            at = edge.weights
            slope_at = edge.slope_weights
            for b in range(n_basis):
                weights[at + pad + b] = factor * params[coef + b]
            weights[at + layer.width - 1] = base
            slope_weights[slope_at + layer.slope_width - 1] = base
            if k == 0:
                continue
            top = layer.widths + (edge.slot * k + k - 1) * n_knots
            for b in range(n_basis + 1):
                here = params[coef + b] if b < n_basis else 0.0
                before = params[coef + b - 1] if b > 0 else 0.0
                slope_weights[slope_at + pad + b] = (
                    factor * k * (here - before) * plan.widths[top + b]
                )


@compiled(relaxed=False)
def weight_gradient(plan, params, weight_sums, gradient):  # type: ignore[no-untyped-def]
    """From derivatives by the weights to derivatives by coef, scale_base and scale_sp."""
    for index in range(len(plan.layers) - 1):
        layer = plan.layers[index]
        n_basis = layer.n_knots - layer.degree - 1
        pad = 0 if layer.dense else layer.degree
        for e in range(layer.first_spline, layer.last_spline):
            edge = plan.splines[e]
            coef = edge.params
            factor = edge.mask * params[coef + n_basis + 1]
            at = edge.weights
            total = 0.0
            for b in range(n_basis):
                gradient[coef + b] += factor * weight_sums[at + pad + b]
                total += params[coef + b] * weight_sums[at + pad + b]
            gradient[coef + n_basis] += edge.mask * weight_sums[at + layer.width - 1]
            gradient[coef + n_basis + 1] += edge.mask * total
