"""The same samples, whatever holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from kanstudio import create_dataset_from_data
from kanstudio.errors import DataError, FileError
from kanstudio.training import Dataset
from kanstudio.training.sources import as_dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 2))
Y = RNG.normal(size=(50, 1))
W = RNG.uniform(size=50)
FRAME = pd.DataFrame({"y": Y[:, 0], "a": X[:, 0], "word": "w", "b": X[:, 1]})
NAMES = ("a", "b"), ("y",)


class Rows(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


SOURCES = {
    "tensors": (torch.tensor(X), torch.tensor(Y)),
    "arrays": [X, Y],
    "frames": (FRAME[["a", "b"]], FRAME["y"]),
    "frame": FRAME,
    "lists": (X.tolist(), Y.tolist()),
    "vector": (X, Y[:, 0]),
    "dataset": TensorDataset(torch.tensor(X), torch.tensor(Y)),
    "loader": DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=7),
    "iterable": Rows(),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_source_gives_the_same_samples(source):
    found = as_dataset(source, *NAMES, test_fraction=0.3, seed=4)
    expected = as_dataset((X, Y), *NAMES, test_fraction=0.3, seed=4)
    for name in ("train_x", "train_y", "test_x", "test_y"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert (found.n_train, found.n_test) == (35, 15)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_are_read_by_their_columns(tmp_path: Path, kind):
    path = tmp_path / f"rows.{kind}"
    frame = FRAME.drop(columns="word")
    if kind == "csv":
        frame.to_csv(path, index=False, float_format="%.17g")
    else:
        frame.to_parquet(path)
    expected = as_dataset((X, Y))
    for source in (path, str(path)):
        found = as_dataset(source, *NAMES)
        assert np.array_equal(found.train_x, expected.train_x)
        assert (found.input_names, found.output_names) == NAMES
    # Other names, but just as many columns: the first are the inputs.
    found = as_dataset(path, ("x1", "x2"), ("z",))
    assert (found.input_names, found.output_names) == (("y", "a"), ("b",))
    with pytest.raises(DataError, match="has no column 'x1'"):
        as_dataset(path, ("x1",), ("z",))


def test_samples_are_split_by_the_seed_and_none_is_lost():
    one, same, other = (as_dataset((X, Y), seed=seed) for seed in (1, 1, 2))
    assert one.same_values(same)
    assert not one.same_values(other)
    together = np.vstack([one.train_x, one.test_x])
    assert np.array_equal(np.sort(together, axis=0), np.sort(X, axis=0))


def test_weights_go_with_their_samples():
    for source in ((X, Y, W), DataLoader(TensorDataset(*map(torch.tensor, (X, Y, W))))):
        found = as_dataset(source)
        weight_of = {tuple(x): w for x, w in zip(X, W, strict=True)}
        assert [weight_of[tuple(x)] for x in found.train_x] == found.train_weight.tolist()
        assert [weight_of[tuple(x)] for x in found.test_x] == found.test_weight.tolist()


def test_a_dictionary_holds_any_kind_of_array():
    found = as_dataset({
        "train_input": torch.tensor(X).requires_grad_(), "train_label": Y[:, 0].tolist(),
        "test_input": FRAME[["a", "b"]], "test_label": FRAME["y"], "train_weight": W,
    })  # fmt: skip
    expected = Dataset(X, Y, X, Y, train_weight=W)
    assert found.same_values(expected)


def test_a_dataset_stays_itself():
    dataset = Dataset(X, Y, X, Y)
    assert as_dataset(dataset) is dataset


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "a dataset is a dictionary"),
        (None, "not NoneType"),
        ((X,), "a dataset is"),
        ((X, "labels"), "labels must be a table of real numbers"),
        ((X, Y[:7]), "50 inputs and 7 labels"),
        ((X, Y, W[:7]), "must be equal"),
        ((X[:1], Y[:1]), "need two"),
        ((X + 1j, Y), "real numbers"),
        ((torch.tensor(X + 1j), Y), "not complex"),
        ((X, Y, -W), "at least 0"),
        ((X, Y, 0 * W), "not only zeros"),
        ((X, np.where(Y > 0, Y, np.nan)), "not finite"),
        ({"train_input": X}, "lacks train_label"),
        (DataLoader(TensorDataset(torch.zeros(0, 1), torch.zeros(0, 1))), "empty"),
        (DataLoader(TensorDataset(torch.zeros(5, 1))), "pair"),
        (FRAME.assign(a=np.nan), "row 1, column 'a'"),
        (FRAME[["word"]], "no column of numbers"),
        ("nowhere.csv", "cannot read nowhere.csv"),
    ],
)
def test_what_holds_no_samples_is_refused(source, message):
    with pytest.raises((DataError, FileError), match=message):
        as_dataset(source, *NAMES)


@pytest.mark.parametrize(("share", "message"), [(0, "between 0 and 1"), ("a", "must be a number")])
def test_a_share_to_test_lies_between_0_and_1(share, message):
    with pytest.raises(DataError, match=message):
        as_dataset((X, Y), test_fraction=share)


# --- create_dataset_from_data ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["arrays", "frames", "named", "file", "torch"])
def test_create_dataset_from_data_takes_every_source(kind, tmp_path: Path):
    expected = create_dataset_from_data(torch.tensor(X), torch.tensor(Y), seed=3)
    frame = FRAME[["a", "b", "y"]]
    frame.to_parquet(tmp_path / "rows.parquet")
    arguments = {
        "arrays": (X, Y),
        "frames": (FRAME[["a", "b"]], FRAME[["y"]]),
        "named": (FRAME, ["y"]),
        "file": (tmp_path / "rows.parquet", "y"),
        "torch": (TensorDataset(torch.tensor(X), torch.tensor(Y)),),
    }
    found = create_dataset_from_data(*arguments[kind], seed=3)
    for name, values in expected.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], values.float())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, "y"), "need a data frame"),
        ((FRAME[["y"]], ["y"]), "no column is left"),
        ((FRAME, ["z"]), "no column 'z'"),
        ((X, Y[:3]), "50 inputs and 3 labels"),
        ((3,), "a dataset is"),
        ((X, Y, 0.8, "tpu3"), "no device 'tpu3'"),
        ((X, Y, 2), "a share from 0 to 1"),
    ],
)
def test_create_dataset_from_data_refuses_the_rest(arguments, message):
    with pytest.raises(DataError, match=message):
        create_dataset_from_data(*arguments)
