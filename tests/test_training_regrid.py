"""Grids of many networks moved at once against each one's moved by the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import networks
from test_training_chunks import splines
from test_training_device import siblings

from kanstudio.network.forward import evaluate
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.network.network import Network
from kanstudio.training.regrid import moved_grid, moved_grids


def assert_moved_as_on_the_host(family, x, found, curves_only=False):
    """x (n, inputs) or (R, n, inputs)."""
    for member, samples, ours in zip(family, np.broadcast_to(x, (len(family), *x.shape[-2:])),
                                     found, strict=True):  # fmt: skip
        theirs = update_grid_from_samples(member, samples)
        if curves_only:
            a, b = evaluate(ours, samples), evaluate(theirs, samples)
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
            continue
        for mine, other in zip(ours.layers, theirs.layers, strict=True):
            for (name, a), (_, b) in zip(mine.arrays(), other.arrays(), strict=True):
                scale = 1 + np.abs(b).max(initial=0)
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-9 * scale, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(network=networks(), seed=st.integers(0, 99), own_samples=st.booleans())
def test_many_grids_move_as_each_does_on_the_host(network: Network, seed: int, own_samples: bool):
    family = siblings(network, 3, seed)
    shape = (3, 80, len(network.levels[0])) if own_samples else (80, len(network.levels[0]))
    x = np.random.default_rng(seed).uniform(-1, 1, shape)
    found = moved_grids(family, torch.tensor(x))
    # A function such as exp may send all samples but few to one place: the least squares
    # problem is then close to singular, and only the curves at the samples are determined.
    assert_moved_as_on_the_host(family, x, found, curves_only=True)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [40, 300])
def test_grids_and_coefficients_are_those_of_the_host(degree, n):
    network = splines((2, 3, 1), degree=degree)
    family = siblings(network, 4)
    x = np.random.default_rng(1).uniform(-1, 1, (n, 2))
    assert_moved_as_on_the_host(family, x, moved_grids(family, torch.tensor(x)))


def test_splines_that_samples_leave_undetermined_get_the_least_coefficients():
    network = splines((1, 1))
    x = np.linspace(-1, 1, 6)[:, None]  # for 8 coefficients
    assert_moved_as_on_the_host([network], x, moved_grids([network], torch.tensor(x)))


def test_a_constant_source_keeps_the_width_of_its_grid():
    family = siblings(splines((3, 1)), 2)
    x = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    x[:, 1], x[:, 2] = 0.25, 70.0
    found = moved_grids(family, torch.tensor(x))
    assert_moved_as_on_the_host(family, x, found, curves_only=True)
    for before, after in zip(family, found, strict=True):
        old, new = before.layers[0].knots, after.layers[0].knots
        assert np.array_equal(old[1], new[1])
        np.testing.assert_allclose(np.diff(new[2]), np.diff(old[2]), rtol=1e-9)
        expected = update_grid_from_samples(before, x).layers[0].knots
        np.testing.assert_allclose(new, expected, rtol=1e-12)


def test_a_source_whose_knots_would_not_be_finite_keeps_its_grid():
    family = siblings(splines((2, 2, 1)), 2)
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    x[:, 1] *= 1.7e308
    found = moved_grids(family, torch.tensor(x))
    for before, after in zip(family, found, strict=True):
        old, new = before.layers[0], after.layers[0]
        expected = update_grid_from_samples(before, x).layers[0]
        assert not np.array_equal(old.knots[0], new.knots[0])
        for kept in (new, expected):
            assert np.array_equal(old.knots[1], kept.knots[1])
            assert np.array_equal(old.coef[:, 1], kept.coef[:, 1])
        np.testing.assert_allclose(new.coef[:, 0], expected.coef[:, 0], atol=1e-9)


def test_a_network_with_a_value_that_is_not_finite_keeps_its_grids():
    family = siblings(splines((2, 2, 1)), 3)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 50, 2))
    x[1, 7, 0] = np.nan
    found = moved_grids(family, torch.tensor(x))
    assert found[1].same_values(family[1])
    assert_moved_as_on_the_host(family[::2], x[::2], found[::2])


def test_sources_are_taken_in_parts_where_memory_is_short(monkeypatch):
    family = siblings(splines((5, 2, 1)), 2)
    x = torch.tensor(np.random.default_rng(0).uniform(-1, 1, (60, 5)))
    whole = moved_grids(family, x)
    monkeypatch.setattr("kanstudio.training.regrid.MAX_VALUES", 1)
    for a, b in zip(whole, moved_grids(family, x), strict=True):
        for one, other in zip(a.layers, b.layers, strict=True):
            np.testing.assert_allclose(one.coef, other.coef, rtol=0, atol=1e-12)


@pytest.mark.gpu
def test_a_grid_on_cuda_moves_as_on_the_host():
    network = splines((4, 9, 9, 1))
    x = np.random.default_rng(0).uniform(-1, 1, (500, 4))
    assert_moved_as_on_the_host([network], x, [moved_grid(network, x, "cuda")])
