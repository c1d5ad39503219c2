"""Runs: gradients, progress, determinism, grid updates, the way back from NaN."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import fill, networks

from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.forward import evaluate
from kanstudio.network.network import Network
from kanstudio.training import (
    Dataset,
    FormulaData,
    TrainingRun,
    TrainingSettings,
    available_devices,
    sample_formula,
    train,
)
from kanstudio.training.objective import TorchObjective
from kanstudio.training.packing import packing
from kanstudio.training.settings import REG_METRICS


def target(x: np.ndarray) -> np.ndarray:
    return np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:2] ** 2)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sample_formula(target, FormulaData(((-1, 1), (-1, 1)), 200, 100))


def splines(width=(2, 3, 1), seed=1, **options) -> Network:
    network = empty_network(width, seed=seed, **options)
    return network.with_layers(
        tuple(layer.with_arrays(spline_mask=np.ones_like(layer.spline_mask))
              for layer in network.layers)
    )  # fmt: skip


def noise_data(network: Network, n: int = 30, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    d, o = len(network.levels[0]), len(network.levels[-1])
    x, y = rng.uniform(-1, 1, (2 * n, d)), rng.normal(size=(2 * n, o))
    return Dataset(x[:n], y[:n], x[n:], y[n:])


# --- parameters and gradients ------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(network=networks(), affine=st.booleans(), seed=st.integers(0, 99))
def test_packing_and_unpacking_are_inverse(network, affine, seed):
    layout = packing(network, affine_trainable=affine)
    params = layout.pack(network)
    assert layout.unpack(network, params).same_values(network)
    other = np.random.default_rng(seed).normal(size=layout.size)
    assert np.array_equal(layout.pack(layout.unpack(network, other)), other)


@settings(max_examples=15, deadline=None)
@given(network=networks())
def test_the_objective_is_the_error_of_the_network(network):
    data = noise_data(network)
    layout = packing(network)
    objective = TorchObjective(network, data, TrainingSettings())
    params = layout.pack(network)
    expected = ((evaluate(network, data.train_x) - data.train_y) ** 2).mean()
    assert objective.evaluate(params).mse == pytest.approx(expected, rel=1e-12)
    expected = ((evaluate(network, data.test_x) - data.test_y) ** 2).mean()
    assert objective.test_mse(params) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", [None, *REG_METRICS])
def test_gradients_are_those_of_finite_differences(metric):
    network = fill(empty_network([2, [2, 1], 2], grid=4, seed=1), ("0", "sin", "x^2"), 5)
    chosen = TrainingSettings(affine_trainable=True)
    if metric is not None:
        # attribution divides by a deviation that counts as a constant: no plain derivative
        chosen = TrainingSettings(
            affine_trainable=True, lamb=0.1, lamb_coef=0.3, lamb_coefdiff=0.2, reg_metric=metric
        )
    objective = TorchObjective(network, noise_data(network), chosen)
    params = packing(network, affine_trainable=True).pack(network)
    direction = np.random.default_rng(0).normal(size=len(params))

    def value(length: float) -> float:
        found = objective.evaluate(params + length * direction)
        return found.mse + chosen.lamb * found.reg

    if metric in ("edge_backward", "node_backward"):
        assert np.isfinite(objective.evaluate(params).gradient).all()
        return
    slope = (value(1e-6) - value(-1e-6)) / 2e-6
    found = objective.evaluate(params).gradient @ direction
    assert found == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_absent_edges_do_not_move(data):
    network = fill(empty_network([2, 3, 1], seed=1), ("0", "x", "sin"), 3)
    run = train(network, data, TrainingSettings(steps=3, update_grid=False))
    trained = [list(run)[-1], run.network()][1]
    for before, after in zip(network.layers, trained.layers, strict=True):
        off = ~before.spline_active
        for name in ("coef", "scale_base", "scale_sp"):
            assert np.array_equal(getattr(before, name)[off], getattr(after, name)[off])
        off = ~before.symbolic_active
        assert np.array_equal(before.affine[off], after.affine[off])
        for name in ("knots", "spline_mask", "symbolic_mask", "subnode_scale", "node_bias"):
            assert np.array_equal(getattr(before, name), getattr(after, name))
        assert before.functions == after.functions


def test_node_maps_move_only_if_asked(data):
    network = splines()
    for affine in (False, True):
        run = train(network, data, TrainingSettings(steps=2, affine_trainable=affine))
        list(run)
        moved = not np.array_equal(run.network().layers[0].node_scale, network.layers[0].node_scale)
        assert moved == affine


# --- optimisers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "steps", "share"),
    [("Adam", 60, 0.6), ("LBFGS", 15, 0.05), ("LM", 15, 0.05), ("auto", 15, 0.05)],
)
@pytest.mark.parametrize("backend", ["torch", "kernel"])
def test_training_reduces_both_losses(data, optimizer, steps, share, backend):
    chosen = TrainingSettings(optimizer=optimizer, steps=steps)
    losses = list(train(splines(), data, chosen, backend=backend))
    start = float(np.sqrt(((evaluate(splines(), data.train_x) - data.train_y) ** 2).mean()))
    assert losses[-1].train_loss < share * start
    assert losses[-1].test_loss < share * start
    assert [p.step for p in losses] == list(range(1, steps + 1))


def test_adam_takes_the_steps_of_torch(data):
    network = splines()
    chosen = TrainingSettings(steps=20, update_grid=False, learning_rate=0.03)
    run = train(network, data, chosen, backend="torch")
    list(run)
    objective = TorchObjective(network, data, chosen)
    layout = packing(network)
    flat = torch.tensor(layout.pack(network), requires_grad=True)
    oracle = torch.optim.Adam([flat], lr=0.03)
    for _ in range(20):
        flat.grad = torch.tensor(objective.evaluate(flat.detach().numpy()).gradient)
        oracle.step()
    assert np.allclose(layout.pack(run.network()), flat.detach().numpy(), rtol=1e-9, atol=1e-12)


# --- runs --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["torch", "kernel"])
@pytest.mark.parametrize(
    "chosen",
    [
        TrainingSettings(steps=8, stop_grid_update_step=6, grid_update_num=3),
        TrainingSettings(steps=8, batch=50, seed=3),
        TrainingSettings(optimizer="LBFGS", steps=3),
        TrainingSettings(optimizer="LM", steps=8, stop_grid_update_step=6, grid_update_num=3),
        TrainingSettings(optimizer="LM", steps=4, batch=20),
    ],
    ids=["adam", "batch", "lbfgs", "lm", "lm-dual"],
)
def test_the_same_arguments_give_the_same_bits(data, chosen, backend):
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (train(splines(), data, chosen, backend=backend) for _ in range(2))
    assert list(first) == list(second)
    assert first.network().same_values(second.network())
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.array_equal(np.random.get_state()[1], state[1])


def test_batches_differ_by_seed(data):
    losses = [
        [p.train_loss for p in train(splines(), data, TrainingSettings(steps=3, batch=20, seed=s))]
        for s in (0, 1)
    ]
    assert losses[0] != losses[1]


def test_a_run_never_touches_its_arguments_and_a_snapshot_stays(data):
    network = splines()
    before = copy.deepcopy(network)
    run = train(network, data, TrainingSettings(steps=5))
    run.step()
    snapshot = run.network()
    kept = copy.deepcopy(snapshot)
    list(run)
    assert network.same_values(before)
    assert snapshot.same_values(kept)
    assert not run.network().same_values(snapshot)


def test_a_run_ends_after_its_steps_and_can_take_more(data):
    run = train(splines(), data, TrainingSettings(steps=2))
    assert [p.step for p in run] == [1, 2]
    assert (run.finished, run.failed, run.state) == (True, False, "finished")
    assert run.step().step == 3


def test_a_run_that_goes_on_counts_on(data):
    chosen = TrainingSettings(steps=5)
    assert [p.step for p in TrainingRun(splines(), data, chosen, n_steps=3)] == [4, 5]


def test_reported_losses_are_those_of_the_snapshot(data):
    for optimizer in ("Adam", "LBFGS", "LM"):
        run = train(splines(), data, TrainingSettings(optimizer=optimizer, steps=4))
        last = list(run)[-1]
        network = run.network()
        error = np.sqrt(((evaluate(network, data.test_x) - data.test_y) ** 2).mean())
        assert last.test_loss == pytest.approx(error, rel=1e-9)
        if optimizer != "Adam":
            error = np.sqrt(((evaluate(network, data.train_x) - data.train_y) ** 2).mean())
            assert last.train_loss == pytest.approx(error, rel=1e-9)


def test_grids_move_when_they_should_and_only_then(data):
    chosen = TrainingSettings(
        steps=12, start_grid_update_step=2, stop_grid_update_step=9, grid_update_num=3
    )
    run = train(splines(), data, chosen)
    moved, knots = [], run.network().layers[0].knots
    for progress in run:
        now = run.network().layers[0].knots
        if not np.array_equal(now, knots):
            moved.append(progress.step - 1)
        knots = now
    # At steps 3 and 6 counted from 0; the samples are the same, so one move is all.
    assert moved[0] == 3
    assert [step for step in range(12) if chosen.updates_grid_at(step)] == [3, 6]


@pytest.mark.parametrize("optimizer", ["Adam", "LBFGS", "LM"])
def test_a_dead_node_does_not_break_a_grid_update(data, optimizer):
    network = splines()
    dead = network.layers[0].with_arrays(spline_mask=[[0, 0], [1, 1], [1, 1]])
    network = network.with_layers((dead, network.layers[1]))
    run = train(network, data, TrainingSettings(optimizer=optimizer, steps=6))
    assert np.isfinite([(p.train_loss, p.test_loss) for p in run]).all()
    assert not run.failed


@pytest.mark.parametrize("backend", ["torch", "kernel"])
@pytest.mark.parametrize("optimizer", ["Adam", "LBFGS", "LM"])
def test_a_loss_that_is_not_finite_is_undone(data, optimizer, backend):
    network = fill(empty_network([2, 1], seed=1), ("x^6",), 0)
    chosen = TrainingSettings(optimizer=optimizer, steps=50, learning_rate=1e6, update_grid=False)
    huge = Dataset(1e60 * data.train_x, data.train_y, data.test_x, data.test_y)
    run = train(network, huge, chosen, backend=backend)
    last = list(run)[-1]
    assert run.failed and run.finished and run.state == "error"
    assert "not finite" in run.message and last.message == run.message
    assert run.network().same_values(network)
    with pytest.raises(TrainingError, match="not finite"):
        run.step()


@pytest.mark.parametrize("metric", [m for m in REG_METRICS if "forward" in m])
def test_a_regularised_run_lowers_the_regulariser(data, metric):
    chosen = TrainingSettings(
        steps=15, lamb=10.0, reg_metric=metric, update_grid=False, learning_rate=0.02
    )
    found = [p.reg for p in train(splines(), data, chosen)]
    assert found[-1] < found[0]


def test_regularisation_counts_coefficients(data):
    chosen = TrainingSettings(
        steps=20, lamb=10.0, lamb_l1=0, lamb_entropy=0, lamb_coef=1, lamb_coefdiff=1
    )
    run = train(splines(), data, chosen)
    list(run)
    size = [np.abs(n.layers[0].coef).sum() for n in (splines(), run.network())]
    assert size[1] < size[0]


def test_float32_is_as_good_as_it_can_be(data):
    chosen = TrainingSettings(steps=10, dtype="float32", update_grid=False)
    exact = TrainingSettings(steps=10, update_grid=False)
    single = list(train(splines(), data, chosen, backend="torch"))[-1]
    double = list(train(splines(), data, exact, backend="torch"))[-1]
    assert single.test_loss == pytest.approx(double.test_loss, rel=1e-4)
    assert single.test_loss != double.test_loss


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_other_devices_give_the_same_numbers(data, device):
    if device not in available_devices():
        pytest.skip(f"this machine has no {device}")
    on_device = TrainingSettings(steps=5, device=device, dtype="float32")
    here = TrainingSettings(steps=5, dtype="float32")
    found, expected = (list(train(splines(), data, s))[-1] for s in (on_device, here))
    assert found.test_loss == pytest.approx(expected.test_loss, rel=1e-3)


def test_a_run_says_at_its_end_how_many_samples_are_outside_a_domain(data):
    network = fill(empty_network([2, 1], seed=1), ("sqrt",), 0)
    layer = network.layers[0]
    plain = layer.with_arrays(
        spline_mask=0 * layer.spline_mask, symbolic_mask=np.ones((1, 2)),
        affine=np.tile([1.0, 0.0, 1.0, 0.0], (1, 2, 1)),
    )  # fmt: skip
    network = network.with_layers((plain,))
    run = train(network, data, TrainingSettings(steps=1, learning_rate=1e-9))
    last = run.step()
    share = max((data.train_x < 0).mean(axis=0))
    assert (
        last.message
        == run.message
        == f"{share:.1%} of the samples lie " + ("outside the domain of a function")
    )
    assert sorted(edge.share for edge in run.outside().values())[-1] == pytest.approx(share)
    inside = train(splines(), data, TrainingSettings(steps=1))
    assert (inside.step().message, inside.outside()) == ("", {})


# --- settings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "SGD"}, "Adam, LBFGS, LM, auto"),
        ({"reg_metric": "x"}, "edge_forward_spline_n"),
        ({"dtype": "float16"}, "float64, float32"),
        ({"device": "tpu"}, "cpu, cuda or mps"),
        ({"device": "mps", "dtype": "float64"}, "float32"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"learning_rate": float("nan")}, "above 0"),
        ({"learning_rate": "1"}, "number"),
        ({"steps": 0}, "1 to"),
        ({"steps": 1.5}, "whole number"),
        ({"steps": True}, "whole number"),
        ({"lamb": -1.0}, "at least 0"),
        ({"batch": 0}, "or -1 for all samples"),
        ({"grid_update_num": 0}, "1 to"),
        ({"seed": -1}, "0 to"),
        ({"update_grid": 1}, "true or false"),
        ({"schedule": "warm"}, "constant, cosine"),
        ({"rate_end": 0.0}, "above 0"),
        ({"rate_factor": 2.0}, "at most 1"),
        ({"rate_every": 0}, "1 to"),
        ({"clip": 0.0}, "above 0"),
        ({"clip": 1.0, "optimizer": "LM"}, "clip is for Adam"),
        ({"patience": -1}, "0 to"),
        ({"min_delta": None}, "must be a number"),
        ({"steps": None}, "whole number"),
        ({"y_th": "x"}, "must be a number"),
        ({"optimizer": ["Adam"]}, "one of Adam"),
        ({"device": "mps", "dtype": "float32", "optimizer": "LM"}, "not LM"),
    ],
)
def test_wrong_settings_say_what_is_allowed(change, message):
    with pytest.raises(TrainingError, match=message):
        TrainingSettings(**change)


def test_default_learning_rates():
    assert TrainingSettings().rate == 1e-2
    assert TrainingSettings(optimizer="LBFGS").rate == 1
    assert TrainingSettings(learning_rate=0.5).rate == 0.5


def test_data_that_do_not_fit_the_network_are_refused(data):
    with pytest.raises(TrainingError, match="1 inputs to 1 outputs"):
        train(splines((1, 1)), data, TrainingSettings())


def test_a_network_without_active_edges_cannot_train(data):
    with pytest.raises(TrainingError, match="nothing to train"):
        train(empty_network([2, 1]), data, TrainingSettings())


def test_a_device_that_is_not_there_is_refused(data):
    missing = next((d for d in ("cuda", "mps") if d not in available_devices()), None)
    if missing is None:
        pytest.skip("this machine has every device")
    with pytest.raises(TrainingError, match="there is cpu"):
        train(splines(), data, TrainingSettings(device=missing, dtype="float32"))
