"""Commands: frozen data that say what to do; ``apply`` makes the next document.

Nothing is changed in place. A command that does not fit raises a KanStudioError, and
the document stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from kanstudio.editor.document import (
    Document,
    LossRecord,
    Mode,
    Perturbation,
    Range,
    formula_function,
    new_document,
    read_formula,
)
from kanstudio.errors import DataError, EditError
from kanstudio.network import edits
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.network.network import Network
from kanstudio.training.data import Dataset, FormulaData, sample_formula


@dataclass(frozen=True)
class Compile:
    """Compile a text; inputs keep their ranges by name unless ranges are given."""

    text: str
    inputs: tuple[str, ...] | None = None
    ranges: tuple[Range, ...] | None = None
    label: str = "compile"


@dataclass(frozen=True)
class ExpandDepth:
    """Add an identity layer above the outputs."""


@dataclass(frozen=True)
class ExpandWidth:
    """Add ``count`` sum nodes (arities None) or mult nodes of the given arities."""

    level: int
    count: int
    arities: int | tuple[int, ...] | None = None


@dataclass(frozen=True)
class Perturb:
    """Switch the perturbation to a mode; "off" goes back to the network before it."""

    mode: Mode
    magnitude: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class SetData:
    """Draw new samples from the formula."""

    source: FormulaData


@dataclass(frozen=True)
class UseTable:
    """Train on samples from a file; their columns are the network's inputs and outputs."""

    name: str
    dataset: Dataset = field(repr=False)


@dataclass(frozen=True)
class ApplyTraining:
    """What a training run came to: its network and the losses of its steps, from 1."""

    network: Network = field(repr=False)
    losses: tuple[LossRecord, ...] = field(repr=False)


Command = Compile | ExpandDepth | ExpandWidth | Perturb | SetData | UseTable | ApplyTraining


def apply(document: Document, command: Command) -> Document:
    """The document after the command. Raises KanStudioError if it does not fit."""
    match command:
        case Compile():
            return _compile(document, command)
        case ExpandDepth():
            return _restructure(document, edits.expand_depth)
        case ExpandWidth():
            return _expand_width(document, command)
        case Perturb():
            return _perturb(document, command)
        case SetData():
            return _set_data(document, command.source)
        case UseTable():
            return _use_table(document, command)
        case ApplyTraining():
            return _apply_training(document, command)


def label(command: Command) -> str:
    """A few words for the history."""
    match command:
        case Compile():
            return command.label
        case ExpandDepth():
            return "add layer"
        case ExpandWidth(level, count, None):
            return f"layer {level} + {count} sum"
        case ExpandWidth(level, count, arities):
            shown = arities if isinstance(arities, int) else ", ".join(map(str, arities or ()))
            return f"layer {level} + {count} mult ({shown})"
        case Perturb("off"):
            return "perturb off"
        case Perturb(mode, magnitude):
            return f"perturb {mode} {magnitude:g}"
        case SetData(source):
            return f"data · {source.n_train} samples"
        case UseTable(name, dataset):
            return f"data · {name} ({len(dataset.train_x) + len(dataset.test_x)} rows)"
        case ApplyTraining(_, losses):
            return f"train · {len(losses)} steps" if len(losses) != 1 else "train · 1 step"


def output_change(before: Document, after: Document) -> float | None:
    """Largest change of the output on the test inputs; None if inputs or outputs differ."""
    old, new = before.network, after.network
    if old.input_names != new.input_names or len(old.levels[-1]) != len(new.levels[-1]):
        return None
    x = after.dataset.test_x
    if before.text != after.text or not len(x):
        return None
    difference = np.abs(evaluate(new, x) - evaluate(old, x))
    finite = difference[np.isfinite(difference)]
    return float(finite.max()) if finite.size else None


