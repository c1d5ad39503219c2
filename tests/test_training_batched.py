"""Many networks trained at once against each one trained alone."""

from __future__ import annotations

import logging
from itertools import pairwise

import numpy as np
import pytest
import torch
from recording import recorded
from strategies import fill
from test_training_chunks import splines

from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.network import Network
from kanstudio.training import (
    Dataset,
    FormulaData,
    SeedTraining,
    TrainingRun,
    TrainingSettings,
    batched,
    loop,
    sample_formula,
    train_seeds,
)

SEEDS = range(4)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sample_formula(
        lambda x: np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:2] ** 2),
        FormulaData(((-1, 1), (-1, 1)), 60, 40),
    )


def family(count: int = len(SEEDS)) -> list[Network]:
    return [splines(seed=seed) for seed in range(count)]


def symbolic(seed: int) -> Network:
    """The same functions and active edges for every seed, other numbers."""
    network = fill(empty_network([2, [2, 1], 1], grid=4, seed=1), ("0", "sin", "x^2"), 5)
    rng = np.random.default_rng(seed)
    return network.with_layers(tuple(
        layer.with_arrays(
            coef=layer.coef + 0.1 * rng.normal(size=layer.coef.shape),
            affine=layer.affine + 0.1 * rng.normal(size=layer.affine.shape),
            node_bias=layer.node_bias + 0.1 * rng.normal(size=layer.node_bias.shape),
        )
        for layer in network.layers
    ))  # fmt: skip


def assert_each_as_alone(networks, data, settings, rtol=1e-10, **options):
    """Trains both ways; the results of all at once."""
    each = [settings] * len(networks) if isinstance(settings, TrainingSettings) else settings
    found = train_seeds(networks, data, settings, backend="chunked", **options)
    for network, chosen, result in zip(networks, each, found, strict=True):
        run = TrainingRun(network, data, chosen, backend="torch")
        expected = list(run)
        assert [p.step for p in result.progress] == [p.step for p in expected]
        assert [p.message for p in result.progress] == [p.message for p in expected]
        assert (result.state, result.message) == (run.state, run.message)
        for name in ("train_loss", "test_loss", "reg"):
            ours, theirs = ([getattr(p, name) for p in x] for x in (result.progress, expected))
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)
        for ours, theirs in zip(result.network.layers, run.network().layers, strict=True):
            for (name, a), (_, b) in zip(ours.arrays(), theirs.arrays(), strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=100 * rtol, err_msg=name)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"update_grid": False},
        {"batch": 20, "seed": 3},
        {"lamb": 0.01},
        {"clip": 0.5},
        {"affine_trainable": True},
        {"schedule": "cosine"},
    ],
    ids=str,
)
def test_fifty_steps_at_once_are_those_of_each_alone(data, options):
    assert_each_as_alone(family(), data, TrainingSettings(steps=50, **options))


def test_symbolic_fronts_and_mult_nodes_train_at_once(data):
    networks = [symbolic(seed) for seed in SEEDS]
    assert_each_as_alone(networks, data, TrainingSettings(steps=12, lamb=0.1), 1e-8)


def test_settings_of_their_own(data):
    each = [
        TrainingSettings(steps=30, seed=1, batch=20),
        TrainingSettings(steps=30, seed=2, batch=20, lamb=0.01, lamb_l1=2.0),
        TrainingSettings(steps=20, seed=3, batch=20, learning_rate=0.003, lamb=0.1),
        TrainingSettings(steps=25, seed=4, batch=20, schedule="step", rate_every=7),
    ]
    assert_each_as_alone(family(), data, each)


def test_early_stops_leave_the_others_alone(data):
    each = [TrainingSettings(steps=80, patience=6, learning_rate=r) for r in (1, 0.3, 0.1, 1e-3)]
    found = assert_each_as_alone(family(), data, each)
    lengths = [len(result.progress) for result in found]
    assert min(lengths) < max(lengths) == 80


