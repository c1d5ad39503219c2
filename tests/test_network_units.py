"""A network rewritten for other units is the same function."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import networks, samples

import kanstudio
from kanstudio import KAN
from kanstudio.network.forward import evaluate
from kanstudio.network.network import Network
from kanstudio.network.units import Units, in_units, in_values


def random_units(network: Network, seed: int) -> Units:
    rng = np.random.default_rng(seed)
    d, o = len(network.levels[0]), len(network.levels[-1])
    return Units(rng.uniform(0.1, 9, d), rng.normal(0, 5, d),
                 rng.uniform(0.1, 9, o), rng.normal(0, 5, o))  # fmt: skip


@settings(max_examples=30)
@given(network=networks(), seed=st.integers(0, 999))
def test_other_units_and_back_leave_the_function(network, seed):
    units = random_units(network, seed)
    x = samples(network)
    y = evaluate(network, x)
    numbers = in_units(network, units)
    z, expected = units.numbers(x, y)
    assert np.allclose(evaluate(numbers, z), expected, rtol=1e-7, atol=1e-7)
    assert np.allclose(evaluate(in_values(numbers, units), x), y, rtol=1e-7, atol=1e-7)


def test_a_level_of_scaled_inputs_comes_only_where_silu_needs_it():
    one = np.ones(1)
    units = Units(2 * one, one, one, one)
    splines, formula = KAN([1, 1]).network(), kanstudio.compile("sin(x)").network()
    scaled = in_units(splines, units)
    assert scaled.depth == 2
    # The second time there is one already.
    assert in_values(scaled, units).depth == in_units(scaled, units).depth == 2
    assert in_units(formula, units).depth == formula.depth
    same = in_units(splines, Units(one, 0 * one, one, 0 * one))
    assert same.same_values(splines)
