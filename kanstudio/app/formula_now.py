"""The formula that a network computes now, short enough to be read."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kanstudio import formula
from kanstudio.app.present import percent, plural
from kanstudio.network.forward import evaluate
from kanstudio.network.network import FloatArray, Network
from kanstudio.symbolic.build import check_size
from kanstudio.symbolic.formula import SymbolicFormula, symbolic_formula
from kanstudio.symbolic.readable import readable

EVERY_S = 1.0
MAX_SHARE = 0.05
"""A run's worker spends at most this share of its time on the formula."""
DIGITS, EXACT = 3, 12
"""Digits that are shown; what they say is exact if so many digits say the same."""
MAX_OPERATIONS = 150
MAX_WRITTEN = 10_000
"""Operations of a formula that is shown, and of one that leaves as a file."""
MAX_SPLINES = 6
MAX_LATEX = 1_500
MAX_LINES = 8
_SPLINE = re.compile(r"\\operatorname\{spline\}_\{(\d+)\}")
_NO_VALUE = re.compile(r"\\infty|\\text\{nan\}", re.IGNORECASE)

Key = tuple[Network, FloatArray]


@dataclass(frozen=True)
class FormulaNow:
    """LaTeX, a line per output; none where it would be too long. note: what it leaves out."""

    lines: tuple[str, ...] = ()
    note: str = ""


class LiveFormula:
    """The formula of a network in training, worked out anew now and then."""

    def __init__(self) -> None:
        self._latest = FormulaNow()
        self._due = -math.inf

    def of(self, network: Network, samples: FloatArray) -> FormulaNow:
        """The newest formula: of this network, or of the last one whose turn it was."""
        begun = time.monotonic()
        if begun >= self._due:
            self._latest = formula_now((network, samples))
            spent = time.monotonic() - begun
            self._due = begun + max(EVERY_S, spent / MAX_SHARE)
        return self._latest


def same_network(one: Key, other: Key) -> bool:
    """Whether two keys ask for the same formula."""
    return one[0] is other[0]


def formula_now(key: Key) -> FormulaNow:
    """The formula of a network on samples (n, inputs), with numbers of few digits.

    Splines are named; with many of them, only what the symbolic functions make is shown.
    """
    network, samples = key
    n_splines = sum(int(layer.spline_active.sum()) for layer in network.layers)
    if n_splines <= MAX_SPLINES and (lines := _lines(network)):
        return FormulaNow(lines, "φ are the splines that are left." if n_splines else "")
    if not n_splines:
        return FormulaNow((), "Too long to be shown.")
    lines, what = _lines(without_splines(network)), plural(n_splines, "spline")
    if not lines:
        return FormulaNow((), f"No short formula: {what} take part.")
    share = symbolic_share(network, samples)
    shown = "" if share is None else f" {percent(share)} of the output's variance is symbolic."
    rest = tuple(f"{_about(line)} + \\varphi" for line in lines)
    return FormulaNow(rest, f"φ is what {what} add.{shown}")


def _lines(network: Network) -> tuple[str, ...]:
    """The LaTeX of all outputs, () if it is too long or has no value."""
    named = with_safe_names(network)
    found, precise = (readable(named, digits, MAX_OPERATIONS).latex for digits in (DIGITS, EXACT))
    if sum(map(len, found)) > MAX_LATEX or any(_NO_VALUE.search(line) for line in found):
        return ()
    pairs = zip(found[:MAX_LINES], precise, strict=False)
    lines = [short if short == long else _about(short) for short, long in pairs]
    return tuple(_SPLINE.sub(r"\\varphi_{\1}", line) for line in lines)


def _about(line: str) -> str:
    """The same with ≈: something is rounded or left out."""
    return line.replace(" = ", r" \approx ", 1)


def with_safe_names(network: Network) -> Network:
    """The same network with names that may stand in a formula: a model's own can be any text."""
    return replace(
        network,
        input_names=_names(network.input_names, "x"),
        output_names=_names(network.output_names, "y"),
    )


def whole_formula(network: Network, samples: FloatArray) -> SymbolicFormula:
    """The formula with all its digits and splines.

    Raises KanStudioError where it would be too large to be written out.
    """
    check_size(network, MAX_WRITTEN)
    return symbolic_formula(with_safe_names(network), samples=samples)


def _names(names: Sequence[str], letter: str) -> tuple[str, ...]:
    good = [name if formula.is_name(name) else "" for name in names]
    return tuple(name or f"{letter}_{i + 1}" for i, name in enumerate(good))


def without_splines(network: Network) -> Network:
    """The same network with all its spline fronts off."""
    return network.with_layers(
        tuple(
            layer.with_arrays(spline_mask=np.zeros_like(layer.spline_mask))
            for layer in network.layers
        )
    )


def symbolic_share(network: Network, samples: FloatArray) -> float | None:
    """The share of the outputs' variance that is left without splines; None if unknown."""
    whole, part = evaluate(network, samples), evaluate(without_splines(network), samples)
    finite = np.isfinite(whole).all(axis=1) & np.isfinite(part).all(axis=1)
    whole, part = whole[finite], part[finite]
    total = float(((whole - whole.mean(axis=0)) ** 2).sum()) if len(whole) else 0.0
    if not total:
        return None
    return max(0.0, 1 - float(((whole - part) ** 2).sum()) / total)
