"""Levenberg-Marquardt: the Jacobian, the damping, where it stops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from strategies import fill, networks
from test_training import noise_data, splines

from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.forward import evaluate
from kanstudio.training import Dataset, FormulaData, TrainingSettings, sample_formula, train
from kanstudio.training.jacobian import Linearization, Linearizer, free_parameters
from kanstudio.training.levenberg import LevenbergMarquardt
from kanstudio.training.objective import Evaluation, TorchObjective
from kanstudio.training.packing import packing


@pytest.fixture(scope="module")
def data() -> Dataset:
    def target(x: np.ndarray) -> np.ndarray:
        return np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:2] ** 2)

    return sample_formula(target, FormulaData(((-1, 1), (-1, 1)), 300, 100))


# --- the Jacobian ------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(network=networks(), affine=st.booleans(), weighted=st.booleans(), n=st.sampled_from([3, 90]))
def test_the_jacobian_gives_the_gradient_of_the_objective(network, affine, weighted, n):
    """Both forms: more residuals than parameters, and fewer."""
    data = noise_data(network, n)
    if weighted:
        data = replace(data, train_weight=np.arange(n) + 1.0)
    chosen = TrainingSettings(affine_trainable=affine)
    layout = packing(network, affine_trainable=affine)
    if not layout.size:
        return
    params = layout.pack(network)
    near = Linearizer(network, data, chosen).linearize(params)
    expected = TorchObjective(network, data, chosen).evaluate(params)
    assert near.residuals @ near.residuals / 2 == pytest.approx(expected.mse, rel=1e-12)
    assert np.array_equal(near.free, free_parameters(layout))
    if near.jacobian is None:
        assert near.gram.shape == (len(near.free), len(near.free))
        return
    found = near.jacobian.T @ near.residuals
    assert np.allclose(found, expected.gradient[near.free], rtol=1e-9, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(network=networks(), affine=st.booleans())
def test_columns_of_the_jacobian_are_differences_of_outputs(network, affine):
    layout = packing(network, affine_trainable=affine)
    free = free_parameters(layout)
    if not len(free):
        return
    data, params = noise_data(network, 2), layout.pack(network)
    chosen = TrainingSettings(affine_trainable=affine)
    near = Linearizer(network, data, chosen).linearize(params)
    direction = np.random.default_rng(0).normal(size=len(free))
    scale = np.sqrt(2 / data.train_y.size)

    def residuals(length: float) -> np.ndarray:
        moved = params.copy()
        moved[free] += length * direction
        return scale * (evaluate(layout.unpack(network, moved), data.train_x) - data.train_y).T

    slope = (residuals(1e-6) - residuals(-1e-6)).ravel() / 2e-6
    if near.jacobian is None:
        assert direction @ near.gram @ direction == pytest.approx(slope @ slope, rel=1e-4, abs=1e-8)
    else:
        assert np.allclose(near.jacobian @ direction, slope, rtol=1e-4, atol=1e-4)


def test_the_square_of_the_jacobian_is_that_of_all_chunks(data, monkeypatch):
    network = splines()
    params = packing(network).pack(network)
    whole = Linearizer(network, data, TrainingSettings()).linearize(params)
    monkeypatch.setattr("kanstudio.training.jacobian.CHUNK", 1000)
    parts = Linearizer(network, data, TrainingSettings()).linearize(params)
    assert np.allclose(whole.gram, parts.gram, rtol=1e-12, atol=1e-15)
    assert np.allclose(np.sort(whole.residuals), np.sort(parts.residuals), rtol=1e-12)


def test_a_jacobian_that_fits_no_memory_is_refused(data, monkeypatch):
    monkeypatch.setattr("kanstudio.training.jacobian.MAX_NUMBERS", 100)
    run = train(splines(), data, TrainingSettings(optimizer="LM", steps=3))
    with pytest.raises(TrainingError, match="take LBFGS or Adam"):
        run.step()


# --- the steps ---------------------------------------------------------------------------


class Curve:
    """Residuals of a function of few parameters, for the optimiser alone."""

    def __init__(self, residuals, jacobian, dual: bool) -> None:
        self.residuals, self.jacobian, self.dual = residuals, jacobian, dual

    def evaluate(self, params):
        r = self.residuals(params)
        return Evaluation(float(r @ r) / 2, 0.0, self.jacobian(params).T @ r)

    def linearize(self, params):
        matrix = self.jacobian(params)
        free = np.arange(len(params))
        if self.dual:
            return Linearization(free, None, matrix, self.residuals(params))
        return Linearization(free, matrix.T @ matrix, None, self.residuals(params))


def minimised(problem, params, steps=60):
    optimizer = LevenbergMarquardt()
    memory = optimizer.start(len(params))
    for _ in range(steps):
        params, _, memory = optimizer.step(memory, params, problem, 1.0)
    return params


@pytest.mark.parametrize("dual", [False, True])
def test_the_valley_of_rosenbrock_is_followed_to_its_end(dual):
    problem = Curve(
        lambda p: np.array([10 * (p[1] - p[0] ** 2), 1 - p[0]]),
        lambda p: np.array([[-20 * p[0], 10.0], [-1.0, 0.0]]),
        dual,
    )
    assert np.allclose(minimised(problem, np.array([-1.2, 1.0])), 1, atol=1e-8)


def test_it_finds_the_minimum_that_scipy_finds():
    t = np.linspace(0, 3, 40)
    y = 2 * np.exp(-1.3 * t) + 0.5 + 0.05 * np.sin(40 * t)

    def residuals(p):
        return p[0] * np.exp(-p[1] * t) + p[2] - y

    def jacobian(p):
        e = np.exp(-p[1] * t)
        return np.stack([e, -t * p[0] * e, np.ones_like(t)], axis=1)

    start = np.array([1.0, 0.5, 0.0])
    expected = least_squares(residuals, start, jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15).x
    assert np.allclose(minimised(Curve(residuals, jacobian, False), start), expected, atol=1e-7)


def test_the_loss_never_rises_and_falls_below_what_other_optimisers_reach(data):
    chosen = TrainingSettings(optimizer="LM", steps=25, update_grid=False)
    losses = [p.train_loss for p in train(splines((2, 5, 1)), data, chosen)]
    assert all(b <= a for a, b in pairwise(losses))
    other = replace(chosen, optimizer="LBFGS")
    assert losses[-1] < [p.train_loss for p in train(splines((2, 5, 1)), data, other)][-1]


def test_scale_sp_stays(data):
    network = splines()
    run = train(network, data, TrainingSettings(optimizer="LM", steps=3, update_grid=False))
    list(run)
    for before, after in zip(network.layers, run.network().layers, strict=True):
        assert np.array_equal(before.scale_sp, after.scale_sp)
        assert not np.array_equal(before.coef, after.coef)


@pytest.mark.parametrize("metric", ["edge_forward_spline_n", "edge_backward"])
@pytest.mark.parametrize("n", [40, 300])
def test_a_regularised_step_lowers_loss_and_regulariser_together(data, metric, n):
    few = Dataset(data.train_x[:n], data.train_y[:n], data.test_x, data.test_y)
    chosen = TrainingSettings(
        optimizer="LM", steps=8, lamb=0.01, reg_metric=metric, update_grid=False, patience=0
    )
    run = train(splines(), few, chosen)
    start = run.losses()
    found = [start, *run]
    total = [p.train_loss**2 + chosen.lamb * p.reg for p in found]
    if "backward" not in metric:
        # Attribution has no plain derivative: there a step may find nothing lower.
        assert all(b <= a * (1 + 1e-12) for a, b in pairwise(total))
    assert total[-1] < 0.9 * total[0]


def test_symbolic_parameters_are_found_to_the_last_digit():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 2, (100, 1))
    y = 1.5 * np.sin(2.2 * x + 0.3) - 0.7
    network = fill(empty_network([1, 1]), ("sin",), 0)
    layer = network.layers[0].with_arrays(
        spline_mask=[[0.0]], symbolic_mask=[[1.0]], affine=[[[2.0, 0.0, 1.0, 0.0]]],
        subnode_scale=[1.0], subnode_bias=[0.0], node_scale=[1.0], node_bias=[0.0],
    )  # fmt: skip
    network = network.with_layers((layer,))
    run = train(network, Dataset(x, y, x, y), TrainingSettings(optimizer="LM", steps=30))
    assert list(run)[-1].train_loss < 1e-13
    assert np.allclose(run.network().layers[0].affine[0, 0], [2.2, 0.3, 1.5, -0.7], atol=1e-9)


def test_it_stops_when_the_test_loss_rises():
    """More parameters than samples: the training loss falls to nothing, the test loss not."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (80, 2))
    y = np.sin(3 * x[:, :1]) + 0.1 * rng.normal(size=(80, 1))
    data = Dataset(x[:40], y[:40], x[40:], y[40:])
    run = train(splines((2, 4, 1)), data, TrainingSettings(optimizer="LM", steps=300))
    found = list(run)
    assert len(found) < 300
    assert "stopped early" in run.message
    best = min(p.test_loss for p in found)
    network = run.network()
    error = np.sqrt(((evaluate(network, data.test_x) - data.test_y) ** 2).mean())
    assert error == pytest.approx(best, rel=1e-9)
    assert best < found[-1].test_loss