def _compile(document: Document, command: Compile) -> Document:
    known = {}
    if document.source is not None:
        known = dict(zip(document.network.input_names, document.source.ranges, strict=True))
    parsed = read_formula(command.text, command.inputs)
    if command.ranges is not None:
        if len(command.ranges) != len(parsed.variables):
            raise DataError(
                f"{len(parsed.variables)} inputs need as many ranges, not {len(command.ranges)}"
            )
        known = dict(zip(parsed.variables, command.ranges, strict=True))
    try:
        return new_document(
            command.text, inputs=command.inputs, ranges=known, source=document.source
        )
    except DataError:
        if command.ranges is not None:
            raise
        # The ranges that happened to be there do not suit the new formula: guess afresh.
        return new_document(command.text, inputs=command.inputs, source=document.source)


def _restructure(document: Document, edit: edits.Edit) -> Document:
    base = document.unperturbed
    network = edit(document.network)
    adapted = update_idle_grids(document.network, network, document.dataset)
    return replace(document, network=adapted, unperturbed=None if base is None else edit(base))


def update_idle_grids(before: Network, after: Network, dataset: Dataset) -> Network:
    """Spread the grids of a network without active splines over the data.

    With active splines every grid stays: refitting would change the output a little.
    """
    if any(layer.spline_active.any() for layer in before.layers):
        return after
    return update_grid_from_samples(after, dataset.train_x)


def _expand_width(document: Document, command: ExpandWidth) -> Document:
    arities = command.arities

    def edit(network: Network) -> Network:
        return edits.expand_width(
            network,
            command.level,
            command.count,
            sum_bool=arities is None,
            mult_arity=2 if arities is None else arities,
        )

    return _restructure(document, edit)


def _perturb(document: Document, command: Perturb) -> Document:
    wanted = Perturbation(command.mode, command.magnitude, command.seed)
    if command.mode == "off":
        if document.unperturbed is None:
            return replace(document, perturbation=wanted)
        return replace(
            document, network=document.unperturbed, unperturbed=None, perturbation=wanted, trained=0
        )
    # Until something was learned, a new choice replaces the old one instead of adding to it.
    again = document.unperturbed is not None and document.trained == 0
    base = document.unperturbed if again and document.unperturbed else document.network
    network = edits.perturb(base, command.mode, command.magnitude, command.seed)
    return replace(document, network=network, unperturbed=base, perturbation=wanted, trained=0)


def _set_data(document: Document, source: FormulaData) -> Document:
    parsed = document.formula
    if parsed is None:
        raise DataError("there is no formula to draw samples from: use a file")
    if len(source.ranges) != len(parsed.variables):
        raise DataError(f"{len(parsed.variables)} inputs need as many ranges")
    dataset = sample_formula(formula_function(parsed), source)
    network = update_idle_grids(document.network, document.network, dataset)
    return replace(document, network=network, dataset=dataset, source=source, table_name="")


def _use_table(document: Document, command: UseTable) -> Document:
    n_inputs, n_outputs = len(document.network.levels[0]), len(document.network.levels[-1])
    shape = command.dataset.train_x.shape[1], command.dataset.train_y.shape[1]
    if shape != (n_inputs, n_outputs):
        raise DataError(
            f"the network has {n_inputs} inputs and {n_outputs} outputs, "
            f"the table gives {shape[0]} and {shape[1]}"
        )
    network = update_idle_grids(document.network, document.network, command.dataset)
    return replace(document, network=network, dataset=command.dataset, table_name=command.name)


def _apply_training(document: Document, command: ApplyTraining) -> Document:
    if command.network.levels != document.network.levels:
        raise EditError("the trained network has another structure than the document")
    start = document.steps
    losses = tuple(replace(record, step=start + record.step) for record in command.losses)
    return replace(
        document,
        network=command.network,
        losses=(*document.losses, *losses),
        trained=document.trained + len(losses),
    )


__all__ = [
    "ApplyTraining",
    "Command",
    "Compile",
    "ExpandDepth",
    "ExpandWidth",
    "Perturb",
    "SetData",
    "UseTable",
    "apply",
    "label",
    "output_change",
]
