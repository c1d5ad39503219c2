"""Steps in chunks on a device against the same steps one by one; here the device is the CPU."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import Recording, recorded
from strategies import fill

from kanstudio.errors import TrainingError
from kanstudio.network.build import empty_network
from kanstudio.network.network import Network
from kanstudio.training import (
    Dataset,
    FormulaData,
    Stream,
    TrainingRun,
    TrainingSettings,
    chunks,
    load_checkpoint,
    loop,
    sample_formula,
    save_checkpoint,
)
from kanstudio.training.capture import recorder
from kanstudio.training.chunks import room
from kanstudio.training.loop import clipped
from kanstudio.training.optimizers import clipped as clipped_on_the_host
from kanstudio.training.packing import packing
from kanstudio.training.problem import all_finite


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sample_formula(
        lambda x: np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:2] ** 2),
        FormulaData(((-1, 1), (-1, 1)), 60, 40),
    )


def splines(width=(2, 3, 1), seed=1, **options) -> Network:
    network = empty_network(width, seed=seed, **options)
    return network.with_layers(
        tuple(layer.with_arrays(spline_mask=np.ones_like(layer.spline_mask))
              for layer in network.layers)
    )  # fmt: skip


MIXED = fill(empty_network([2, [2, 1], 1], grid=4, seed=1), ("0", "sin", "x^2"), 5)
CASES = {
    "plain": {},
    "batches": {"batch": 25, "seed": 3},
    "grid": {"stop_grid_update_step": 20, "grid_update_num": 4},
    "regularised": {"lamb": 0.1, "lamb_coef": 0.1},
    "clipped": {"clip": 0.5},
    "single precision": {"dtype": "float32"},
    "affine": {"affine_trainable": True},
    "cosine": {"schedule": "cosine"},
    "plateau": {"schedule": "plateau", "rate_every": 5, "rate_factor": 0.5, "learning_rate": 0.3},
    "early stop": {"patience": 5, "learning_rate": 0.3},
    "early stop with a margin": {"patience": 4, "min_delta": 0.01, "batch": 20},
    "safe": {"singularity_avoiding": True, "y_th": 2.0},
}


def made(data, backend, network=None, steps=26, **options):
    return TrainingRun(
        splines() if network is None else network, data,
        TrainingSettings(**{"steps": steps, **options}), backend=backend,
    )  # fmt: skip


EARLY = 12
"""So many steps agree to the last digits; from then on differences grow, as they do in Adam."""


def assert_same_run(found, expected, rtol=1e-12, later=1e-6):
    """Both run to their ends: the same records, messages, numbers and networks."""
    ours, theirs = list(found), list(expected)
    assert [(p.step, p.message) for p in ours] == [(p.step, p.message) for p in theirs]
    for name in ("train_loss", "test_loss", "reg"):
        a, b = (np.array([getattr(p, name) for p in records]) for records in (ours, theirs))
        np.testing.assert_allclose(a[:EARLY], b[:EARLY], rtol=rtol, atol=rtol)
        np.testing.assert_allclose(a, b, rtol=later, atol=later)
    assert (found.state, found.message) == (expected.state, expected.message)
    for at in ("params", "safe"):
        a, b = (getattr(run.checkpoint(), at) for run in (found, expected))
        np.testing.assert_allclose(a, b, rtol=0, atol=100 * later)


@pytest.mark.parametrize("network", [splines(), MIXED], ids=["splines", "mixed"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_chunks_are_the_same_steps(data, options, network):
    found, expected = (made(data, name, network, **options) for name in ("chunked", "torch"))
    assert_same_run(found, expected, *((1e-6, 1e-4) if "dtype" in options else ()))
    best, other = (run.checkpoint().best for run in (found, expected))
    assert (best is None) == (other is None)
    if best is not None:
        assert (best.step, best.waited) == (other.step, other.waited)
        np.testing.assert_allclose(best.params, other.params, atol=1e-6)


@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_a_recording_of_one_step_plays_all_steps(data, options, monkeypatch):
    expected = made(data, "chunked", MIXED, **options)
    records = list(expected)
    # What a CUDA graph keeps: operators on fixed memory, and nothing of Python.
    monkeypatch.setattr(loop, "recorder", lambda device: recorded)
    found = made(data, "chunked", MIXED, **options)
    assert list(found) == records
    assert found.network().same_values(expected.network())


@settings(max_examples=5, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    case=st.sampled_from(sorted(CASES)),
)
def test_looks_in_the_middle_of_chunks_change_nothing(data, lengths, case):
    expected = made(data, "chunked", steps=25, **CASES[case])
    records, run = list(expected), made(data, "chunked", steps=25, **CASES[case])
    found = []
    for length in lengths:
        for _ in range(length):
            if not run.finished:
                found.append(run.step())
        assert run.n_steps == len(found)
        if len(found) == len(records):
            break
        short = made(data, "chunked", steps=25, **CASES[case])
        for _ in found:
            short.step()
        at, other = run.checkpoint(), short.checkpoint()
        assert run.settled and at.n_steps == len(found)
        assert np.array_equal(at.params, other.params)
        assert not run.finished
    assert [*found, *run] == records
    assert run.network().same_values(expected.network())


@pytest.mark.parametrize("options", [{}, {"batch": 20}, {"patience": 9}], ids=str)
def test_half_and_half_is_the_whole_bit_for_bit(data, options, tmp_path):
    whole = made(data, "chunked", **options)
    records = list(whole)
    first = made(data, "chunked", **options)
    found = [first.step() for _ in range(13)]
    save_checkpoint(first.checkpoint(), tmp_path / "half")
    second = TrainingRun.resume(load_checkpoint(tmp_path / "half"), data, backend="chunked")
    assert [*found, *second] == records
    assert second.network().same_values(whole.network())


@pytest.mark.parametrize("every", [1, 7])
def test_whoever_looks_now_and_again_pays_for_few_steps_twice(data, every, monkeypatch):
    plain, taken = loop.DeviceLoop.take, []
    monkeypatch.setattr(
        loop.DeviceLoop, "take",
        lambda self, at, counts: taken.append(counts[0]) or plain(self, at, counts),
    )  # fmt: skip
    run = made(data, "chunked", steps=60, update_grid=False)
    for progress in run:
        if progress.step % every == 0:
            run.network()
    assert sum(taken) < 60 + 20


def test_chunks_grow_until_they_take_their_time(data, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_S", 1e9)
    plain, taken = loop.DeviceLoop.take, []
    monkeypatch.setattr(
        loop.DeviceLoop, "take",
        lambda self, at, counts: taken.append(counts[0]) or plain(self, at, counts),
    )  # fmt: skip
    list(made(data, "chunked", steps=100, update_grid=False))
    assert taken == [8, 16, 32, 44]
    taken.clear()
    monkeypatch.setattr(chunks, "CHUNK_S", 0.0)
    list(made(data, "chunked", steps=12, update_grid=False))
    assert taken == [8, 1, 1, 1, 1]


@settings(max_examples=100, deadline=None)
@given(
    steps=st.integers(1, 60),
    done=st.integers(0, 70),
    start=st.integers(-1, 50),
    stop=st.integers(0, 60),
    number=st.integers(1, 20),
)
def test_there_is_room_up_to_the_next_grid_update_or_the_end(steps, done, start, stop, number):
    chosen = TrainingSettings(
        steps=steps, start_grid_update_step=start, stop_grid_update_step=stop,
        grid_update_num=number,
    )  # fmt: skip
    at = made_checkpoint(chosen, done)
    events = [s for s in range(done + 1, 200) if chosen.updates_grid_at(s) or s == steps]
    expected = min(events) - done if done < steps else 1
    assert room(at) == expected


def made_checkpoint(chosen, done):
    x = np.zeros((1, 2))
    run = TrainingRun(splines(), Dataset(x, x[:, :1], x, x[:, :1]), chosen)
    return replace(run.checkpoint(), n_steps=done)


# --- steps that go wrong -----------------------------------------------------------------


def test_a_run_that_explodes_goes_on_as_it_would_step_by_step(data):
    network = fill(empty_network([2, 2, 1], seed=1), ("exp",), 0)
    options = {"steps": 40, "learning_rate": 3000.0, "update_grid": False}
    found, expected = (made(data, name, network, **options) for name in ("chunked", "torch"))
    assert_same_run(found, expected, 1e-9)
    assert found.checkpoint().slowdown < 1
    assert not found.failed


def test_a_run_that_cannot_go_on_fails_at_its_last_good_state(data):
    network = fill(empty_network([2, 1], seed=1), ("x^6",), 0)
    huge = Dataset(1e60 * data.train_x, data.train_y, data.test_x, data.test_y)
    run = made(huge, "chunked", network, learning_rate=1e6, update_grid=False)
    last = list(run)[-1]
    assert run.failed and run.finished and "not finite" in run.message == last.message
    assert run.network().same_values(network)


def test_a_batch_without_a_finite_loss_is_left_out(data):
    x, y = np.vstack([data.train_x, [[1e200, 0]]]), np.vstack([data.train_y, [[0]]])
    spoiled = Dataset(x, y, data.test_x, data.test_y)
    options = {"batch": 20, "update_grid": False}
    found, expected = (made(spoiled, name, **options) for name in ("chunked", "torch"))
    assert_same_run(found, expected)


def test_out_of_memory_is_a_message(data, monkeypatch):
    run = made(data, "chunked")
    first = run.step()
    good = run.checkpoint().params

    def full(self, starts, counts):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop.DeviceLoop, "take", full)
    assert first.step == 1
    assert "out of memory in step 2" in run.step().message
    assert run.failed and np.array_equal(run.checkpoint().params, good)


# --- what can be in chunks ---------------------------------------------------------------


def test_only_adam_goes_in_chunks(data):
    with pytest.raises(TrainingError, match="chunked steps are for Adam"):
        made(data, "chunked", optimizer="LBFGS")


def stream(data, sizes, weighted=False):
    """Batches of these sizes of samples that repeat."""
    rng = np.random.default_rng(2)
    batches = []
    for size in sizes:
        rows = rng.choice(data.n_train, size)
        batch = (data.train_x[rows], data.train_y[rows])
        batches.append((*batch, rng.uniform(1, 2, size)) if weighted else batch)
    return Stream(batches, data.test_x, data.test_y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", [[40], [40, 40, 40], [35, 40, 17, 60], [8, 8]], ids=str)
def test_a_stream_goes_in_chunks_from_window_to_window(data, sizes, weighted, monkeypatch):
    monkeypatch.setattr("kanstudio.training.stream.WINDOW", 40)
    monkeypatch.setattr(loop, "recorder", lambda device: recorded)
    found, expected = (
        made(stream(data, sizes, weighted), name, batch=8, steps=30)
        for name in ("chunked", "torch")
    )
    assert_same_run(found, expected)
    ends = [(run.checkpoint().n_read, run.checkpoint().n_used) for run in (found, expected)]
    assert ends[0] == ends[1]


def test_windows_of_one_size_need_one_recording(data, monkeypatch):
    monkeypatch.setattr("kanstudio.training.stream.WINDOW", 40)
    recordings = []
    monkeypatch.setattr(
        loop, "recorder", lambda device: lambda step: recordings.append(1) or recorded(step)
    )
    list(made(stream(data, [40, 40, 40]), "chunked", batch=8, steps=30, update_grid=False))
    assert len(recordings) == 1


def test_looks_inside_a_window_change_nothing(data, monkeypatch, tmp_path):
    monkeypatch.setattr("kanstudio.training.stream.WINDOW", 60)
    source = stream(data, [60, 30, 45])
    whole = made(source, "chunked", batch=6, steps=40)
    records, run, found = list(whole), made(source, "chunked", batch=6, steps=40), []
    for length in (3, 5, 4, 1, 9):
        found += [run.step() for _ in range(length)]
        save_checkpoint(run.checkpoint(), tmp_path / "half")
        run = TrainingRun.resume(load_checkpoint(tmp_path / "half"), source, backend="chunked")
    assert [*found, *run] == records
    assert run.network().same_values(whole.network())


def test_a_loss_of_the_callers_goes_in_chunks(data):
    def loss(prediction, y):
        return (prediction - y).abs().mean()

    chosen = TrainingSettings(steps=20)
    found, expected = (
        TrainingRun(splines(), data, chosen, loss_fn=loss, backend=name)
        for name in ("chunked", "torch")
    )
    assert_same_run(found, expected)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=6),
    limit=st.floats(1e-3, 1e3),
)
def test_a_device_clips_as_the_host_does(values, limit):
    gradient = np.array(values)
    found = clipped(torch.tensor(np.stack([gradient, np.ones_like(gradient)])), limit)
    for ours, theirs in zip(found.numpy(), (gradient, np.ones_like(gradient)), strict=True):
        np.testing.assert_allclose(ours, clipped_on_the_host(theirs, limit), rtol=1e-12)


# --- on cuda -----------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("network", [splines(), MIXED], ids=["splines", "mixed"])
@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_cuda_takes_the_steps_of_the_cpu(data, options, network, caplog):
    options = {"dtype": "float64", **options}
    with caplog.at_level(logging.WARNING):
        found = made(data, "auto", network, device="cuda", **options)
        expected = made(data, "chunked", network, **options)
        assert_same_run(found, expected, *((1e-4, 0.1) if "32" in options["dtype"] else (1e-9,)))
    assert not caplog.records, "the step was not captured"


@pytest.mark.gpu
def test_cuda_takes_single_precision_and_captures_its_step(data, caplog):
    with caplog.at_level(logging.WARNING):
        run = made(data, "auto", device="cuda", steps=100)
        losses = [p.train_loss for p in run]
    assert run.settings.dtype == "float32" and not caplog.records
    expected = [p.train_loss for p in made(data, "torch", steps=100)]
    np.testing.assert_allclose(losses, expected, rtol=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["gamma", "j0"])
def test_cuda_trains_functions_of_the_host_without_a_recording(data, name):
    network = fill(empty_network([2, 2, 1], seed=1), (name,), 0)
    run = made(data, "auto", network, device="cuda", steps=5, dtype="float64")
    assert_same_run(run, made(data, "torch", network, steps=5), 1e-9)


@pytest.mark.gpu
def test_a_chunk_on_cuda_waits_once(data):
    run = made(data, "auto", device="cuda", steps=200, update_grid=False)
    run.step()
    device_loop = run._chunks._loop
    torch.cuda.set_sync_debug_mode("error")
    try:
        device_loop._slot.zero_()
        for _ in range(20):
            device_loop._play()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert int(device_loop._slot) == 20


class PretendedGraph(Recording):
    """torch.cuda's graphs, as far as they are used, on the CPU."""

    def pretend(self, monkeypatch, error="") -> None:
        stream = SimpleNamespace(wait_stream=lambda other: None)

        @contextmanager
        def graph(recording, *, stream, capture_error_mode):
            if error:
                raise RuntimeError(error)
            with recording:
                yield

        for name, value in {
            "device": nullcontext, "Stream": lambda: stream, "current_stream": lambda: stream,
            "stream": nullcontext, "CUDAGraph": lambda: self, "graph": graph,
        }.items():  # fmt: skip
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr(loop, "recorder", lambda device: recorder(torch.device("cuda")))


