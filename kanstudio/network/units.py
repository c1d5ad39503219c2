"""A network in other units of its inputs and outputs: the same function, rewritten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kanstudio.network.edits import expand_depth
from kanstudio.network.network import FloatArray, Network


@dataclass(frozen=True, eq=False)
class Units:
    """value = scale * number + shift, for inputs (d,) and outputs (o,); scales above 0."""

    input_scale: FloatArray
    input_shift: FloatArray
    output_scale: FloatArray
    output_shift: FloatArray

    def numbers(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Values x (n, d), y (n, o) as numbers in these units."""
        return (
            (np.asarray(x) - self.input_shift) / self.input_scale,
            (np.asarray(y) - self.output_shift) / self.output_scale,
        )


def in_units(network: Network, units: Units) -> Network:
    """The network that takes and gives numbers in these units, equal up to rounding.

    Knots, symbolic fronts and the output's affine maps take the change. Where silu is part
    of an edge it cannot, for silu(s * z + m) is no silu(z): then a level of scaled inputs
    comes between.
    """
    network = _with_inputs(network, units.input_scale, units.input_shift)
    return _with_outputs(network, 1 / units.output_scale, -units.output_shift)


def in_values(network: Network, units: Units) -> Network:
    """The reverse: from a network of numbers in these units to one of plain values."""
    network = _with_inputs(network, 1 / units.input_scale, -units.input_shift / units.input_scale)
    return _with_outputs(network, units.output_scale, units.output_shift / units.output_scale)


def _with_outputs(network: Network, gain: FloatArray, shift: FloatArray) -> Network:
    """The outputs y become gain * (y + shift)."""
    last = network.layers[-1].with_arrays(
        node_scale=gain * network.layers[-1].node_scale,
        node_bias=gain * (network.layers[-1].node_bias + shift),
    )
    return network.with_layers((*network.layers[:-1], last))


def _with_inputs(network: Network, scale: FloatArray, shift: FloatArray) -> Network:
    """The inputs x become scale * z + shift."""
    first = network.layers[0]
    changed = (scale != 1) | (shift != 0)
    if (first.spline_active & (first.scale_base != 0))[:, changed].any():
        network = expand_depth(network, 0)
        first = network.layers[0]
    affine = first.affine.copy()
    affine[..., 1] += affine[..., 0] * shift
    affine[..., 0] *= scale
    knots = (first.knots - shift[:, None]) / scale[:, None]
    return network.with_layers((first.with_arrays(affine=affine, knots=knots), *network.layers[1:]))