def test_a_network_that_explodes_leaves_the_others_alone(data):
    networks = [fill(empty_network([2, 2, 1], seed=seed), ("exp",), 0) for seed in SEEDS]
    each = [
        TrainingSettings(steps=25, learning_rate=rate, update_grid=False, batch=30)
        for rate in (0.01, 3000.0, 0.001, 0.02)
    ]
    found = assert_each_as_alone(networks, data, each, 1e-8)
    assert any("undone" in p.message for p in found[1].progress)
    assert not any(p.message for p in found[0].progress)


def test_a_network_that_fails_leaves_the_others_alone(data):
    x = data.train_x.copy()
    spoiled = Dataset(x * 1e60, data.train_y, data.test_x, data.test_y)
    base = fill(empty_network([2, 1], seed=1), ("x^6",), 0)
    layer = base.layers[0]
    harmless = base.with_layers((layer.with_arrays(affine=layer.affine * [1e-62, 1, 1, 1]),))
    # Larger steps would end what is harmless, too.
    chosen = TrainingSettings(steps=9, update_grid=False, learning_rate=1e-70)
    found = train_seeds([harmless, base, harmless], spoiled, chosen, backend="chunked")
    assert [result.state for result in found] == ["finished", "error", "finished"]
    assert found[0].progress == found[2].progress and len(found[0].progress) == 9
    assert "not finite" in found[1].message and found[1].network.same_values(base)


def test_runs_that_are_behind_catch_up_where_batches_are_shared(data):
    chosen = TrainingSettings(steps=30, batch=20, seed=5)
    alone = []
    for network, taken in zip(family(), (0, 7, 7, 12), strict=True):
        run = TrainingRun(network, data, chosen, backend="torch")
        for _ in range(taken):
            run.step()
        alone.append(run)
    training = SeedTraining.resume([run.checkpoint() for run in alone], data, backend="chunked")
    steps = [[p.step for news in chunk for p in news] for chunk in training]
    assert sum(map(len, steps)) == 30 + 23 + 23 + 18
    for run, expected in zip(training.runs, alone, strict=True):
        list(expected)
        found = run.checkpoint().params
        np.testing.assert_allclose(found, expected.checkpoint().params, rtol=0, atol=1e-9)


def test_records_come_chunk_by_chunk_and_runs_can_be_asked_in_between(data):
    training = SeedTraining(family(), data, TrainingSettings(steps=40), backend="chunked")
    counts = np.zeros(len(SEEDS), int)
    for news in training:
        counts += [len(progress) for progress in news]
        assert [run.n_steps for run in training.runs] == counts.tolist()
        assert all(run.network() is not None for run in training.runs)
    assert counts.tolist() == [40] * len(SEEDS)
    assert next(training, None) is None


def test_a_recorded_step_plays_for_all_networks(data, monkeypatch):
    chosen = TrainingSettings(steps=30, batch=20, lamb=0.01, patience=20, clip=1.0)
    expected = train_seeds(family(), data, chosen, backend="chunked")
    monkeypatch.setattr(loop, "recorder", lambda device: recorded)
    found = train_seeds(family(), data, chosen, backend="chunked")
    assert [r.progress for r in found] == [r.progress for r in expected]
    assert all(a.network.same_values(b.network) for a, b in zip(found, expected, strict=True))


def test_groups_that_do_not_fit_into_memory_are_halved(data, monkeypatch):
    expected = train_seeds(family(5), data, TrainingSettings(steps=15), backend="chunked")
    plain, sizes = loop.DeviceLoop.take, []

    def small(self, starts, counts):
        sizes.append(len(starts))
        if len(starts) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, starts, counts)

    monkeypatch.setattr(loop.DeviceLoop, "take", small)
    found = train_seeds(family(5), data, TrainingSettings(steps=15), backend="chunked")
    assert sizes[0] == 5 and {*sizes} == {5, 3, 2, 1}
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours.progress) == 15
        np.testing.assert_allclose(
            [p.test_loss for p in ours.progress], [p.test_loss for p in theirs.progress], rtol=1e-9
        )


