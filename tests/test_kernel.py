"""The compiled kernel gives the numbers of the torch path."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import cases, fill

from kanstudio import functions
from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network
from kanstudio.network.forward import edge_values, nodes_from_sums, program, tensors
from kanstudio.network.network import Network
from kanstudio.training import Dataset, TrainingSettings
from kanstudio.training.kernel import KernelObjective, adam, entry, objective, panels, supports
from kanstudio.training.kernel.compiled import compiled
from kanstudio.training.kernel.fronts import apply
from kanstudio.training.kernel.objective import CACHE_LINE, zeros
from kanstudio.training.kernel.penalty import METRICS
from kanstudio.training.kernel.rows import TILE
from kanstudio.training.kernel.univariate import CODES, encode, has_code
from kanstudio.training.objective import TorchObjective
from kanstudio.training.packing import packing

OTHER_POWERS = ("x^(1/3)", "x^2.7182", "1/x^(5/2)", "x^7", "1/x^7", "x^2.5", "1/x^0.3")
NAMES = tuple(n for n in functions.names() if n != "0" and has_code(n)) + OTHER_POWERS


def assert_same(
    found: float | np.ndarray, expected: float | np.ndarray, condition: float = 1.0
) -> None:
    # Both may have overflown.
    difference = np.where(np.equal(found, expected), 0.0, np.subtract(found, expected))
    allowed = 1e-12 * condition * (1 + np.abs(expected).max(initial=0))
    assert np.abs(difference).max(initial=0) <= allowed


@settings(max_examples=60, deadline=None)
@given(case=cases(("0", "x", "sin"), NAMES))
def test_loss_and_gradient_are_those_of_autograd(case):
    network, data, affine = case
    chosen = TrainingSettings(affine_trainable=affine)
    params = packing(network, affine_trainable=affine).pack(network)
    kernel, oracle = (make(network, data, chosen) for make in (KernelObjective, TorchObjective))
    rows = np.random.default_rng(0).choice(data.n_train, (data.n_train + 1) // 2, replace=False)
    with np.errstate(all="ignore"):
        for chosen_rows in (None, rows):
            found, expected = (o.evaluate(params, chosen_rows) for o in (kernel, oracle))
            # Beyond, rounding errors grow by as much as the derivatives do.
            if np.abs(expected.gradient).max(initial=0) < 1e6:
                assert_same(found.mse, expected.mse)
                assert_same(found.gradient, expected.gradient)
                assert_same(kernel.test_mse(params), oracle.test_mse(params))


@pytest.mark.parametrize("n_inputs", [23, 130, 131])
@pytest.mark.parametrize("lamb", [0.0, 0.1])
def test_wide_layers_are_those_of_autograd(n_inputs, lamb):
    rng = np.random.default_rng(0)
    network = random_spline_network(empty_network([n_inputs, 11, 2], seed=1))
    x, y = rng.uniform(-1, 1, (300, n_inputs)), rng.normal(size=(300, 2))
    data, params = Dataset(x, y, x[:9], y[:9]), packing(network).pack(network)
    kernel, oracle = (
        make(network, data, TrainingSettings(lamb=lamb))
        for make in (KernelObjective, TorchObjective)
    )
    found, expected = kernel.evaluate(params), oracle.evaluate(params)
    assert_same(found.mse, expected.mse)
    assert_same(found.gradient, expected.gradient)
    assert_same(kernel.test_mse(params), oracle.test_mse(params))


REGULARISED = st.builds(
    TrainingSettings,
    lamb=st.floats(0.01, 1),
    lamb_l1=st.floats(0, 2),
    lamb_entropy=st.floats(0, 2),
    lamb_coef=st.floats(0, 2),
    lamb_coefdiff=st.floats(0, 2),
    reg_metric=st.sampled_from(sorted(METRICS)),
)


@settings(max_examples=60, deadline=None)
@given(case=cases(("0", "x", "sin"), NAMES), chosen=REGULARISED, weighted=st.booleans())
def test_regulariser_and_gradient_are_those_of_autograd(case, chosen, weighted):
    network, data, affine = case
    if weighted:
        data = replace(data, train_weight=np.linspace(0, 1, data.n_train + 1)[1:])
    chosen = replace(chosen, affine_trainable=affine)
    params = packing(network, affine_trainable=affine).pack(network)
    kernel, oracle = (make(network, data, chosen) for make in (KernelObjective, TorchObjective))
    with np.errstate(all="ignore"):
        found, expected = (o.evaluate(params) for o in (kernel, oracle))
    if np.abs(expected.gradient).max(initial=0) < 1e6:
        # Rounding errors of the values come out divided by the deviations, twice in shares.
        condition = max(1.0, (1e-2 / least_deviation(network, data.train_x)) ** 2)
        assert_same(found.mse, expected.mse)
        assert_same(found.reg, expected.reg, condition)
        assert_same(found.gradient, expected.gradient, condition)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("registers", [(64, 4), (32, 2), (16, 4), (16, 2)])
def test_panels_are_products_of_matrices_on_every_cpu(registers, dtype, monkeypatch):
    for name, value in zip(("_BYTES", "_ABREAST"), registers, strict=True):
        monkeypatch.setattr(panels, name, value)
    rng = np.random.default_rng(0)
    n_rows, start, width = 7, 3, registers[0] * registers[1] // np.dtype(dtype).itemsize
    x, g = (rng.normal(size=(rows, TILE)).astype(dtype) for rows in (n_rows, 4))
    w = rng.normal(size=(4, n_rows + start)).astype(dtype)

    # Functions of their own for these registers.
    @compiled(relaxed=False)
    def weigh(*args):
        panels.weigh_panel(*args)

    @compiled(relaxed=False)
    def multiply(*args):
        panels.product_panel(*args)

    found, n = g.copy(), w.shape[1]
    for t in range(0, TILE, width):
        weigh(x.ravel(), t, TILE, w.ravel(), start, n, found.ravel(), t, n_rows)
    limit = 50 * np.finfo(dtype).eps
    assert np.abs(found - (g + w[:, start:] @ x)).max() < limit
    sums = w.copy()
    multiply(x.ravel(), TILE, TILE, g.ravel(), 0, sums.ravel(), start, n)
    expected = w[:, start : start + 4] + g @ x[1:5].T
    assert np.abs(sums[:, start : start + 4] - expected).max() < 20 * limit
    assert np.array_equal(sums[:, :start], w[:, :start])


def least_deviation(network: Network, x: np.ndarray) -> float:
    """The smallest standard deviation of any edge, node or subnode that is not constant."""
    values, deviations = torch.tensor(x), [1.0]
    for plan, layer in zip(program(network), network.layers, strict=True):
        params = tensors(layer, torch.float64)
        seen = edge_values(plan, params, values)
        for part in (seen.inputs, seen.subnodes, seen.spline, seen.spline + seen.symbolic):
            deviations += part.std(dim=0, correction=0).ravel().tolist()
        values = nodes_from_sums(plan, params, seen.subnodes)
    return min(d for d in deviations if d > 0)


def test_adams_update_is_that_of_numpy_bit_for_bit():
    rng = np.random.default_rng(0)
    params, gradient, mean = rng.normal(size=(3, 1003))
    square, size, scale = mean * mean, 1e-2, 1.5
    result = np.empty((3, 1003))
    adam.code()(params, gradient, mean, square, size, scale, result)
    mean = mean + (1 - 0.9) * (gradient - mean)
    square = square + (1 - 0.999) * (gradient * gradient - square)
    moved = params - size * mean / (scale * np.sqrt(square) + 1e-8)
    assert np.array_equal(result, [moved, mean, square])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(x=st.lists(st.floats(-50, 50), min_size=1, max_size=8))
@example(x=[0.0, 1.0, -1.0, 1e-300, -1e-300, 1e300, -1e300, 0.005, 40.0, -40.5, 710.0])
@example(x=[float(np.nextafter(1, 0)), float(np.nextafter(1, 2)), 1e-160, -1e-160])
def test_every_function_has_the_value_and_slope_of_the_table(name, x):
    found = _apply(name, np.array(x))
    points = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    values = functions.get(name).torch(points)
    slopes = torch.zeros_like(points)
    if values.requires_grad:
        (slopes,) = torch.autograd.grad(values.sum(), points)
    for ours, theirs in zip(found, (values.detach().numpy(), slopes.numpy()), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-13)


def _apply(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and slope: the argument is row 0, rows 1 and 2 are room to work in."""
    work = np.zeros((5, TILE))
    work[0] = np.resize(x, TILE)
    apply(encode(name), work.ravel(), 0, 1, 3, 4)
    return work[3, : len(x)], work[4, : len(x)]


