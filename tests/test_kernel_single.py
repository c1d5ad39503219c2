"""The compiled kernel in float32 is as near to the exact numbers as torch is in float32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import cases, fill

from kanstudio import functions
from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network
from kanstudio.network.network import Network
from kanstudio.training import Dataset, TrainingRun, TrainingSettings
from kanstudio.training.kernel import KernelObjective, elementary, single
from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.entry import run
from kanstudio.training.kernel.fronts import apply
from kanstudio.training.kernel.penalty import METRICS
from kanstudio.training.kernel.rows import TILE
from kanstudio.training.kernel.univariate import encode, has_code
from kanstudio.training.objective import Objective, TorchObjective
from kanstudio.training.packing import packing

SINGLE = TrainingSettings(dtype="float32")
EPS = float(np.finfo(np.float32).eps)
CALM = ("0", "x", "x^2", "sin", "cos", "tanh", "gaussian", "silu", "sigmoid", "arctan")
"""Functions without jumps, which could go either way for a rounded argument."""
NAMES = tuple(n for n in functions.names() if n != "0" and has_code(n))
POWERS = ("x^(1/3)", "x^2.7182", "1/x^(5/2)", "x^7", "1/x^7", "x^2.5", "1/x^0.3")


def three(network: Network, data: Dataset, chosen: TrainingSettings) -> tuple[Objective, ...]:
    """The kernel in float32, torch in float32 and in float64."""
    exact = replace(chosen, dtype="float64")
    return (
        KernelObjective(network, data, chosen),
        TorchObjective(network, data, chosen),
        TorchObjective(network, data, exact),
    )


def assert_as_near(found: object, peer: object, exact: object, slack: float = 1e-5) -> None:
    """At most a few times as far from the exact numbers as the peer, or within rounding."""
    ours, theirs = (np.abs(np.subtract(one, exact)).max(initial=0) for one in (found, peer))
    assert ours <= 8 * theirs + slack * (1 + np.abs(exact).max(initial=0))


@settings(max_examples=60, deadline=None)
@given(case=cases(("0", "x", "sin"), CALM), weighted=st.booleans())
def test_loss_and_gradient_are_those_of_torch_in_float32(case, weighted):
    network, data, affine = case
    if weighted:
        data = replace(data, train_weight=np.linspace(0, 1, data.n_train + 1)[1:])
    params = packing(network, affine_trainable=affine).pack(network)
    objectives = three(network, data, replace(SINGLE, affine_trainable=affine))
    rows = np.random.default_rng(0).choice(data.n_train, (data.n_train + 1) // 2, replace=False)
    with np.errstate(all="ignore"):
        for chosen in (None, rows):
            seen = [objective.evaluate(params, chosen) for objective in objectives]
            if np.abs(seen[2].gradient).max(initial=0) < 1e3:
                assert_as_near(*(one.mse for one in seen))
                assert_as_near(*(one.gradient for one in seen))
                assert seen[0].gradient.dtype == np.float64
        assert_as_near(*(objective.test_mse(params) for objective in objectives))


REGULARISED = st.builds(
    TrainingSettings,
    dtype=st.just("float32"),
    lamb=st.floats(0.01, 1),
    lamb_l1=st.floats(0, 2),
    lamb_entropy=st.floats(0, 2),
    lamb_coef=st.floats(0, 2),
    lamb_coefdiff=st.floats(0, 2),
    reg_metric=st.sampled_from(sorted(METRICS)),
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), chosen=REGULARISED, grid=st.sampled_from([3, 40]))
def test_regulariser_is_that_of_torch_in_float32(seed, chosen, grid):
    rng = np.random.default_rng(seed)
    network = fill(empty_network([2, [2, 1], 2], grid=grid, seed=seed), ("x", "sin", "tanh"), seed)
    x, y = rng.uniform(-1, 1, (TILE + 30, 2)), rng.normal(size=(TILE + 30, 2))
    seen = [
        objective.evaluate(packing(network).pack(network))
        for objective in three(network, Dataset(x, y, x, y), chosen)
    ]
    for name in ("mse", "reg", "gradient"):
        assert_as_near(*(getattr(one, name) for one in seen), slack=1e-4)


@pytest.mark.parametrize("width", [[23, 11, 2], [130, 11, 2], [131, 40, 3], [20, 33, 17]])
@pytest.mark.parametrize("lamb", [0.0, 0.1])
def test_wide_layers_are_those_of_torch_in_float32(width, lamb):
    rng = np.random.default_rng(0)
    network = random_spline_network(empty_network(width, seed=1))
    x, y = rng.uniform(-1, 1, (300, width[0])), rng.normal(size=(300, width[-1]))
    params = packing(network).pack(network)
    objectives = three(network, Dataset(x, y, x[:9], y[:9]), replace(SINGLE, lamb=lamb))
    seen = [objective.evaluate(params) for objective in objectives]
    for name in ("mse", "reg", "gradient"):
        assert_as_near(*(getattr(one, name) for one in seen))
    assert_as_near(*(objective.test_mse(params) for objective in objectives))


@pytest.mark.parametrize("name", NAMES + POWERS)
@settings(max_examples=10, deadline=None)
@given(x=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=8))
@example(x=[0.0, 1.0, -1.0, 1e-30, -1e-30, 1e30, -1e30, 0.005, 40.0, -40.5, 89.0, -104.0])
@example(x=[float(np.nextafter(np.float32(1), np.float32(end))) for end in (0, 2)])
def test_every_function_has_the_value_and_slope_of_the_table(name, x):
    given = np.float32(x)
    found = _apply(name, given)
    peer, exact = (_table(name, given.astype(dtype)) for dtype in (np.float32, np.float64))
    for ours, theirs, true, least in zip(found, peer, exact, (1e-37, 2 * EPS), strict=True):
        # Beyond the largest float32 the two tables differ.
        same = np.where(np.abs(true) < np.finfo(np.float32).max, true, theirs)
        both = np.equal(ours, theirs) | (np.isnan(ours) & np.isnan(theirs))
        with np.errstate(invalid="ignore"):
            allowed = 4 * np.abs(theirs - same) + 8 * EPS * np.abs(same) + least
            assert (both | (np.abs(ours - same) <= allowed)).all()


def _table(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = torch.tensor(x, requires_grad=True)
    values = functions.get(name).torch(points)
    slopes = torch.zeros_like(points)
    if values.requires_grad:
        (slopes,) = torch.autograd.grad(values.sum(), points)
    return values.detach().double().numpy(), slopes.double().numpy()


def _apply(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and slope: the argument is row 0, rows 1 and 2 are room to work in."""
    work = np.zeros((5, TILE), dtype=np.float32)
    work[0] = np.resize(x, TILE)
    apply(encode(name, np.float32), work.ravel(), 0, 1, 3, 4)
    return work[3, : len(x)].astype(np.float64), work[4, : len(x)].astype(np.float64)