def test_memory_of_the_host_bounds_a_group(data, monkeypatch):
    plain, sizes = loop.DeviceLoop.take, []
    monkeypatch.setattr(
        loop.DeviceLoop, "take",
        lambda self, at, counts: sizes.append(len(at)) or plain(self, at, counts),
    )  # fmt: skip
    features = data.n_train * (2 + 3) * (splines().layers[0].coef.shape[2] + 1)
    monkeypatch.setattr(batched, "MAX_NUMBERS", 3 * features + 1)
    found = train_seeds(family(7), data, TrainingSettings(steps=5), backend="chunked")
    assert set(sizes) == {3, 1}
    assert [len(result.progress) for result in found] == [5] * 7


def test_on_the_cpu_each_network_trains_alone_with_the_kernel(data):
    chosen = TrainingSettings(steps=20, batch=20)
    training = SeedTraining(family(), data, chosen)
    assert not training.together
    found = train_seeds(family(), data, chosen)
    for network, result in zip(family(), found, strict=True):
        run = TrainingRun(network, data, chosen)
        assert result.progress == tuple(run)
        assert result.network.same_values(run.network())


@pytest.mark.parametrize("optimizer", ["LBFGS", "LM", "auto"])
def test_other_optimizers_train_one_after_the_other(data, optimizer):
    chosen = TrainingSettings(optimizer=optimizer, steps=3)
    networks = [splines(seed=0), splines((2, 2, 1), seed=1)]
    for network, result in zip(networks, train_seeds(networks, data, chosen), strict=True):
        assert result.progress == tuple(TrainingRun(network, data, chosen))


def test_what_cannot_be_trained_at_once_is_said(data):
    chosen = TrainingSettings(steps=3)
    masked = splines().layers[0].with_arrays(spline_mask=[[0, 1], [1, 1], [1, 1]])
    other = splines().with_layers((masked, splines().layers[1]))
    for networks, settings, words in (
        ([splines(), other], chosen, "active edges"),
        ([splines(), splines((2, 2, 1))], chosen, "levels"),
        (family(2), [chosen, TrainingSettings(steps=3, batch=20)], "the same batch"),
        (family(2), [chosen], "2 networks need 2 settings or one, not 1"),
        ([], chosen, "no network"),
        (family(2), TrainingSettings(optimizer="LM"), "with Adam"),
    ):
        with pytest.raises(TrainingError, match=words):
            SeedTraining(networks, data, settings, backend="chunked")


def test_checkpoints_go_on_as_if_there_had_been_no_break(data):
    chosen = TrainingSettings(steps=40)
    whole = train_seeds(family(), data, chosen, backend="chunked")
    first = SeedTraining(family(), data, chosen, backend="chunked")
    found = [list(progress) for progress in next(first)]
    second = SeedTraining.resume(
        [run.checkpoint() for run in first.runs], data, backend="chunked"
    )  # fmt: skip
    for news in second:
        for known, new in zip(found, news, strict=True):
            known.extend(new)
    assert [tuple(known) for known in found] == [result.progress for result in whole]
    for known in found:
        assert all(b.step == a.step + 1 for a, b in pairwise(known))


# --- on cuda -----------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("options", [{}, {"batch": 20}, {"lamb": 0.01}], ids=str)
def test_seeds_on_cuda_take_the_steps_of_the_cpu(data, options, caplog):
    chosen = {"steps": 30, "dtype": "float64", **options}
    with caplog.at_level(logging.WARNING):
        found = train_seeds(family(), data, TrainingSettings(device="cuda", **chosen))
    assert not caplog.records, "the step was not captured"
    expected = train_seeds(family(), data, TrainingSettings(**chosen), backend="chunked")
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            [p.test_loss for p in ours.progress], [p.test_loss for p in theirs.progress], rtol=1e-6
        )