def test_a_step_is_captured_after_a_few_and_played(data, monkeypatch, caplog):
    expected = list(made(data, "chunked", update_grid=False))
    graph = PretendedGraph()
    graph.pretend(monkeypatch)
    assert list(made(data, "chunked", update_grid=False)) == expected
    assert graph.names and not caplog.records


def test_a_step_that_cannot_be_captured_runs_as_it_is_and_says_so(data, monkeypatch, caplog):
    expected = list(made(data, "chunked", update_grid=False))
    PretendedGraph().pretend(monkeypatch, "operation not permitted when stream is capturing")
    assert list(made(data, "chunked", update_grid=False)) == expected
    assert "not permitted" in caplog.text


def careless(prediction, y):
    error = (prediction - y).square().mean()
    return error if error.item() < 1e9 else 0 * error


def careful(prediction, y):
    return (prediction - y).abs().mean()


@pytest.mark.parametrize(
    ("network", "loss", "waits"),
    [
        (splines(), None, False),
        (MIXED, careful, False),
        (splines(), careless, True),
        (fill(empty_network([2, 2, 1], seed=1), ("j0",), 0), None, True),
    ],
    ids=["plain", "careful", "careless", "j0"],
)
def test_what_waits_for_the_host_is_not_recorded(data, network, loss, waits, monkeypatch):
    recordings = []
    monkeypatch.setattr(
        loop, "recorder", lambda device: lambda step: recordings.append(1) or recorded(step)
    )
    chosen = TrainingSettings(steps=10, update_grid=False)
    run = TrainingRun(network, data, chosen, loss_fn=loss, backend="chunked")
    assert len(list(run)) == 10 and not run.failed
    assert recordings == ([] if waits else [1])


def test_numbers_too_large_to_square_are_finite():
    with np.errstate(over="ignore", invalid="ignore"):
        assert all_finite(np.array([1e200, -1e300]))
        assert not all_finite(np.array([1e200, np.inf]))
        assert not all_finite(np.array([np.nan, 0.0]))


def test_packing_is_the_layout_of_the_state(data):
    run = made(data, "chunked", steps=3)
    list(run)
    at = run.checkpoint()
    assert len(at.params) == packing(at.network).size
    assert set(at.memory) == {"mean", "square", "count"} and float(at.memory["count"]) == 3
