"""Commands: frozen data that say what to do; ``apply`` makes the next document.

Nothing is changed in place. A command that does not fit raises a KanStudioError, and
the document stays what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np

from kanstudio.compiler import Strategy
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
from kanstudio.network.contract import remove_level
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.network.network import Network
from kanstudio.training.data import Dataset, FormulaData, sample_formula


class Command(Protocol):
    """What can be done to a document; ``label`` says it in a few words."""

    @property
    def label(self) -> str: ...

    def applied_to(self, document: Document) -> Document: ...


def apply(document: Document, command: Command) -> Document:
    """The document after the command. Raises KanStudioError if it does not fit."""
    return command.applied_to(document)


def output_change(before: Document, after: Document) -> float | None:
    """Largest change of the output on the test inputs; None if inputs or outputs differ."""
    old, new = before.network, after.network
    x = after.dataset.test_x
    same_shape = old.input_names == new.input_names and len(old.levels[-1]) == len(new.levels[-1])
    if not same_shape or before.text != after.text:
        return None
    difference = np.abs(evaluate(new, x) - evaluate(old, x))
    finite = difference[np.isfinite(difference)]
    return float(finite.max()) if finite.size else None


@dataclass(frozen=True)
class Compile:
    """Compile a text; inputs keep their ranges by name unless ranges are given."""

    text: str
    inputs: tuple[str, ...] | None = None
    ranges: tuple[Range, ...] | None = None
    title: str = ""
    strategy: Strategy = "shared"

    @property
    def label(self) -> str:
        how = "" if self.strategy == "shared" else f" ({self.strategy})"
        return f"compile{how} {self.title or ' '.join(self.text.split())}"

    def applied_to(self, document: Document) -> Document:
        compiled = self._compiled(document)
        if self.ranges is None and document.table_name and _same_columns(document, compiled):
            # Another law for the same measurements: they stay.
            return UseTable(document.table_name, document.dataset).applied_to(compiled)
        return compiled

    def _compiled(self, document: Document) -> Document:
        source = document.source
        parsed = read_formula(self.text, self.inputs)
        made = partial(
            new_document, self.text, inputs=self.inputs, source=source, strategy=self.strategy
        )
        if self.ranges is not None:
            if len(self.ranges) != len(parsed.variables):
                raise DataError(f"{len(parsed.variables)} inputs need as many ranges")
            ranges = dict(zip(parsed.variables, self.ranges, strict=True))
            return made(ranges=ranges)
        known = (
            dict(zip(document.network.input_names, source.ranges, strict=True)) if source else {}
        )
        try:
            return made(ranges=known)
        except DataError:
            # The ranges that happened to be there do not suit the new formula: guess afresh.
            return made()


@dataclass(frozen=True)
class ExpandDepth:
    """Add an identity layer above a level; None is the outputs' level."""

    level: int | None = None

    @property
    def label(self) -> str:
        where = {None: "", 0: " above the inputs"}.get(self.level, f" above layer {self.level}")
        return f"add layer{where}"

    def applied_to(self, document: Document) -> Document:
        return edited(document, lambda network: edits.expand_depth(network, self.level))


@dataclass(frozen=True)
class RemoveLevel:
    """Take a hidden level away where the layers around it are one; the output stays."""

    level: int

    @property
    def label(self) -> str:
        return f"remove layer {self.level}"

    def applied_to(self, document: Document) -> Document:
        return edited(document, lambda network: remove_level(network, self.level))


@dataclass(frozen=True)
class ExpandWidth:
    """Add ``count`` sum nodes (arities None) or mult nodes of the given arities."""

    level: int
    count: int
    arities: int | tuple[int, ...] | None = None

    @property
    def label(self) -> str:
        if self.arities is None:
            return f"layer {self.level} + {self.count} sum"
        arities = (self.arities,) if isinstance(self.arities, int) else self.arities
        return f"layer {self.level} + {self.count} mult ({', '.join(map(str, arities))})"

    def applied_to(self, document: Document) -> Document:
        return edited(document, self._edit)

    def _edit(self, network: Network) -> Network:
        return edits.expand_width(
            network,
            self.level,
            self.count,
            sum_bool=self.arities is None,
            mult_arity=2 if self.arities is None else self.arities,
        )