RANGES = {"exp": (-90.0, 88.0), "log": (1e-30, 1e30), "exp_quick": (-80.0, 80.0),
          "expm1_quick": (-3.0, 3.0)}  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_elementary_functions_are_within_two_units_in_the_last_place(name):
    low, high = RANGES[name]
    points = np.linspace(low, high, 4096)
    points = np.geomspace(low, high, 4096) if low > 0 else points
    for dtype, module, wide in (
        (np.float32, single, np.float64), (np.float64, elementary, np.longdouble)
    ):  # fmt: skip
        x = points.astype(dtype)
        exact = getattr(np, name.removesuffix("_quick"))(x.astype(wide))
        found = _mapped(getattr(module, name), x)
        assert found.dtype == dtype
        assert (np.abs(found - exact) <= 2 * np.spacing(np.abs(exact.astype(dtype)))).all()


def test_angles_are_reduced_exactly_in_float32():
    angles = np.linspace(-1e6, 1e6, 4096).astype(np.float32)
    for name, function in (("sin", np.sin), ("cos", np.cos)):
        found, _ = _apply(name, angles[:TILE])
        assert np.abs(found - function(angles[:TILE].astype(np.float64))).max() <= EPS


@compiled(relaxed=False)
def _mapped(function, x):
    result = np.empty_like(x)
    for i in range(len(x)):
        result[i] = function(x[i])
    return result


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    grid=st.sampled_from([1, 5, 60]),
    degree=st.integers(1, 3),
    middle=st.sampled_from([0.0, 1.0, 1000.0]),
    spread=st.sampled_from([1e-20, 1e-7, 1e-6, 1e-3, 1.0]),
)
def test_b_splines_on_near_knots_are_finite_and_sum_to_1(seed, grid, degree, middle, spread):
    rng = np.random.default_rng(seed)
    network = random_spline_network(empty_network([1, 1], grid=grid, degree=degree))
    layer = network.layers[0]
    knots = middle + np.sort(rng.uniform(-1, 1, layer.knots.shape) ** 3) * spread
    network = network.with_layers((layer.with_arrays(
        knots=knots, coef=np.ones_like(layer.coef), scale_base=np.zeros((1, 1)),
        scale_sp=np.ones((1, 1)),
    ),))  # fmt: skip
    inner = knots.astype(np.float32)[0, degree : len(knots[0]) - degree].astype(np.float64)
    x = rng.uniform(inner[0], inner[-1], (50, 1)).astype(np.float32).astype(np.float64)
    x = x[(inner[0] <= x[:, 0]) & (x[:, 0] < inner[-1])]
    params = packing(network).pack(network)
    for points, largest in ((x, 1e-11), (knots.T, np.inf)):
        if len(points):
            ones = np.ones_like(points)
            kernel = KernelObjective(network, Dataset(points, ones, points, ones), SINGLE)
            found = kernel.evaluate(params)
            assert np.isfinite(found.gradient).all()
            assert np.isfinite(found.mse) and found.mse < largest


def test_a_sum_over_many_samples_keeps_the_precision_of_float32():
    x = np.zeros((200_000, 1))
    network = empty_network([1, 1])
    data = Dataset(x, np.full_like(x, 0.1), x[:1], x[:1])
    found = KernelObjective(network, data, SINGLE).evaluate(packing(network).pack(network))
    assert found.mse == pytest.approx(0.01, rel=4 * EPS)


def test_runs_in_float32_on_the_cpu_take_the_kernel_and_leave_float64_as_it_was():
    network = random_spline_network(empty_network([2, 3, 1], seed=3))
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 2))
    data = Dataset(x, x[:, :1] * x[:, 1:], x[:50], x[:50, :1] * x[:50, 1:])
    chosen = replace(SINGLE, steps=20, learning_rate=1e-2)
    runs = [TrainingRun(network, data, chosen, backend=name) for name in ("kernel", "torch")]
    runs.append(TrainingRun(network, data, replace(chosen, dtype="auto")))
    losses = [list(run)[-1].test_loss for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0] == pytest.approx(losses[2], rel=1e-4)
    assert losses[0] != losses[2]


def test_processes_that_compile_side_by_side_write_files_of_their_own():
    names = {entry.py_func.__qualname__ for entry in run.values()}
    assert len(names) == len(run) == 2
