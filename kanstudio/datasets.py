"""Data sets: samples of a function, samples of one's own, and the Feynman problems."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import sympy
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kanstudio import formula
from kanstudio.compiler.evaluate import sympy_function, torch_function
from kanstudio.errors import DataError
from kanstudio.training import sources
from kanstudio.training.checks import check_device

TensorMap = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class FeynmanProblem:
    """A formula from the Feynman lectures (Udrescu and Tegmark 2020, arXiv:1905.11481).

    number and name as in pykan; ranges: (low, high) of each input.
    """

    number: int
    name: str
    inputs: tuple[str, ...]
    formula: str
    ranges: tuple[tuple[float, float], ...]

    @property
    def expression(self) -> sympy.Expr:
        """The formula as sympy reads it."""
        return formula.parse(self.formula, self.inputs).outputs[0].expr


@cache
def feynman_problems() -> tuple[FeynmanProblem, ...]:
    """All 120 problems, in the order of their numbers, from 1."""
    text = files("kanstudio.data").joinpath("feynman.json").read_text(encoding="utf-8")
    return tuple(
        FeynmanProblem(
            number=row["number"],
            name=row["name"],
            inputs=tuple(row["inputs"]),
            formula=row["formula"],
            ranges=tuple((_number(low), _number(high)) for low, high in row["ranges"]),
        )
        for row in json.loads(text)
    )


def feynman_problem(number_or_name: int | str) -> FeynmanProblem:
    """The problem of this number (1 to 120) or name; DataError if there is none.

    Two problems are called I.18.4; the name means the second, as it does in pykan.
    """
    for problem in reversed(feynman_problems()):
        if number_or_name in (problem.number, problem.name):
            return problem
    raise DataError(
        f"there is no Feynman problem {number_or_name!r}: give a number from 1 to "
        f"{len(feynman_problems())}, or a name such as 'I.34.14'"
    )


def get_feynman_dataset(
    name: int | str,
) -> tuple[tuple[sympy.Symbol, ...], sympy.Expr, TensorMap, list[list[float]]]:
    """(input_variables, expr, f, ranges) of a Feynman problem, by number or name.

    input_variables: sympy symbols in the order of the columns. f maps a tensor [n, d] to
    [n, 1]. ranges: [low, high] of each input.
    """
    problem = feynman_problem(name)
    expression = problem.expression
    by_name = {symbol.name: symbol for symbol in expression.free_symbols}
    symbols = tuple(by_name.get(name) or sympy.Symbol(name) for name in problem.inputs)
    ranges = [[low, high] for low, high in problem.ranges]
    return symbols, expression, torch_function(expression, problem.inputs), ranges


def create_dataset(  # noqa: PLR0917 - pykan's signature
    f: TensorMap,
    n_var: int = 2,
    f_mode: str = "col",
    ranges: ArrayLike = (-1, 1),
    train_num: int = 1000,
    test_num: int = 1000,
    normalize_input: bool = False,
    normalize_label: bool = False,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Uniform samples of a function: train_input, train_label, test_input, test_label.

    f maps a tensor [n, n_var] to [n, outputs] or [n]; with f_mode "row" it takes the
    transpose. ranges: (low, high) for every input, or one pair per input. normalize_*:
    mean 0 and standard deviation 1 (0 for a constant) over the training samples. Tensors
    have torch's default dtype. The same seed gives pykan's numbers, and the global random
    state stays as it was. Raises DataError.
    """
    check_device(device)
    if f_mode not in ("col", "row"):
        raise DataError(f"f_mode is 'col' or 'row', not {f_mode!r}")
    sizes = (("n_var", n_var, 1), ("train_num", train_num, 1), ("test_num", test_num, 0))
    for name, count, least in sizes:
        if not _is_whole(count) or count < least:
            raise DataError(f"{name} is a whole number of at least {least}, not {count!r}")
    if not _is_whole(seed):
        raise DataError(f"a seed is a whole number, not {seed!r}")
    limits = _limits(ranges, n_var)
    generator = torch.Generator().manual_seed(seed)
    inputs = {"train": torch.zeros(train_num, n_var), "test": torch.zeros(test_num, n_var)}
    for index, (low, high) in enumerate(limits):
        for samples in inputs.values():
            samples[:, index] = torch.rand(len(samples), generator=generator) * (high - low) + low
    labels = {key: _label(f, x.T if f_mode == "row" else x) for key, x in inputs.items()}
    if normalize_input:
        inputs = _normalized(inputs)
    if normalize_label:
        labels = _normalized(labels)
    return {
        f"{key}_{kind}": values[key].to(device)
        for kind, values in (("input", inputs), ("label", labels))
        for key in ("train", "test")
    }


