"""Adam's steps in compiled code, one after the other, against the same steps one by one."""

from __future__ import annotations

import numpy as np
import pytest
from strategies import fill

from kanstudio.network.build import empty_network
from kanstudio.network.edits import random_spline_network
from kanstudio.training import (
    Dataset,
    TrainingRun,
    TrainingSettings,
    load_checkpoint,
    save_checkpoint,
)

SPLINES = random_spline_network(empty_network([2, [3, 1], 1], seed=1))
BOTH = fill(empty_network([2, 3, 1], seed=2), ("0", "sin", "exp"), 3)


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (350, 2))
    y = np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:] ** 2)
    return Dataset(x[:270], y[:270], x[270:], y[270:])


def pair(data, network=SPLINES, **options):
    """The same run in compiled chunks, and step by step."""
    chosen = TrainingSettings(**{"steps": 45, **options})
    return [TrainingRun(network, data, chosen, backend=name) for name in ("kernel", "shared")]


def assert_same(run, other):
    at, expected = run.checkpoint(), other.checkpoint()
    assert (at.n_steps, at.slowdown, at.plateau) == (
        expected.n_steps, expected.slowdown, expected.plateau
    )  # fmt: skip
    for name in ("params", "safe"):
        assert np.array_equal(getattr(at, name), getattr(expected, name))
    assert at.memory.keys() == expected.memory.keys()
    for name, values in at.memory.items():
        assert np.array_equal(values, expected.memory[name])


OPTIONS = {
    "plain": {"update_grid": False},
    "grids": {"stop_grid_update_step": 30, "grid_update_num": 4},
    "regularised": {"lamb": 1e-2, "lamb_coef": 0.1},
    "backward": {"lamb": 1e-2, "reg_metric": "edge_backward"},
    "cosine": {"schedule": "cosine"},
    "plateau": {"schedule": "plateau", "rate_every": 3, "learning_rate": 0.3},
    "affine": {"affine_trainable": True},
    "float32": {"dtype": "float32"},
}


@pytest.mark.parametrize("network", [SPLINES, BOTH], ids=["splines", "both fronts"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_steps_in_chunks_are_the_single_steps_bit_for_bit(data, network, options):
    run, single = pair(data, network, **options)
    assert list(run) == list(single) and not run.failed
    assert_same(run, single)


@pytest.mark.parametrize("rate", [1e5, 1e6])
def test_steps_that_are_not_finite_are_undone_the_same_way(data, rate):
    run, single = pair(data, BOTH, learning_rate=rate, update_grid=False, steps=20)
    found, expected = list(run), list(single)
    assert any(step.message for step in expected)
    np.testing.assert_equal([str(step) for step in found], [str(step) for step in expected])
    assert (run.state, run.message) == (single.state, single.message)
    assert_same(run, single)


def test_a_look_inside_a_chunk_and_a_break_change_nothing(data, tmp_path):
    run, single = pair(data, update_grid=False, steps=200)
    records, found = list(single), []
    while len(found) < 120:
        found.append(run.step())
        if len(found) % 11 == 0:
            assert run.checkpoint().n_steps == run.n_steps == len(found)
    save_checkpoint(run.checkpoint(), tmp_path / "here")
    resumed = TrainingRun.resume(load_checkpoint(tmp_path / "here"), data)
    assert [*found, *resumed] == records
    assert_same(resumed, single)


def test_a_snapshot_stays_as_it_is_while_the_run_goes_on(data):
    run, _ = pair(data, update_grid=False, steps=200)
    for _ in range(50):
        run.step()
    at = run.checkpoint()
    values = [at.params.copy(), at.safe.copy(), *(item.copy() for item in at.memory.values())]
    list(run)
    assert all(map(np.array_equal, values, [at.params, at.safe, *at.memory.values()]))


@pytest.mark.parametrize("options", [{"batch": 50}, {"clip": 0.1}, {"patience": 5}], ids=str)
def test_what_has_to_be_looked_at_between_steps_goes_step_by_step(data, options):
    run, single = pair(data, **options)
    assert list(run) == list(single)
    assert run.settled
    assert_same(run, single)
