"""A small run that several test files train: a sine, by a network of splines."""

from __future__ import annotations

import numpy as np

from kanstudio.network.build import empty_network
from kanstudio.network.network import Network
from kanstudio.training import Dataset, FormulaData, sample_formula


def sine_data() -> Dataset:
    return sample_formula(np.sin, FormulaData(((-2, 2),), 100, 50))


def sine_network() -> Network:
    empty = empty_network([1, 2, 1], seed=3)
    return empty.with_layers(
        tuple(layer.with_arrays(spline_mask=np.ones_like(layer.spline_mask))
              for layer in empty.layers)
    )  # fmt: skip
