"""Samples from whatever holds them: tensors, NumPy, pandas, files, torch datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import data as torch_data

from kanstudio.errors import DataError, FileError
from kanstudio.network.network import FloatArray, frozen
from kanstudio.training.data import Dataset, split_samples, table_dataset
from kanstudio.training.table import MAX_CELLS, Table, read_table

KEYS = ("train_input", "train_label", "test_input", "test_label")
WEIGHTS = ("train_weight", "test_weight")
_WHAT = (
    "a dataset is a dictionary with train_input, train_label, test_input and test_label, "
    "a pair (inputs, labels), a data frame, the path of a CSV or Parquet file, or a torch "
    "Dataset or DataLoader"
)


def as_array(values: object, what: str) -> FloatArray:
    """Real numbers of any kind of array as float64 (n, columns); a vector is a column.

    what names the values in the error.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        if values.is_complex():
            raise DataError(f"{what} must be real numbers, not complex ones")
        values = values.to(torch.float64).numpy()
    try:
        array = np.asarray(values)
        if array.ndim == 0 or (array.dtype.kind not in "biuf" and array.dtype != object):
            raise TypeError
        numbers: FloatArray = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        kind = type(values).__name__
        raise DataError(f"{what} must be a table of real numbers, not {kind}") from error
    return numbers[:, None] if numbers.ndim == 1 else numbers


def is_frame(values: object) -> bool:
    """True for a pandas (or similar) data frame: named columns of equal length."""
    return hasattr(values, "columns") and hasattr(values, "to_numpy")


def frame_table(frame: Any) -> Table:
    """The numeric columns of a data frame; DataError for the first cell that is not finite."""
    names, columns, skipped = [], [], []
    for name in frame.columns:
        try:
            column = as_array(frame[name].to_numpy(), f"column {name!r}")
        except DataError:
            skipped.append(str(name))
            continue
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise DataError(f"row {bad[0] + 1}, column {str(name)!r}: not a finite number")
        names.append(str(name))
        columns.append(column)
    if not columns:
        raise DataError("the data frame has no column of numbers")
    return Table("the data frame", tuple(names), frozen(np.hstack(columns)), tuple(skipped))


def read_file(path: str | Path) -> Table:
    """A CSV or Parquet file from this machine's disk."""
    try:
        return read_table(Path(path).read_bytes(), Path(path).name)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error


def as_dataset(
    source: object,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    *,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Any source of samples as a Dataset.

    - a Dataset: itself.
    - a dictionary of train_input, train_label, test_input, test_label, each [n, columns];
      train_weight and test_weight may say how much each sample counts.
    - (inputs, labels) or (inputs, labels, weights), a torch Dataset or DataLoader of such
      pairs or triples, a data frame, the path of a CSV or Parquet file: shuffled by seed,
      and the share test_fraction kept to test.

    inputs and outputs: the columns of frames and files. Where the table lacks these names
    and has just as many columns, the first are the inputs. Raises DataError or FileError.
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, str | Path):
        table = read_file(source)
    elif is_frame(source):
        table = frame_table(source)
    else:
        x, y, weight = samples_of(source)
        return split_samples(x, y, test_fraction, seed, weight=weight)
    return table_dataset(table, *_chosen(table, inputs, outputs), test_fraction, seed)


def samples_of(source: object) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Inputs (n, d), labels (n, o) and weights (n,) or None of a pair, Dataset or DataLoader."""
    return _columns(_pair(source))


def _from_mapping(source: Mapping[Any, object]) -> Dataset:
    missing = [name for name in KEYS if name not in source]
    if missing:
        raise DataError(f"the dataset lacks {', '.join(missing)}")
    train_x, train_y, test_x, test_y = (as_array(source[name], name) for name in KEYS)
    train_weight, test_weight = (
        None if source.get(name) is None else as_array(source[name], name) for name in WEIGHTS
    )
    return Dataset(
        train_x, train_y, test_x, test_y, train_weight=train_weight, test_weight=test_weight
    )


def _chosen(
    table: Table, inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[Sequence[str], Sequence[str]]:
    named = {*inputs, *outputs} <= {*table.names}
    if named or not inputs or len(table.names) != len(inputs) + len(outputs):
        return inputs, outputs
    return table.names[: len(inputs)], table.names[len(inputs) :]


def _pair(source: object) -> tuple[object, ...]:
    """(inputs, labels) or (inputs, labels, weights) as arrays."""
    if isinstance(source, tuple | list) and len(source) in (2, 3):
        return tuple(source)
    if isinstance(source, torch_data.DataLoader):
        return _joined(source)
    if isinstance(source, torch_data.IterableDataset):
        return _joined(torch_data.DataLoader(source, batch_size=1024))
    if isinstance(source, torch_data.Dataset):
        if not hasattr(source, "__len__"):
            raise DataError("a torch Dataset needs a length; wrap it into a DataLoader")
        return _joined(torch_data.DataLoader(source, batch_size=1024))
    raise DataError(f"{_WHAT}; not {type(source).__name__}")


def batch_of(item: object) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """One batch (inputs, labels) or (inputs, labels, weights) as arrays."""
    if not isinstance(item, tuple | list) or len(item) not in (2, 3):
        raise DataError(
            "a batch is a pair (inputs, labels) or a triple with weights, "
            f"not {type(item).__name__}"
        )
    return _columns(tuple(item))


def _columns(item: tuple[object, ...]) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    x, y = as_array(item[0], "inputs"), as_array(item[1], "labels")
    weight = None if len(item) == 2 or item[2] is None else as_array(item[2], "weights")[:, 0]
    if len(x) != len(y) or (weight is not None and len(weight) != len(x)):
        raise DataError(f"{len(x)} inputs and {len(y)} labels: their numbers must be equal")
    return x, y, weight


def _joined(batches: Iterable[object]) -> tuple[object, ...]:
    parts: list[Any] = []
    n_cells = 0
    for item in batches:
        parts.append(batch_of(item))
        n_cells += parts[-1][0].size + parts[-1][1].size
        if n_cells > MAX_CELLS:
            raise DataError(
                f"more than {MAX_CELLS:,} numbers: train on a Stream of batches instead"
            )
    if not parts:
        raise DataError("the dataset is empty")
    weights = [weight for _, _, weight in parts if weight is not None]
    x, y = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return x, y, np.concatenate(weights) if len(weights) == len(parts) else None
