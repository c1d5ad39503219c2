"""Samples to train and test on: drawn from a formula or read from a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kanstudio.errors import DataError
from kanstudio.network.network import FloatArray, frozen
from kanstudio.training.table import MAX_ROWS, Table

# A formula of which fewer than one sample in DRAWS is finite is given up.
DRAWS = 200


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples for training and for testing; read-only float64 copies.

    train_x (n, d), train_y (n, o), test_x (m, d), test_y (m, o), with n, m, d, o >= 1
    and every value finite. The names may be left out. left_out: the share of the drawn
    samples that had no finite value and are not among these; 0 for a table.
    train_weight (n,), test_weight (m,): how much a sample counts, at least 0 and not all 0;
    None where all count alike.
    """

    train_x: FloatArray
    train_y: FloatArray
    test_x: FloatArray
    test_y: FloatArray
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    left_out: float = 0.0
    train_weight: FloatArray | None = None
    test_weight: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("train_x", "train_y", "test_x", "test_y"):
            object.__setattr__(self, name, _samples(name, getattr(self, name)))
        if len(self.train_x) != len(self.train_y) or len(self.test_x) != len(self.test_y):
            raise DataError(
                f"inputs and outputs differ in number: {len(self.train_x)} and "
                f"{len(self.train_y)} to train, {len(self.test_x)} and {len(self.test_y)} to test"
            )
        if self.train_x.shape[1:] != self.test_x.shape[1:]:
            raise DataError("training and test samples differ in the number of inputs")
        if self.train_y.shape[1:] != self.test_y.shape[1:]:
            raise DataError("training and test samples differ in the number of outputs")
        for names, count in (
            (self.input_names, self.n_inputs),
            (self.output_names, self.n_outputs),
        ):
            if names and len(names) != count:
                raise DataError(f"{len(names)} names for {count} columns: {', '.join(names)}")
        for name, count in (("train_weight", self.n_train), ("test_weight", self.n_test)):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _weights(name, getattr(self, name), count))

    @property
    def n_inputs(self) -> int:
        return int(self.train_x.shape[1])

    @property
    def n_outputs(self) -> int:
        return int(self.train_y.shape[1])

    @property
    def n_train(self) -> int:
        return int(self.train_x.shape[0])

    @property
    def n_test(self) -> int:
        return int(self.test_x.shape[0])

    def same_values(self, other: object) -> bool:
        """True if both hold the same samples and names."""
        return isinstance(other, Dataset) and (
            (self.input_names, self.output_names) == (other.input_names, other.output_names)
            and all(
                np.array_equal(getattr(self, name), getattr(other, name))
                for name in (
                    "train_x", "train_y", "test_x", "test_y", "train_weight", "test_weight"
                )
            )
        )  # fmt: skip


