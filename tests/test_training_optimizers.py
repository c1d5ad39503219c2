"""Adam, L-BFGS, learning rates, clipping, early stopping; and steps that go wrong."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from strategies import fill
from test_training import splines

import kanstudio
from kanstudio.network.build import empty_network
from kanstudio.network.forward import evaluate
from kanstudio.training import Dataset, FormulaData, TrainingSettings, sample_formula, train
from kanstudio.training.choice import choose
from kanstudio.training.objective import Evaluation, TorchObjective
from kanstudio.training.optimizers import LBFGS, Adam, clipped
from kanstudio.training.schedule import Plateau, rate_at


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sample_formula(
        lambda x: np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:2] ** 2),
        FormulaData(((-1, 1), (-1, 1)), 200, 100),
    )


class Surface:
    """A function of few parameters, for the optimisers alone."""

    def __init__(self, value_and_slope) -> None:
        self.value_and_slope = value_and_slope

    def evaluate(self, params):
        value, slope = self.value_and_slope(params)
        return Evaluation(value, 0.0, slope)


def minimised(optimizer, function, params, steps, rate=1.0):
    """Parameters and reported value after every step."""
    memory, path = optimizer.start(len(params)), []
    for _ in range(steps):
        params, found, memory = optimizer.step(memory, params, Surface(function), rate)
        path.append((params, found.mse))
    return path


def rosenbrock(params):
    x, y = params
    value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    return float(value), np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def test_lbfgs_solves_a_convex_problem_to_the_last_digit():
    rng = np.random.default_rng(0)
    matrix, wanted = rng.normal(size=(30, 12)), rng.normal(size=30)

    def quadratic(params):
        error = matrix @ params - wanted
        return float(error @ error), 2 * matrix.T @ error

    params, _ = minimised(LBFGS(), quadratic, np.zeros(12), 10)[-1]
    assert np.allclose(params, np.linalg.lstsq(matrix, wanted, rcond=None)[0], rtol=1e-10)


def test_lbfgs_never_gets_worse_and_finds_the_valley():
    start = np.array([-1.2, 1.0])
    path = minimised(LBFGS(), rosenbrock, start, 6)
    values = [rosenbrock(start)[0], *(value for _, value in path)]
    assert all(value == rosenbrock(params)[0] for params, value in path)
    assert all(b <= a for a, b in pairwise(values))
    assert np.allclose(path[-1][0], 1, atol=1e-8)


def test_lbfgs_steps_over_a_wall_of_infinities():
    def walled(params):
        if params[0] > 2:
            return np.inf, np.array([np.nan])
        return float((params[0] - 1.9) ** 4), 4 * (params - 1.9) ** 3

    assert minimised(LBFGS(), walled, np.array([-30.0]), 20)[-1][0][0] == pytest.approx(
        1.9, abs=0.01
    )


@pytest.mark.parametrize("optimizer", [Adam(), LBFGS()])
def test_memory_is_never_changed_in_place(optimizer):
    memory = optimizer.start(2)
    params, seen = np.array([-1.2, 1.0]), []
    for _ in range(5):
        step = optimizer.step(memory, params, Surface(rosenbrock), 0.01)
        seen.append((memory, {name: array.copy() for name, array in memory.items()}))
        params, memory = step.params, step.memory
    assert all(np.array_equal(m[k], kept[k]) for m, kept in seen for k in kept)


@pytest.mark.parametrize("lamb", [0.0, 0.001])
def test_lbfgs_works_in_float32_as_in_float64(data, lamb):
    """The rounding of float32 never lets the objective rise."""
    found = {}
    for dtype in ("float32", "float64"):
        chosen = TrainingSettings(
            optimizer="LBFGS", steps=10, dtype=dtype, lamb=lamb, update_grid=False
        )
        run = train(splines(), data, chosen, backend="torch")
        assert run.settings.dtype == dtype
        found[dtype] = [p.train_loss**2 + lamb * p.reg for p in run]
    single, double = found["float32"], found["float64"]
    assert all(b <= a for a, b in pairwise(single))
    assert all(b <= a for a, b in pairwise(double))
    assert single[0] == pytest.approx(double[0], rel=0.1)
    assert single[-1] < 0.02 * single[0] if lamb == 0 else single[-1] < 0.5 * single[0]
    assert double[-1] < 2 * single[-1]


# --- learning rates ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "oracle"),
    [
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 49, 0.01 * 0.1)),
        ("exponential", lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.01 ** (1 / 49))),
        ("step", lambda o: torch.optim.lr_scheduler.StepLR(o, 15, 0.3)),
        ("constant", lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
    ],
)
def test_schedules_are_those_of_torch(schedule, oracle):
    chosen = TrainingSettings(
        steps=50, schedule=schedule, learning_rate=0.1, rate_every=15, rate_factor=0.3
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    rates, scheduler = [], oracle(optimizer)
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert [rate_at(chosen, i, Plateau()) for i in range(50)] == pytest.approx(rates, rel=1e-9)


def test_a_plateau_lowers_the_rate_as_in_torch():
    chosen = TrainingSettings(schedule="plateau", rate_every=3, rate_factor=0.5, learning_rate=1.0)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # torch counts the steps that it forgives, here are counted those that it takes.
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=2, threshold=0
    )
    plateau = Plateau()
    for loss in [5, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 2, 1]:
        plateau = plateau.after(chosen, loss)
        scheduler.step(loss)
        assert rate_at(chosen, 0, plateau) == optimizer.param_groups[0]["lr"]


def test_a_run_follows_its_schedule(data):
    chosen = TrainingSettings(
        steps=3, schedule="step", rate_every=1, rate_factor=1e-9, update_grid=False
    )
    run = train(splines(), data, chosen)
    found = [run.checkpoint().params]
    found += [run.checkpoint().params for _ in run]
    moves = [np.abs(b - a).max() for a, b in pairwise(found)]
    assert moves[0] == pytest.approx(0.01, rel=1e-3)
    assert 0 < moves[1] < 1e-10


# --- clipping ----------------------------------------------------------------------------


def test_clipping_is_that_of_torch_and_knows_infinity():
    gradient = np.random.default_rng(0).normal(size=20)
    tensor = torch.zeros(20, requires_grad=True)
    tensor.grad = torch.tensor(gradient, dtype=torch.float32)
    torch.nn.utils.clip_grad_norm_([tensor], 0.7)
    assert np.allclose(clipped(gradient, 0.7), tensor.grad.numpy(), rtol=1e-4)
    assert np.array_equal(clipped(gradient, 100.0), gradient)
    assert np.array_equal(clipped(np.array([np.inf, 3.0, -np.inf]), 1.0) * np.sqrt(2), [1, 0, -1])
    assert np.allclose(clipped(np.array([3e200, 4e200]), 5.0), [3, 4])
    assert np.isnan(clipped(np.array([np.inf, np.nan]), 1.0)).tolist() == [False, True]
    assert np.array_equal(clipped(np.zeros(3), 1.0), np.zeros(3))


def test_a_clipped_run_takes_steps_where_the_gradient_is_infinite(data, monkeypatch):
    plain = TorchObjective.evaluate

    def infinite(self, params, rows=None):
        found = plain(self, params, rows)
        found.gradient[0] = -np.inf
        return found

    monkeypatch.setattr(TorchObjective, "evaluate", infinite)
    chosen = TrainingSettings(steps=3, clip=1.0, update_grid=False)
    run = train(splines(), data, chosen, backend="torch")
    assert np.isfinite([p.test_loss for p in run]).all()
    assert not run.failed


# --- which optimiser ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "facts", "expected"),
    [
        ({}, {}, "LM"),
        ({}, {"n_parameters": 2000}, "LBFGS"),
        ({}, {"n_parameters": 1_000, "n_residuals": 10_000_000}, "LBFGS"),
        ({}, {"n_parameters": 500_000}, "Adam"),
        ({}, {"minibatches": True}, "Adam"),
        ({}, {"least_squares": False}, "LBFGS"),
        ({"lamb": 0.1}, {}, "LBFGS"),
        ({"clip": 1.0}, {}, "Adam"),
        ({"device": "mps", "dtype": "float32"}, {}, "LBFGS"),
        ({"optimizer": "Adam"}, {}, "Adam"),
    ],
)
def test_auto_picks_by_the_size_of_the_problem(change, facts, expected):
    chosen = TrainingSettings(**{"optimizer": "auto", **change})
    found = choose(chosen, **{"n_parameters": 100, "n_residuals": 1000, **facts})
    assert found.optimizer == expected
    assert found.dtype == ("float32" if "dtype" in change else "float64")
    assert found.rate == {"Adam": 1e-2, "LBFGS": 1.0, "LM": 1.0}[expected]


def test_a_run_says_what_auto_picked(data):
    run = train(splines(), data, TrainingSettings(optimizer="auto", dtype="float32"))
    assert (run.settings.optimizer, run.settings.dtype) == ("LM", "float64")


# --- early stopping ----------------------------------------------------------------------


@pytest.fixture
def noisy() -> Dataset:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (60, 2))
    y = np.sin(3 * x[:, :1]) + 0.3 * rng.normal(size=(60, 1))
    return Dataset(x[:30], y[:30], x[30:], y[30:])


def test_early_stopping_returns_the_best_network(noisy):
    chosen = TrainingSettings(optimizer="LBFGS", steps=100, patience=5, update_grid=False)
    run = train(splines((2, 4, 1)), noisy, chosen)
    found = [p.test_loss for p in run]
    best = int(np.argmin(found))
    assert len(found) == best + 1 + 5
    error = np.sqrt(((evaluate(run.network(), noisy.test_x) - noisy.test_y) ** 2).mean())
    assert error == pytest.approx(found[best], rel=1e-9)
    assert (run.state, run.failed) == ("finished", False)
    assert f"step {best + 1}" in run.message


def test_a_fall_below_min_delta_does_not_count(data):
    chosen = TrainingSettings(steps=50, patience=4, min_delta=1e6, update_grid=False)
    run = train(splines(), data, chosen)
    assert len(list(run)) == 4
    assert "since the start" in run.message
    assert run.network().same_values(splines())


@pytest.mark.parametrize("optimizer", ["Adam", "LBFGS", "LM"])
def test_a_network_that_cannot_get_better_is_returned_as_it_was(optimizer):
    """Training samples that lead away from the law that the network knows."""
    network = kanstudio.compile("sin(x) + 1", dtype=torch.float64).network()
    x = np.linspace(-1, 1, 40)[:, None]
    wrong, right = np.cos(x), np.sin(x) + 1
    chosen = TrainingSettings(optimizer=optimizer, steps=30, patience=6, update_grid=False)
    run = train(network, Dataset(x, wrong, x, right), chosen)
    assert len(list(run)) == 6
    assert run.network().same_values(network)


def test_without_patience_the_last_network_counts(noisy):
    chosen = TrainingSettings(optimizer="LBFGS", steps=15, update_grid=False)
    run = train(splines((2, 4, 1)), noisy, chosen)
    last = list(run)[-1].test_loss
    error = np.sqrt(((evaluate(run.network(), noisy.test_x) - noisy.test_y) ** 2).mean())
    assert error == pytest.approx(last, rel=1e-9)


# --- steps that go wrong -----------------------------------------------------------------


def test_a_run_that_explodes_goes_on_with_smaller_steps(data):
    network = fill(empty_network([2, 2, 1], seed=1), ("exp",), 0)
    chosen = TrainingSettings(steps=60, learning_rate=3000.0, update_grid=False)
    run = train(network, data, chosen)
    found = list(run)
    notes = [p.message for p in found if p.message]
    assert notes and "undone" in notes[0]
    assert not run.failed
    assert np.isfinite([(p.train_loss, p.test_loss) for p in found]).all()
    assert np.isfinite(evaluate(run.network(), data.test_x)).all()


@pytest.mark.parametrize("optimizer", ["Adam", "LBFGS", "LM"])
def test_after_a_few_tries_a_run_fails_at_its_last_good_state(data, optimizer, monkeypatch):
    chosen = TrainingSettings(optimizer=optimizer, steps=50, update_grid=False)
    run = train(splines(), data, chosen, backend="torch")
    for _ in range(3):
        run.step()
    good = run.network()
    asked = []
    monkeypatch.setattr(
        TorchObjective, "test_mse", lambda self, params: asked.append(1) or float("nan")
    )
    last = run.step()
    assert run.failed and run.finished and np.isnan(last.train_loss)
    assert 1 < len(asked) < 10
    assert (last.step, run.n_steps) == (4, 3)
    error = np.sqrt(((evaluate(run.network(), data.test_x) - data.test_y) ** 2).mean())
    expected = np.sqrt(((evaluate(good, data.test_x) - data.test_y) ** 2).mean())
    # Adam goes back to where the training loss was seen last, a step before.
    assert error == pytest.approx(expected, rel=0.2)


def test_a_batch_without_a_finite_loss_is_left_out(data, monkeypatch):
    x = np.vstack([data.train_x, [[1e200, 0.0]]])
    y = np.vstack([data.train_y, [[0.0]]])
    spoiled = Dataset(x, y, data.test_x, data.test_y)
    chosen = TrainingSettings(steps=40, batch=40, update_grid=False)
    run = train(splines(), spoiled, chosen)
    found = list(run)
    assert not run.failed
    assert sum("left out" in p.message for p in found) > 2
    assert np.isfinite([p.train_loss for p in found]).all()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[enforce] can't allocate memory")])
def test_out_of_memory_is_a_message_and_the_network_is_intact(data, error, monkeypatch):
    run = train(splines(), data, TrainingSettings(steps=9), backend="torch")
    run.step()
    before = run.checkpoint()

    def full(self, params, rows=None):
        raise error

    monkeypatch.setattr(TorchObjective, "evaluate", full)
    assert "out of memory in step 2" in run.step().message
    assert run.failed
    assert run.checkpoint().network is before.network


def test_out_of_memory_after_a_step_undoes_the_step(data, monkeypatch):
    """The last look at the domains, which comes when the last step is done."""
    run = train(splines(), data, TrainingSettings(steps=2))
    run.step()
    before = run.network()

    def full(*_):
        raise MemoryError

    monkeypatch.setattr("kanstudio.training.run.outside", full)
    assert "out of memory in step 2" in run.step().message
    assert (run.failed, run.n_steps) == (True, 1)
    assert run.network().same_values(before)
