"""What a sweep came to: a table, and the best network as a document."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from kanstudio.editor.document import Document, LossRecord
from kanstudio.editor.model_file import model_bytes
from kanstudio.errors import TrainingError
from kanstudio.files.container import write_bytes
from kanstudio.kan import KAN
from kanstudio.network.network import FloatArray, Network
from kanstudio.sweep.points import Point, shown
from kanstudio.training.data import Dataset

State = Literal["finished", "stopped", "error", "waiting"]
COLUMNS = ("test_loss", "train_loss", "seconds", "steps", "parameters", "edges", "state")


@dataclass(frozen=True, eq=False)
class Outcome:
    """How one run ended, or stands.

    Losses are root mean squared errors of the network that is kept: the best one of a run
    with early stopping, else the last; NaN where there was no step. losses (steps, 2): of
    training and test, step by step. seconds: on a worker. network: None where it was not
    among the best that a sweep keeps.
    """

    point: Point
    state: State
    message: str = ""
    train_loss: float = math.nan
    test_loss: float = math.nan
    seconds: float = 0.0
    steps: int = 0
    parameters: int = 0
    edges: int = 0
    network: Network | None = field(default=None, repr=False)
    losses: FloatArray = field(default_factory=lambda: np.empty((0, 2)), repr=False)

    @property
    def model(self) -> KAN:
        """The trained network as a torch module. Raises TrainingError if it was not kept."""
        return KAN.from_network(self._kept())

    def document(self, dataset: Dataset) -> Document:
        """The network with its formula, samples and losses. Raises TrainingError."""
        losses = tuple(
            LossRecord(index + 1, float(train), float(test))
            for index, (train, test) in enumerate(self.losses)
        )
        network, text = self._kept(), self.point.values.get("formula")
        start = self.point.values.get("model")
        if not isinstance(start, Document):
            start = Document(text if isinstance(text, str) else "", network, dataset,
                             table_name="sweep")  # fmt: skip
        return replace(
            start, network=network, dataset=dataset, unperturbed=None, losses=losses,
            trained=self.steps,
        )  # fmt: skip

    def _kept(self) -> Network:
        if self.network is None:
            raise TrainingError(f"the network of {self.point} was not kept")
        return self.network


class SweepResult:
    """The runs of a sweep, those with the lowest test loss first."""

    def __init__(self, outcomes: Iterable[Outcome], dataset: Dataset) -> None:
        self.outcomes = tuple(sorted(outcomes, key=rank))
        self.dataset = dataset

    @property
    def best(self) -> Outcome:
        """The run with the lowest test loss. Raises TrainingError if none took a step."""
        for outcome in self.outcomes:
            if outcome.network is not None and math.isfinite(outcome.test_loss):
                return outcome
        words = next((f": {o.message}" for o in self.outcomes if o.message), "")
        raise TrainingError(f"no run of this sweep came to a network{words}")

    @cached_property
    def document(self) -> Document:
        """The best network as a document, with the samples and the losses of its run."""
        return self.best.document(self.dataset)

    def save(self, path: str | os.PathLike[str]) -> None:
        """The best network as a model file, for `KAN.load` and the Studio. Raises FileError."""
        write_bytes(path, model_bytes(self.document))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per run: what was varied, then test_loss, train_loss, seconds, steps,
        parameters, edges, state, message."""
        rows: list[dict[str, Any]] = [
            {
                **{name: _cell(value) for name, value in outcome.point.varied.items()},
                **{name: getattr(outcome, name) for name in (*COLUMNS, "message")},
            }
            for outcome in self.outcomes
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        return _text(self.outcomes)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:.3g}"))


def rank(outcome: Outcome) -> tuple[bool, float, int]:
    """Sorts by test loss; where there is none, last."""
    loss = outcome.test_loss
    known = math.isfinite(loss)
    return not known, loss if known else 0.0, outcome.point.index


def _cell(value: object) -> object:
    plain = isinstance(value, int | float | str | bool) or value is None
    return value if plain else shown(value)


def _text(outcomes: Iterable[Outcome]) -> str:
    """Columns of equal width; a message stands behind its row."""
    outcomes = tuple(outcomes)
    names = list(dict.fromkeys(name for o in outcomes for name in o.point.varied))
    table = [[*names, *(name.replace("_", " ") for name in COLUMNS)]]
    for o in outcomes:
        varied = [shown(o.point.varied[name]) if name in o.point.varied else "" for name in names]
        losses = [f"{o.test_loss:.3e}", f"{o.train_loss:.3e}", f"{o.seconds:.2f}"]
        counts = [f"{o.steps:,}", f"{o.parameters:,}", f"{o.edges:,}"]
        table.append([*varied, *losses, *counts, o.state])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]
    messages = ["", *(f"  {o.message}" if o.message else "" for o in outcomes)]
    return "\n".join(line + more for line, more in zip(lines, messages, strict=True))