def _samples(name: str, values: ArrayLike) -> FloatArray:
    try:
        array = frozen(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is not a table of numbers") from error
    if array.ndim != 2 or 0 in array.shape:
        raise DataError(f"{name} needs the shape (samples, columns), not {array.shape}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"{name} is not finite in row {row + 1}, column {column + 1}")
    return array


def _weights(name: str, values: ArrayLike, count: int) -> FloatArray:
    try:
        weights = frozen(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is not a list of numbers") from error
    if weights.shape == (count, 1):
        weights = frozen(weights[:, 0])
    if weights.shape != (count,):
        raise DataError(f"{name} needs one number for each of {count} samples")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise DataError(f"{name} needs finite numbers of at least 0, and not only zeros")
    return weights


@dataclass(frozen=True)
class FormulaData:
    """How to draw samples of a formula.

    ranges: (low, high) per input, each drawn uniformly; empty while nobody chose any.
    noise: standard deviation of the normal noise on the outputs, training and test
    alike, in units of each output's own standard deviation.
    """

    ranges: tuple[tuple[float, float], ...]
    n_train: int = 1000
    n_test: int = 1000
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        try:
            ranges = tuple((float(low), float(high)) for low, high in self.ranges)
        except (TypeError, ValueError) as error:
            raise DataError("ranges needs a pair (low, high) of numbers per input") from error
        object.__setattr__(self, "ranges", ranges)
        for index, (low, high) in enumerate(ranges):
            if not (math.isfinite(low) and math.isfinite(high - low) and low <= high):
                raise DataError(f"range {index + 1} needs finite low <= high, not {low}, {high}")
        for name in ("n_train", "n_test"):
            if not _is_count(getattr(self, name), 1, MAX_ROWS):
                raise DataError(f"{name} must be a whole number from 1 to {MAX_ROWS:,}")
        if not (math.isfinite(self.noise) and 0 <= self.noise <= 100):
            raise DataError(f"noise must lie between 0 and 100, not {self.noise}")
        if not _is_count(self.seed, 0, 2**63):
            raise DataError(f"seed must be a whole number of at least 0, not {self.seed}")


def _is_count(value: object, low: int, high: int) -> bool:
    return isinstance(value, int | np.integer) and low <= int(value) <= high


def sample_formula(
    function: Callable[[FloatArray], NDArray[np.generic]],
    spec: FormulaData,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
) -> Dataset:
    """Draw samples of a function; rows with a value that is not finite are drawn again.

    function maps (n, d) to (n, o); a complex value counts as not finite.
    Raises DataError, naming the share of finite rows, if there are too few of them.
    """
    if not spec.ranges:
        raise DataError("choose a range for at least one input")
    seeds = np.random.SeedSequence(spec.seed).spawn(2)
    n_rows = spec.n_train + spec.n_test
    x, y, left_out = _finite_rows(function, spec, n_rows, np.random.default_rng(seeds[0]))
    if spec.noise:
        scale = spec.noise * y[: spec.n_train].std(axis=0)
        y = y + scale * np.random.default_rng(seeds[1]).standard_normal(y.shape)
    n = spec.n_train
    names = tuple(input_names), tuple(output_names)
    return Dataset(x[:n], y[:n], x[n:], y[n:], *names, left_out=left_out)


def _finite_rows(
    function: Callable[[FloatArray], NDArray[np.generic]],
    spec: FormulaData,
    n_rows: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, float]:
    """n_rows samples with finite values, and the share of those drawn that had none."""
    low, high = np.array(spec.ranges).T
    kept_x: list[FloatArray] = []
    kept_y: list[FloatArray] = []
    kept = drawn = 0
    while kept < n_rows:
        if drawn >= DRAWS * n_rows:
            raise DataError(
                f"only {kept / drawn:.2%} of the samples in these ranges have a finite value; "
                "choose ranges inside the formula's domain"
            )
        x = rng.uniform(low, high, (n_rows, len(low)))
        with np.errstate(all="ignore"):
            y = _real(np.asarray(function(x)), n_rows)
        finite = np.isfinite(y).all(axis=1)
        kept_x.append(x[finite])
        kept_y.append(y[finite])
        kept += int(finite.sum())
        drawn += n_rows
    left_out = 1 - kept / drawn
    return np.concatenate(kept_x)[:n_rows], np.concatenate(kept_y)[:n_rows], left_out


def _real(y: NDArray[np.generic], n_rows: int) -> FloatArray:
    if y.ndim == 1:
        y = y[:, None]
    if y.ndim != 2 or len(y) != n_rows or y.shape[1] < 1:
        raise DataError(f"the function gave the shape {y.shape} for {n_rows} samples")
    if np.iscomplexobj(y):
        return np.where(np.imag(y) == 0, np.real(y), np.nan).astype(np.float64)
    return y.astype(np.float64)


def split_samples(
    x: FloatArray,
    y: FloatArray,
    test_fraction: float = 0.2,
    seed: int = 0,
    *,
    names: tuple[Sequence[str], Sequence[str]] = ((), ()),
    weight: FloatArray | None = None,
) -> Dataset:
    """Samples x (n, d), y (n, o), shuffled and split by the seed; weight (n,) goes along.

    test_fraction lies strictly between 0 and 1; both parts get at least one row. names:
    of the inputs and of the outputs.
    """
    if isinstance(test_fraction, bool) or not isinstance(test_fraction, int | float | np.floating):
        raise DataError(f"test_fraction must be a number, not {test_fraction!r}")
    if not 0 < test_fraction < 1:
        raise DataError(f"test_fraction must lie between 0 and 1, not {test_fraction}")
    if not _is_count(seed, 0, 2**63):
        raise DataError(f"seed must be a whole number of at least 0, not {seed}")
    n_rows = len(x)
    if n_rows < 2:
        raise DataError(f"{n_rows} sample; training and testing need two")
    n_test = min(max(round(n_rows * test_fraction), 1), n_rows - 1)
    order = np.random.default_rng(seed).permutation(n_rows)
    test, train = order[:n_test], order[n_test:]
    inputs, outputs = map(tuple, names)
    weights = (None, None) if weight is None else (weight[train], weight[test])
    return Dataset(x[train], y[train], x[test], y[test], inputs, outputs, 0.0, *weights)


def table_dataset(
    table: Table,
    input_columns: Sequence[str],
    output_columns: Sequence[str],
    test_fraction: float = 0.2,
    seed: int = 0,
    *,
    weight_column: str | None = None,
) -> Dataset:
    """The chosen columns as inputs and outputs, rows shuffled and split by the seed.

    test_fraction lies strictly between 0 and 1; both parts get at least one row.
    weight_column: how much each row counts.
    """
    if not input_columns or not output_columns:
        raise DataError("choose at least one input column and one output column")
    chosen = [*input_columns, *output_columns]
    for name in chosen:
        if chosen.count(name) > 1:
            raise DataError(f"column {name!r} is chosen twice")
    if table.n_rows < 2:
        raise DataError(f"{table.filename} has {table.n_rows} row; training and testing need two")
    x = np.stack([table.column(name) for name in input_columns], axis=1)
    y = np.stack([table.column(name) for name in output_columns], axis=1)
    weight = None if weight_column is None else table.column(weight_column)
    names = input_columns, output_columns
    return split_samples(x, y, test_fraction, seed, names=names, weight=weight)
