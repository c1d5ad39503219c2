"""The formula that a network computes now, short enough to be read."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy

from kanstudio import formula
from kanstudio.app.present import percent, plural
from kanstudio.errors import KanStudioError
from kanstudio.network.forward import evaluate
from kanstudio.network.network import FloatArray, Network
from kanstudio.symbolic.build import check_size
from kanstudio.symbolic.formula import SymbolicFormula, symbolic_formula

EVERY_S = 1.0
MAX_SHARE = 0.05
"""A run's worker spends at most this share of its time on the formula."""
TOLERANCE = 1e-3
"""Numbers become simple ones as long as no output is off by more than this share."""
EXACT = 1e-9
DIGITS = 3
MAX_OPERATIONS = 2_000
MAX_WRITTEN = 10_000
"""Operations of a formula that is shown, and of one that leaves as a file."""
MAX_SPLINES = 6
MAX_LATEX = 1_500
MAX_LINES = 8
MAX_BELOW = 9
"""Fractions with a larger denominator are written as decimals."""

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
    try:
        if n_splines <= MAX_SPLINES and (lines := _lines(network, samples)):
            named = n_splines and any(r"\varphi" in line for line in lines)
            return FormulaNow(lines, "φ are the splines that are left." if named else "")
        if not n_splines:
            return FormulaNow((), "Too long to be shown.")
        lines = _lines(without_splines(network), samples, rest=True)
    except KanStudioError:
        lines = ()
    what = plural(n_splines, "spline")
    if not lines:
        return FormulaNow((), f"No short formula: {what} take part.")
    share = symbolic_share(network, samples)
    shown = "" if share is None else f" {percent(share)} of the output's variance is symbolic."
    return FormulaNow(lines, f"φ is what {what} add.{shown}")


def _lines(network: Network, samples: FloatArray, *, rest: bool = False) -> tuple[str, ...]:
    """The LaTeX of all outputs, () if it is too long; rest: something is left out."""
    check_size(network, MAX_OPERATIONS)
    named = with_safe_names(network)
    # The tolerance counts from 1 + the largest value, which small outputs would not survive.
    sizes = np.abs(evaluate(network, samples)).max(axis=0)
    size = float(np.nanmin(sizes, initial=1.0, where=sizes > 0))
    found = symbolic_formula(named, samples=samples, tolerance=TOLERANCE * size / (1 + size))
    short = [_rounded(_with_phi(expression, found)) for expression in found.expressions]
    shown = [_latex(expression) for expression in short]
    if any(not text for text in shown) or sum(map(len, shown)) > MAX_LATEX:
        return ()
    close = found.max_error is not None and found.max_error < EXACT
    exact = close and not rest and not any(expression.has(sympy.Float) for expression in short)
    sign = "=" if exact else r"\approx"
    more = r" + \varphi" if rest else ""
    pairs = zip(found.outputs, shown, strict=True)
    lines = [f"{formula.latex_of_name(name)} {sign} {text}{more}" for name, text in pairs]
    return tuple(lines[:MAX_LINES])


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


def _with_phi(expression: sympy.Expr, found: SymbolicFormula) -> sympy.Expr:
    for index, term in enumerate(found.splines):
        expression = expression.replace(term.function, sympy.Function(f"varphi_{index + 1}"))
    return expression


def _rounded(expression: sympy.Expr) -> sympy.Expr:
    """The same with few digits, and with decimals for clumsy fractions."""
    numbers = expression.atoms(sympy.Float, sympy.Rational)
    floats = {one: sympy.Float(one, DIGITS) for one in numbers if one.is_Float or one.q > MAX_BELOW}
    return expression.xreplace(floats)


def _latex(expression: sympy.Expr) -> str:
    """LaTeX; "" for what has no value."""
    if expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        return ""
    return formula.latex(expression)


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
