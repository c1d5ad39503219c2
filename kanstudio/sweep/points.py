"""What a sweep varies: every point is a network to train and the settings of its run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from kanstudio.compiler.public import network_of
from kanstudio.editor.document import Document
from kanstudio.errors import TrainingError
from kanstudio.kan import KAN
from kanstudio.network import checks, edits
from kanstudio.network.build import empty_network
from kanstudio.network.grid import refine, update_grid_from_samples
from kanstudio.network.network import Network
from kanstudio.training.checks import check_columns
from kanstudio.training.data import Dataset
from kanstudio.training.settings import TrainingSettings

Over = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]
Values = Mapping[str, Any]

MAX_POINTS = 100_000
STARTS = ("width", "formula", "model")
STRUCTURE = (
    *STARTS,
    "inputs",
    "outputs",
    "mult_arity",
    "grid",
    "k",
    "seed",
    "perturb",
    "magnitude",
)
_SETTINGS = tuple(item.name for item in fields(TrainingSettings))
_SHORT = {"opt": "optimizer", "lr": "learning_rate"}
NAMES = tuple(dict.fromkeys((*STRUCTURE, *_SHORT, *_SETTINGS)))


@dataclass(frozen=True)
class Point:
    """One run of a sweep. varied: what tells it from the others; values: all that was given."""

    index: int
    varied: Values
    values: Values
    settings: TrainingSettings

    def __str__(self) -> str:
        return ", ".join(f"{name}={shown(value)}" for name, value in self.varied.items())


def points_of(over: Over, fixed: Values) -> tuple[Point, ...]:
    """All points: the product of the lists in a mapping, or just those of a sequence.

    Raises TrainingError for a name that there is not, and for a value that cannot be.
    """
    varied = _varied(over)
    if not varied:
        raise TrainingError("there is nothing to sweep over: give at least one value of a name")
    points = []
    for index, one in enumerate(varied):
        _check_names(one, fixed)
        values = {**fixed, **one}
        given = {_SHORT.get(name, name): value for name, value in values.items()}
        settings = {name: value for name, value in given.items() if name in _SETTINGS}
        points.append(Point(index, one, values, TrainingSettings(**settings)))
    return tuple(points)


def _varied(over: Over) -> list[Values]:
    if not isinstance(over, Mapping):
        listed = list(over) if hasattr(over, "__iter__") else [None]
        if not all(isinstance(one, Mapping) for one in listed):
            raise TrainingError(
                'a sweep goes over lists by name, such as {"seed": range(5), "lamb": [0, 1e-3]}, '
                f"or over a list of such choices, not over {over!r}"
            )
        return _bounded(listed)
    lists = {}
    for name, values in over.items():
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise TrainingError(f"{name} is swept over a list of values, not {values!r}")
        lists[name] = list(itertools.islice(values, MAX_POINTS + 1))
    chosen = itertools.islice(itertools.product(*lists.values()), MAX_POINTS + 1)
    return _bounded([dict(zip(lists, values, strict=True)) for values in chosen]) if lists else []


def _bounded(found: list[Any]) -> list[Values]:
    if len(found) > MAX_POINTS:
        raise TrainingError(f"a sweep has at most {MAX_POINTS:,} runs")
    return found


def _check_names(varied: Values, fixed: Values) -> None:
    for name in (*varied, *fixed):
        if name not in NAMES:
            raise TrainingError(f"a sweep knows no {name!r}; it knows {', '.join(NAMES)}")
    names = [_SHORT.get(name, name) for name in (*varied, *fixed)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TrainingError(f"{twice} is given twice: either fixed, or swept over")
    starts = [name for name in (*varied, *fixed) if name in STARTS]
    if len(starts) != 1:
        raise TrainingError(
            f"a run starts from one of {', '.join(STARTS)}, not from "
            f"{' and '.join(starts) or 'none of them'}"
        )


def network_at(point: Point, dataset: Dataset | None = None) -> Network:
    """The network that a point starts from; with a dataset, grids lie on its samples.

    Raises KanStudioError for values that make no network.
    """
    values = point.values
    seed = checks.whole("a seed", values.get("seed", 0), 0)
    network = _start(values, seed)
    if dataset is not None:
        network = _fitted(network, values, dataset)
    grid = checks.whole("grid", values.get("grid", network.grid), 1)
    if grid != network.grid:
        if dataset is not None and point.settings.update_grid:
            # Refining keeps a spline on its grid only.
            network = update_grid_from_samples(network, dataset.train_x)
        network, _ = refine(network, grid)
    mode = values.get("perturb", "off")
    if mode != "off":
        network = edits.perturb(network, mode, values.get("magnitude", 0.1), seed)
    return network


def shape_of(point: Point) -> str:
    """Equal for points whose networks differ in their numbers only."""
    values = point.values
    named = {name: values[name] for name in STRUCTURE if name in values and name != "seed"}
    if "model" in named:
        named["model"] = id(named["model"])
    return repr((named, point.settings.affine_trainable))


def _start(values: Values, seed: int) -> Network:
    if "model" in values:
        model = values["model"]
        network = model.network() if isinstance(model, KAN) else model
        if isinstance(model, Document):
            network = model.network
        if not isinstance(network, Network):
            raise TrainingError(
                f"a model is a KAN, a document or a network, not {type(model).__name__}"
            )
        return network
    degree = checks.whole("k", values.get("k", 3), 0)
    if "formula" in values:
        grid = checks.whole("grid", values.get("grid", 5), 1)
        inputs = values.get("inputs")
        return network_of(values["formula"], inputs, grid=grid, degree=degree, seed=seed)
    grid = checks.whole("grid", values.get("grid", 3), 1)
    pairs, arities = checks.shape(values["width"], values.get("mult_arity", 2), grid + degree)
    empty = empty_network(
        pairs, arities, grid=grid, degree=degree, seed=seed,
        input_names=values.get("inputs"), output_names=values.get("outputs"),
    )  # fmt: skip
    return edits.random_spline_network(empty)


def _fitted(network: Network, values: Values, dataset: Dataset) -> Network:
    """Splines only take the data's names; for others, which are off, it sets the grids."""
    if "width" in values:
        inputs, outputs = network.input_names, network.output_names
        if len(dataset.input_names) == len(inputs) and "inputs" not in values:
            inputs = dataset.input_names
        if len(dataset.output_names) == len(outputs) and "outputs" not in values:
            outputs = dataset.output_names
        return replace(network, input_names=inputs, output_names=outputs)
    check_columns(network, dataset)
    if any(layer.spline_active.any() for layer in network.layers):
        return network
    return update_grid_from_samples(network, dataset.train_x)


def shown(value: object) -> str:
    """A value in a table or a line: short."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Document):
        value = value.network
    if isinstance(value, KAN | Network):
        return f"<{'x'.join(str(sum(level)) for level in value.width)}>"
    return str(list(value)) if isinstance(value, tuple) else str(value)