def create_dataset_from_data(
    inputs: object,
    labels: object = None,
    train_ratio: float = 0.8,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Split samples (n, d) and (n, o) at random; the dictionary of `create_dataset`.

    inputs, labels: tensors, NumPy arrays, lists or data frames. Or inputs is a data frame
    or the path of a CSV or Parquet file, and labels the names of the columns that are
    labels; all others are inputs. Or inputs is a torch Dataset or DataLoader of pairs.
    Tensors keep their dtype, the rest gets torch's default.

    The training samples are those that pykan picks after numpy.random.seed(seed); the
    test samples are the others, in their order. Raises DataError or FileError.
    """
    check_device(device)
    x, y = _tensors(inputs, labels)
    count = len(x)
    if len(y) != count:
        raise DataError(f"{count} inputs and {len(y)} labels: their numbers must be equal")
    if not 0 <= train_ratio <= 1:
        raise DataError(f"train_ratio is a share from 0 to 1, not {train_ratio}")
    # RandomState is the old generator on purpose: its stream is pykan's.
    random = np.random.RandomState(seed)
    train = torch.from_numpy(random.choice(count, int(count * train_ratio), replace=False))
    rest = torch.ones(count, dtype=torch.bool)
    rest[train] = False
    return {
        f"{key}_{kind}": values[chosen].detach().to(device)
        for kind, values in (("input", x), ("label", y))
        for key, chosen in (("train", train), ("test", rest))
    }


def _tensors(inputs: object, labels: object) -> tuple[Tensor, Tensor]:
    names = [labels] if isinstance(labels, str) else labels
    if isinstance(names, list | tuple) and names and all(isinstance(n, str) for n in names):
        table = sources.frame_table(inputs) if sources.is_frame(inputs) else None
        if table is None:
            if not isinstance(inputs, str | Path):
                raise DataError("names of labels need a data frame or the path of a file")
            table = sources.read_file(inputs)
        rest = [name for name in table.names if name not in names]
        if not rest:
            raise DataError("no column is left for the inputs")
        inputs = np.stack([table.column(name) for name in rest], axis=1)
        labels = np.stack([table.column(name) for name in names], axis=1)
    if labels is None:
        inputs, labels, _ = sources.samples_of(inputs)
    return _tensor(inputs, "inputs"), _tensor(labels, "labels")


def _tensor(values: object, what: str) -> Tensor:
    if isinstance(values, Tensor):
        return values
    return torch.as_tensor(sources.as_array(values, what), dtype=torch.get_default_dtype())


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer)


def _limits(ranges: ArrayLike, n_var: int) -> list[tuple[float, float]]:
    """(low, high) per input."""
    try:
        values = np.asarray(ranges, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("ranges is a pair (low, high) of numbers, or one per input") from error
    if not np.isfinite(values).all():
        raise DataError("ranges has a limit that is not a finite number")
    if values.shape == (2,):
        values = np.tile(values, (n_var, 1))
    if values.shape != (n_var, 2):
        raise DataError(f"ranges has shape {values.shape}, not (2,) or ({n_var}, 2)")
    return [(float(low), float(high)) for low, high in values]


def _label(f: TensorMap, x: Tensor) -> Tensor:
    label = f(x)
    if not isinstance(label, Tensor) or label.ndim == 0:
        raise DataError("f must map a tensor of n samples to a tensor of n values")
    return label.unsqueeze(1) if label.ndim == 1 else label


def _normalized(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Shifted and scaled by mean and standard deviation of the training samples.

    A constant column is only shifted: scaled by its deviation of 0 it would be NaN.
    """
    mean = values["train"].mean(dim=0, keepdim=True)
    std = values["train"].std(dim=0, correction=min(1, len(values["train"]) - 1), keepdim=True)
    std = torch.where(std > 0, std, 1.0)
    return {key: (value - mean) / std for key, value in values.items()}


def _number(value: Any) -> float:
    """A number, or a constant expression such as "2*pi"."""
    if not isinstance(value, str):
        return float(value)
    expression = formula.parse(value).outputs[0].expr
    return float(sympy_function([expression], [])(np.zeros((1, 0)))[0, 0])