@dataclass(frozen=True)
class Perturb:
    """Switch the perturbation to a mode; "off" goes back to the network before it,
    and with it to the losses before it.

    Until something was learned, a new choice replaces the old one instead of adding to it.
    """

    mode: Mode
    magnitude: float = 0.1
    seed: int = 0

    @property
    def label(self) -> str:
        return "perturb off" if self.mode == "off" else f"perturb {self.mode} {self.magnitude:g}"

    def applied_to(self, document: Document) -> Document:
        wanted = Perturbation(self.mode, self.magnitude, self.seed)
        base = document.unperturbed
        if self.mode == "off":
            if base is None:
                return replace(document, perturbation=wanted)
            return replace(
                document,
                network=base,
                unperturbed=None,
                perturbation=wanted,
                losses=document.losses[: len(document.losses) - document.trained],
                trained=0,
            )
        if base is None or document.trained:
            base = document.network
        network = edits.perturb(base, self.mode, self.magnitude, self.seed)
        return replace(document, network=network, unperturbed=base, perturbation=wanted, trained=0)


@dataclass(frozen=True)
class SetData:
    """Draw new samples from the formula; ``change`` says what is new about them."""

    source: FormulaData
    change: str = ""

    @property
    def label(self) -> str:
        return f"data · {self.change or f'{self.source.n_train} samples'}"

    def applied_to(self, document: Document) -> Document:
        parsed = document.formula
        if parsed is None:
            raise DataError("there is no formula to draw samples from: use a file")
        if len(self.source.ranges) != len(parsed.variables):
            raise DataError(f"{len(parsed.variables)} inputs need as many ranges")
        dataset = sample_formula(formula_function(parsed), self.source)
        network = _adapted(document.network, document.network, dataset)
        return replace(
            document, network=network, dataset=dataset, source=self.source, table_name=""
        )


@dataclass(frozen=True)
class UseTable:
    """Train on samples from a file; their columns are the network's inputs and outputs."""

    name: str
    dataset: Dataset = field(repr=False)

    @property
    def label(self) -> str:
        return f"data · {self.name} ({self.dataset.n_train + self.dataset.n_test} rows)"

    def applied_to(self, document: Document) -> Document:
        network = document.network
        wanted = len(network.levels[0]), len(network.levels[-1])
        given = self.dataset.n_inputs, self.dataset.n_outputs
        if wanted != given:
            raise DataError(
                f"the network has {wanted[0]} inputs and {wanted[1]} outputs, "
                f"the table gives {given[0]} and {given[1]}"
            )
        network = _adapted(network, network, self.dataset)
        return replace(document, network=network, dataset=self.dataset, table_name=self.name)


@dataclass(frozen=True)
class ApplyTraining:
    """What a training run came to: its network and the losses of its steps, from 1."""

    network: Network = field(repr=False)
    losses: tuple[LossRecord, ...] = field(repr=False)

    @property
    def label(self) -> str:
        return f"train · {len(self.losses)} step{'' if len(self.losses) == 1 else 's'}"

    def applied_to(self, document: Document) -> Document:
        if self.network.levels != document.network.levels:
            raise EditError("the trained network has another structure than the document")
        start = document.steps
        losses = tuple(replace(record, step=start + record.step) for record in self.losses)
        return replace(
            document,
            network=self.network,
            losses=(*document.losses, *losses),
            trained=document.trained + len(losses),
        )


@dataclass(frozen=True)
class OpenModel:
    """Go on with the document of a file."""

    name: str
    document: Document = field(repr=False)

    @property
    def label(self) -> str:
        return f"open {self.name}"

    def applied_to(self, document: Document) -> Document:
        return self.document


def _same_columns(document: Document, compiled: Document) -> bool:
    old, new = document.network, compiled.network
    return old.input_names == new.input_names and len(old.levels[-1]) == len(new.levels[-1])


def edited(document: Document, edit: edits.Edit) -> Document:
    """Edit the network, and the one behind its perturbation with it."""
    network = _adapted(document.network, edit(document.network), document.dataset)
    base = document.unperturbed
    if base is not None:
        base = _adapted(base, edit(base), document.dataset)
    return replace(document, network=network, unperturbed=base)


def _adapted(before: Network, after: Network, dataset: Dataset) -> Network:
    """Spread the grids of a network without active splines over the data.

    With active splines every grid stays: refitting would change the output a little.
    """
    if any(layer.spline_active.any() for layer in before.layers):
        return after
    return update_grid_from_samples(after, dataset.train_x)
