"""The document: everything that is saved and undone, as one immutable value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import sympy

from kanstudio import formula
from kanstudio.compiler import Strategy, compile_network
from kanstudio.compiler.evaluate import sympy_function
from kanstudio.formula import Formula
from kanstudio.network.build import name_outputs
from kanstudio.network.forward import evaluate
from kanstudio.network.grid import update_grid_from_samples
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.data import Dataset, FormulaData, sample_formula

Range = tuple[float, float]
Function = Callable[[FloatArray], FloatArray]
Mode = Literal["off", "minimal", "all", "non-intrusive"]

GUESSED_RANGES: tuple[Range, ...] = ((-1.0, 1.0), (0.1, 1.0), (0.5, 2.0), (1.1, 3.0), (-0.5, 0.5))
"""Tried in this order for inputs without a range, until the formula is tame on one."""

PROBE_SAMPLES = 400
TAME = 1e3
"""A formula is tame where no value is larger than this many times the median."""


@dataclass(frozen=True)
class Perturbation:
    """What is switched on now; mode "off" is the network as compiled or trained."""

    mode: Mode = "off"
    magnitude: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class LossRecord:
    """Losses (RMSE) after one training step; steps count on over all runs."""

    step: int
    train: float
    test: float


@dataclass(frozen=True)
class Document:
    """A formula, the network it became, its data and its training so far.

    text: the formula as typed; "" for a network that came without one.
    source: where the samples come from; None for a table (``table_name`` names it).
    strategy: how the formula was laid out as a network.
    unperturbed: the network before the present perturbation, with later edits of the
    structure; None while nothing is perturbed.
    trained: steps since the perturbation or the compilation.
    """

    text: str
    network: Network
    dataset: Dataset
    source: FormulaData | None = None
    table_name: str = ""
    strategy: Strategy = "shared"
    perturbation: Perturbation = Perturbation()
    unperturbed: Network | None = field(default=None, repr=False)
    losses: tuple[LossRecord, ...] = field(default=(), repr=False)
    trained: int = 0

    @cached_property
    def formula(self) -> Formula | None:
        """The parsed formula, None without a text."""
        return read_formula(self.text, self.network.input_names) if self.text else None

    @cached_property
    def function(self) -> Function | None:
        """The typed formula as a function of samples (n, inputs), None without a text."""
        return formula_function(self.formula) if self.formula else None

    @cached_property
    def max_error(self) -> float | None:
        """Largest |network - formula| on the test inputs where the formula is finite."""
        return self.error_of(self.network)

    def error_of(self, network: Network) -> float | None:
        """max_error of another network with the same inputs and outputs."""
        if self.function is None or not len(self.dataset.test_x):
            return None
        x = self.dataset.test_x
        expected = self.function(x)
        if expected.shape[1] != len(network.levels[-1]):
            return None
        difference = np.abs(evaluate(network, x) - expected)[np.isfinite(expected)]
        return float(difference.max()) if difference.size else None

    @property
    def steps(self) -> int:
        """Training steps taken since the formula was compiled."""
        return self.losses[-1].step if self.losses else 0


@lru_cache(maxsize=64)
def read_formula(text: str, inputs: tuple[str, ...] | None) -> Formula:
    """Parse; cached, since a document and its view ask for the same text again."""
    return formula.parse(text, inputs)


def formula_function(parsed: Formula) -> Function:
    """The outputs of a formula as one function (n, inputs) -> (n, outputs), NaN outside."""
    expressions: list[sympy.Expr] = [output.expr for output in parsed.outputs]
    return sympy_function(expressions, parsed.variables)


def output_names(parsed: Formula) -> tuple[str, ...]:
    """The typed names; y, or y1, y2, ..., for outputs without one."""
    return name_outputs([output.name for output in parsed.outputs], parsed.variables)


def new_document(
    text: str,
    *,
    inputs: Sequence[str] | None = None,
    ranges: Mapping[str, Range] | None = None,
    source: FormulaData | None = None,
    strategy: Strategy = "shared",
    seed: int = 0,
) -> Document:
    """Compile a formula and draw samples of it.

    inputs: their order; None takes the order of first appearance. ranges: per input
    name; inputs without one get the first of GUESSED_RANGES on which the formula is
    tame. source gives sample sizes, noise and seed. Raises FormulaError, CompileError
    or DataError.
    """
    parsed = read_formula(text, tuple(inputs) if inputs is not None else None)
    if not parsed.variables:
        # A constant: a network needs an input all the same.
        parsed = read_formula(text, ("x",))
    network = compile_network(
        [output.expr for output in parsed.outputs],
        parsed.variables,
        output_names(parsed),
        strategy=strategy,
        seed=seed,
    )
    function = formula_function(parsed)
    known = ranges or {}
    spec = replace(
        source or FormulaData(ranges=()),
        ranges=tame_ranges(function, [known.get(name) for name in parsed.variables]),
    )
    dataset = sample_formula(function, spec)
    # The splines are off: moving their grids to the data changes nothing but their start.
    network = update_grid_from_samples(network, dataset.train_x)
    return Document(text=text, network=network, dataset=dataset, source=spec, strategy=strategy)


def network_document(network: Network, ranges: Sequence[Range]) -> Document:
    """A document for a network without a formula: its samples are what it computes now.

    ranges: (low, high) of each input. Raises DataError if it has hardly a value there.
    """
    source = FormulaData(tuple(ranges))
    dataset = sample_formula(lambda x: evaluate(network, x), source)
    return Document(text="", network=network, dataset=dataset, source=source)


def tame_ranges(function: Function, wanted: Sequence[Range | None]) -> tuple[Range, ...]:
    """Ranges for all inputs; the unknown (None) ones share the first tame guess."""
    best: tuple[float, tuple[Range, ...]] | None = None
    for guess in GUESSED_RANGES:
        ranges = tuple(known or guess for known in wanted)
        share = _tameness(function, ranges)
        if best is None or share > best[0]:
            best = share, ranges
        if share == 1 or None not in wanted:
            break
    assert best is not None
    return best[1]


def _tameness(function: Function, ranges: Sequence[Range]) -> float:
    """1 if the formula is finite and without poles there, else a smaller share."""
    low, high = np.array(ranges, dtype=float).T
    draws = np.random.default_rng(0).random((PROBE_SAMPLES, len(ranges)))
    y = function(low + (high - low) * draws)
    finite = np.isfinite(y).all(axis=1)
    share = float(finite.mean())
    if share < 1:
        return share
    size = np.abs(y).max(axis=1)
    return 1.0 if size.max() <= TAME * np.median(size) else 0.99