def test_every_named_function_but_the_rare_ones_has_a_code():
    rare = {"0", "arcsec", "arccsc", "arccoth", "erfi", "erfinv", "gamma", "loggamma", "digamma"}
    rare |= {"j0", "j1", "y0", "y1", "i0", "i1", "k0", "k1", "airyai", "airybi"}
    rare |= {"Si", "Ci", "Ei", "ellipk", "ellipe", "lambertw"}
    named = {n for n in functions.names() if functions.get(n).exponent is None}
    assert named - rare == set(CODES)
    assert encode("x^2")["whole"] == 2


def with_function(name: str) -> Network:
    """One symbolic edge."""
    network = empty_network([1, 1])
    return network.with_layers((replace(network.layers[0], functions=((name,),)),))


def test_rare_functions_and_other_devices_take_the_torch_path():
    assert not supports(with_function("gamma"), TrainingSettings())
    plain = with_function("sin")
    assert supports(plain, TrainingSettings())
    assert not supports(plain, TrainingSettings(device="cuda"))


@pytest.mark.parametrize("grid", [3, 40])
def test_a_nan_is_not_hidden(grid):
    network = fill(empty_network([2, 2, 1], grid=grid), ("sin",), 1)
    data = Dataset(*(np.ones((3, n)) for n in (2, 1, 2, 1)))
    plan = packing(network).layers[0]
    params = packing(network).pack(network)
    kernel = KernelObjective(network, data, TrainingSettings())
    for index in range(plan.symbolic_start, plan.affine_start):
        broken = params.copy()
        broken[index] = np.nan
        assert np.isnan(kernel.evaluate(broken).mse)
        assert np.isnan(kernel.test_mse(broken))


@pytest.mark.parametrize(("folder", "wanted"), [(None, 0), ("somewhere", 1)])
def test_no_other_process_compiles_what_it_could_not_keep(folder, wanted, monkeypatch):
    asked: list[str] = []
    cache = SimpleNamespace(cache_path=folder, load_overload=lambda *_: None)
    monkeypatch.setitem(entry.run, "float64", SimpleNamespace(_cache=cache, targetctx=None))
    monkeypatch.setattr(objective, "in_other_processes", asked.extend)
    objective._compile_missing(("float64",))
    assert len(asked) == wanted


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_begin_at_cache_lines(dtype):
    for n in (1, 3, 1001, 70_000):
        made = zeros(n, 2, dtype=dtype)
        assert made.shape == (n, 2) and made.dtype == dtype and not made.any()
        assert made.ctypes.data % CACHE_LINE == 0 and made.flags.c_contiguous
