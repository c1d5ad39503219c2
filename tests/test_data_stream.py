"""Training on batches that are never all in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_training import splines
from torch.utils.data import DataLoader, TensorDataset

from kanstudio.errors import DataError, TrainingError
from kanstudio.network.forward import evaluate
from kanstudio.training import Stream, TrainingRun, TrainingSettings
from kanstudio.training.checkpoint_file import checkpoint_bytes, checkpoint_from_bytes
from kanstudio.training.stream import Feed


def law(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * x[:, :1]) * x[:, 1:]


class Source:
    """Batches that are made while they are read; counts how many are."""

    def __init__(self, n_batches: int, size: int = 50) -> None:
        self.n_batches, self.size, self.n_read = n_batches, size, 0

    def __iter__(self):
        for index in range(self.n_batches):
            self.n_read += 1
            x = np.random.default_rng(index).uniform(-1, 1, (self.size, 2))
            yield x, law(x)


TEST = np.random.default_rng(99).uniform(-1, 1, (80, 2))


def stream(batches) -> Stream:
    return Stream(batches, TEST, law(TEST))


def adam(**changes) -> TrainingSettings:
    return TrainingSettings(**{"steps": 60, "batch": 25, "learning_rate": 0.02, **changes})


def test_a_run_learns_from_a_stream():
    run = TrainingRun(splines(), stream(Source(20)), adam(steps=250))
    start = np.sqrt(((evaluate(run.network(), TEST) - law(TEST)) ** 2).mean())
    last = list(run)[-1]
    assert last.test_loss < 0.3 * start
    assert run.settings.optimizer == "Adam"


def test_a_stream_is_read_no_further_than_needed(monkeypatch):
    monkeypatch.setattr("kanstudio.training.stream.WINDOW", 100)
    source = Source(1_000_000)
    list(TrainingRun(splines(), stream(source), adam(steps=12)))
    # Four steps a window of two batches; the window after the last is ready, too.
    assert source.n_read == 8


def test_every_row_of_a_pass_is_used_once(monkeypatch):
    monkeypatch.setattr("kanstudio.training.stream.WINDOW", 130)
    feed = Feed(stream(Source(7)), adam(seed=3))
    seen = []
    while sum(map(len, seen)) < 350:
        seen.append(feed.window.train_x[feed.rows(0)])
        feed.advance()
    expected = np.concatenate([x for x, _ in Source(7)])
    assert np.array_equal(np.sort(np.concatenate(seen), axis=0), np.sort(expected, axis=0))
    assert not np.array_equal(np.concatenate(seen), expected)


@pytest.mark.parametrize("window", [60, 130, 10_000])
def test_two_halves_are_the_whole_bit_for_bit(window, monkeypatch):
    monkeypatch.setattr("kanstudio.training.stream.WINDOW", window)
    whole = TrainingRun(splines(), stream(Source(5)), adam())
    expected = list(whole)
    for stop in (1, 9, 10, 11, 37):
        first = TrainingRun(splines(), stream(Source(5)), adam())
        found = [first.step() for _ in range(stop)]
        saved = checkpoint_from_bytes(checkpoint_bytes(first.checkpoint()))
        second = TrainingRun.resume(saved, stream(Source(5)))
        assert found + list(second) == expected
        assert second.network().same_values(whole.network())


def test_tensors_weights_and_rows_that_are_not_finite():
    x = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    y = law(x)
    y[7] = np.nan
    samples = TensorDataset(*map(torch.tensor, (x, y, np.arange(60.0))))
    feed = Feed(stream(DataLoader(samples, batch_size=16)), adam())
    assert feed.window.n_train == 59
    assert feed.window.train_weight.tolist() == [i for i in range(60) if i != 7]
    run = TrainingRun(splines(), stream(DataLoader(samples, batch_size=16)), adam(steps=5))
    assert not np.isnan([p.train_loss for p in run]).any()


@pytest.mark.parametrize(
    ("batches", "change", "message"),
    [
        (Source(3), {"optimizer": "LM"}, "Adam only"),
        (Source(3), {"optimizer": "LBFGS"}, "Adam only"),
        (Source(3), {"batch": -1}, "needs batch"),
        ([], {}, "no batches"),
        ([(np.full((30, 2), np.nan), np.zeros((30, 1)))], {}, "no row"),
        ([(TEST, law(TEST)), (TEST[:, :1], law(TEST))], {"batch": 150}, "other columns"),
        ([TEST], {}, "a batch is a pair"),
        ([(TEST[:, :1], law(TEST))], {}, "number of inputs"),
    ],
)
def test_what_cannot_be_a_stream_is_refused(batches, change, message):
    with pytest.raises((TrainingError, DataError), match=message):
        TrainingRun(splines(), stream(batches), adam(**change))


def test_an_iterator_is_refused():
    with pytest.raises(DataError, match="read more than once"):
        stream(iter(Source(3)))
