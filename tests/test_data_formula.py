"""Samples drawn from a formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanstudio.errors import DataError
from kanstudio.training import Dataset, FormulaData, sample_formula

SQUARE = ((-1.0, 1.0), (2.0, 3.0))


def product(x: np.ndarray) -> np.ndarray:
    return x[:, :1] * x[:, 1:]


@given(
    low=st.floats(-1e3, 1e3),
    width=st.floats(0, 1e3),
    n_train=st.integers(1, 50),
    n_test=st.integers(1, 50),
    seed=st.integers(0, 2**32),
)
def test_samples_lie_in_their_ranges(low, width, n_train, n_test, seed):
    spec = FormulaData(((low, low + width),), n_train, n_test, seed=seed)
    data = sample_formula(lambda x: x**2, spec)
    assert (data.n_train, data.n_test) == (n_train, n_test)
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        assert ((low <= x) & (x <= low + width)).all()
        assert np.array_equal(y, x**2)


def test_the_seed_alone_decides():
    state = np.random.get_state()[1].copy()
    first, again, other = (
        sample_formula(product, FormulaData(SQUARE, 20, 5, noise=0.1, seed=seed))
        for seed in (3, 3, 4)
    )
    assert first.same_values(again)
    assert not first.same_values(other)
    assert np.array_equal(state, np.random.get_state()[1])


def test_noise_is_relative_to_the_outputs_and_leaves_the_inputs():
    clean, noisy = (
        sample_formula(lambda x: 100 * product(x), FormulaData(SQUARE, 20_000, 20_000, noise=noise))
        for noise in (0.0, 0.1)
    )
    assert np.array_equal(clean.train_x, noisy.train_x)
    for a, b in ((clean.train_y, noisy.train_y), (clean.test_y, noisy.test_y)):
        assert np.std(b - a) == pytest.approx(0.1 * clean.train_y.std(), rel=0.05)


def test_rows_without_a_finite_value_are_drawn_again():
    data = sample_formula(np.log, FormulaData(((-3.0, 1.0),), n_train=100, n_test=100))
    assert (data.train_x > 0).all() and np.isfinite(data.train_y).all()


def test_complex_values_count_as_not_finite():
    data = sample_formula(lambda x: np.sqrt(x.astype(complex)), FormulaData(((-1.0, 1.0),)))
    assert (data.train_x >= 0).all()


def test_a_formula_that_is_nowhere_finite_is_an_error_with_the_share():
    with pytest.raises(DataError, match=r"only 0\.00% of the samples"):
        sample_formula(np.log, FormulaData(((-2.0, -1.0),), 10, 10))


@pytest.mark.parametrize(
    "change",
    [
        {"ranges": ((1.0, 0.0),)},
        {"ranges": ((0.0, float("inf")),)},
        {"ranges": ((float("nan"), 1.0),)},
        {"ranges": ((-1.7e308, 1.7e308),)},
        {"ranges": ("ab",)},
        {"ranges": (1.0,)},
        {"n_train": 0},
        {"n_test": 10**9},
        {"n_train": 2.5},
        {"noise": -0.1},
        {"noise": float("nan")},
        {"seed": -1},
    ],
)
def test_a_wrong_description_is_refused(change):
    with pytest.raises(DataError):
        FormulaData(**{"ranges": ((0.0, 1.0),), **change})


def test_samples_without_ranges_are_refused():
    with pytest.raises(DataError, match="range"):
        sample_formula(product, FormulaData(ranges=()))


def test_a_dataset_is_a_read_only_copy():
    x = np.zeros((3, 1))
    data = Dataset(x, x, x, x)
    x[0] = 1
    assert (data.train_x == 0).all()
    with pytest.raises(ValueError):
        data.train_x[0] = 1


@pytest.mark.parametrize(
    ("train_x", "train_y", "message"),
    [
        (np.zeros((3, 1)), np.zeros((2, 1)), "differ in number"),
        (np.zeros((2, 3)), np.zeros((2, 1)), "number of inputs"),
        (np.zeros((2, 1)), np.zeros((2, 2)), "number of outputs"),
        (np.zeros(2), np.zeros((2, 1)), "shape"),
        (np.zeros((0, 1)), np.zeros((0, 1)), "shape"),
        (np.array([[1.0], [np.nan]]), np.zeros((2, 1)), "row 2, column 1"),
        (np.array([["a"], ["b"]]), np.zeros((2, 1)), "table of numbers"),
    ],
)
def test_a_dataset_refuses_samples_that_do_not_fit(train_x, train_y, message):
    with pytest.raises(DataError, match=message):
        Dataset(train_x, train_y, np.zeros((2, 1)), np.zeros((2, 1)))
