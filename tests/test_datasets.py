"""Data sets: pykan's numbers, and nobody's random state touched."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sympy
import torch

from kanstudio.compiler.evaluate import sympy_function
from kanstudio.datasets import (
    create_dataset,
    create_dataset_from_data,
    feynman_problem,
    feynman_problems,
    get_feynman_dataset,
)
from kanstudio.errors import DataError


def f(x: torch.Tensor) -> torch.Tensor:
    return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)


def by_row(x: torch.Tensor) -> torch.Tensor:
    return x[0] * x[1]


def test_there_are_120_problems_in_order():
    problems = feynman_problems()
    assert [problem.number for problem in problems] == list(range(1, 121))
    assert problems is feynman_problems()
    for problem in problems:
        assert len(problem.inputs) == len(problem.ranges)
        assert all(low < high for low, high in problem.ranges)
        names = {symbol.name for symbol in problem.expression.free_symbols}
        assert names == set(problem.inputs), problem.number


def test_ranges_may_be_written_with_pi():
    highs = {high for problem in feynman_problems() for _, high in problem.ranges}
    assert 2 * np.pi in highs


def test_problem_36_by_number_and_by_name():
    variables, expression, function, ranges = get_feynman_dataset(36)
    assert [str(symbol) for symbol in variables] == ["omega_0", "v", "c"]
    omega, v, c = variables
    difference = expression - omega * (1 + v / c) / sympy.sqrt(1 - v**2 / c**2)
    assert difference == 0
    assert get_feynman_dataset("I.34.14")[1] == expression
    x = torch.tensor([[1.0, 0.5, 1.0]])
    torch.testing.assert_close(function(x), torch.tensor([[1.5 / 0.75**0.5]]))
    assert all(isinstance(bound, float) for pair in ranges for bound in pair)


def test_a_name_twice_means_the_later_problem():
    assert feynman_problem("I.18.4").number == 22


@pytest.mark.parametrize("unknown", [0, 121, "I.99.9", None])
def test_an_unknown_problem_is_an_error(unknown):
    with pytest.raises(DataError, match="1 to 120"):
        get_feynman_dataset(unknown)


@pytest.mark.parametrize("problem", feynman_problems(), ids=lambda problem: str(problem.number))
def test_torch_function_of_a_problem_equals_the_reference(problem):
    low, high = np.transpose(problem.ranges)
    x = np.random.default_rng(0).uniform(low, high, (100, len(low)))
    expected = sympy_function([problem.expression], problem.inputs)(x)
    result = get_feynman_dataset(problem.number)[2](torch.tensor(x)).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"seed": 5, "train_num": 20, "test_num": 7},
        {"ranges": [[-1, 1], [0.5, 2]]},
        {"ranges": [0, 3], "normalize_input": True, "normalize_label": True},
        {"f": by_row, "f_mode": "row"},
    ],
)
def test_samples_are_pykans(arguments, dtype):
    pykan = pytest.importorskip("kan.utils")
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        ours = create_dataset(**{"f": f, **arguments})
        theirs = pykan.create_dataset(**{"f": f, **arguments})
    finally:
        torch.set_default_dtype(before)
    assert ours.keys() == theirs.keys()
    for key, tensor in theirs.items():
        assert ours[key].dtype == dtype
        assert torch.equal(ours[key], tensor), key


def test_split_is_pykans():
    pykan = pytest.importorskip("kan.utils")
    inputs, labels = torch.rand(50, 2), torch.rand(50, 1)
    ours = create_dataset_from_data(inputs, labels, 0.7, seed=3)
    np.random.seed(3)
    theirs = pykan.create_dataset_from_data(inputs, labels, 0.7)
    for key in ("train_input", "train_label"):
        assert torch.equal(ours[key], theirs[key]), key
    for key in ("test_input", "test_label"):  # pykan's come in the order of a set
        assert torch.equal(ours[key].sort(0).values, theirs[key].sort(0).values), key


def test_random_state_of_others_is_left_alone():
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    create_dataset(f)
    create_dataset_from_data(torch.zeros(10, 2), torch.zeros(10, 1))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1][1])
    assert random.getstate() == states[2]


def test_the_same_seed_gives_the_same_samples():
    first, again, other = (create_dataset(f, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first["train_input"], again["train_input"])
    assert not torch.equal(first["train_input"], other["train_input"])


def test_a_split_uses_every_sample_once():
    inputs = torch.arange(11.0).unsqueeze(1)
    data = create_dataset_from_data(inputs, 2 * inputs)
    assert (len(data["train_input"]), len(data["test_input"])) == (8, 3)
    joined = torch.cat([data["train_input"], data["test_input"]]).flatten()
    assert torch.equal(joined.sort().values, inputs.flatten())
    assert torch.equal(data["test_label"], 2 * data["test_input"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"f_mode": "diagonal"}, "f_mode"),
        ({"ranges": [[0, 1]]}, r"shape \(1, 2\)"),
        ({"ranges": [0, 1, 2]}, r"shape \(3,\)"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(DataError, match=message):
        create_dataset(f, **arguments)


def test_labels_that_do_not_fit_are_an_error():
    with pytest.raises(DataError, match="10 inputs and 9 labels"):
        create_dataset_from_data(torch.zeros(10, 2), torch.zeros(9, 1))
    with pytest.raises(DataError, match="train_ratio"):
        create_dataset_from_data(torch.zeros(10, 2), torch.zeros(10, 1), 1.5)


def test_a_constant_is_normalized_without_nan():
    data = create_dataset(lambda x: 0 * x + 3, train_num=10, normalize_label=True)
    assert (data["train_label"] == 0).all() and (data["test_label"] == 0).all()
    single = create_dataset(lambda x: x, train_num=1, test_num=1, normalize_input=True)
    assert all(value.isfinite().all() for value in single.values())


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_var": 0},
        {"n_var": "a"},
        {"train_num": -1},
        {"test_num": 2.5},
        {"ranges": "a"},
        {"ranges": [[0, 1], [0]]},
        {"ranges": [0, float("nan")]},
        {"seed": "a"},
        {"f": lambda x: 1.0},
    ],
)
def test_what_is_no_data_set_is_a_data_error(arguments):
    with pytest.raises(DataError):
        create_dataset(**{"f": lambda x: x, **arguments})
