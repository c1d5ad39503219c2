"""The formula of a network: what `symbolic_formula` gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import sympy as sp

from kanstudio import formula
from kanstudio.errors import DataError, KanStudioError
from kanstudio.formula.numbers import tidy
from kanstudio.network.forward import check_inputs, evaluate
from kanstudio.network.network import EdgeRef, FloatArray, Network
from kanstudio.symbolic.arithmetic import Number, with_numbers
from kanstudio.symbolic.build import Spelling, check_size, expressions
from kanstudio.symbolic.clean import cleaned, within
from kanstudio.symbolic.constants import EXACT, recognise, shortened
from kanstudio.symbolic.folds import folded
from kanstudio.symbolic.program import values
from kanstudio.symbolic.simpler import simplified
from kanstudio.symbolic.splines import SplineFunction, SplineTerm, spline_term

N_SAMPLES = 200
TOLERANCE = 1e-12
_EXACT_TOLERANCE = 1e-10
_LONGEST_DYADIC = 2**20
_TOO_DEEP = "the formula of this network is nested too deeply to be written out"


@dataclass(frozen=True)
class SymbolicFormula:
    """One sympy expression per output.

    Unpacks like pykan's answer: ``expressions, variables = symbolic_formula(network)``,
    two lists, and ``symbolic_formula(network)[0][0]`` is the first expression.

    - expressions, outputs: per output its expression and its name.
    - variables: the symbols of the inputs.
    - splines: what the spline functions in the expressions are.
    - max_error: the largest difference from the network at the samples, as a share of the
      output's largest value; None where the formula has no value there.
    - notes: what else there is to say, in sentences.
    """

    expressions: tuple[sp.Expr, ...]
    variables: tuple[sp.Symbol, ...]
    outputs: tuple[str, ...]
    splines: tuple[SplineTerm, ...] = ()
    max_error: float | None = None
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[list[sp.Expr]]:
        return iter((list(self.expressions), list(self.variables)))

    def __getitem__(self, index: int) -> list[sp.Expr]:
        return list(self)[index]

    def __len__(self) -> int:
        return 2

    def text(self, digits: int | None = None) -> str:
        """One line ``name = expression`` per output; digits: of floats, None keeps all."""
        pairs = zip(self.outputs, self.expressions, strict=True)
        return "\n".join(f"{name} = {formula.format_text(e, digits)}" for name, e in pairs)

    def latex(self) -> tuple[str, ...]:
        """LaTeX of each output's expression."""
        return tuple(formula.latex(expression) for expression in self.expressions)

    def __str__(self) -> str:
        lines = [self.text()]
        for term in self.splines:
            low, high = term.domain
            lines.append(f"{term.name}: spline of edge {term.edge_id} on [{low:.4g}, {high:.4g}]")
        return "\n".join([*lines, *self.notes])

    def _repr_latex_(self) -> str:
        names = [formula.latex_of_name(name) for name in self.outputs]
        rows = [f"{name} &= {e}" for name, e in zip(names, self.latex(), strict=True)]
        return r"$\displaystyle \begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}$"


def symbolic_formula(
    network: Network,
    variables: Sequence[str | sp.Symbol] | None = None,
    *,
    samples: FloatArray | None = None,
    tolerance: float = TOLERANCE,
    simplify: bool = False,
    timeout_s: float = 10.0,
) -> SymbolicFormula:
    """The expressions that a network computes, masks, scales and biases included.

    A spline front is a named function (``spline_1(x)``, numbered from the inputs up) of
    which the result says the domain and the edge. Nodes on which no output depends do not
    count. Valid for real numbers where every function of the network has a value.

    variables: symbols or names in place of the inputs' own. samples (n, inputs): where the
    formula is compared with the network; None takes random ones from the grids of the
    inputs. tolerance: numbers become simpler (0.99999 to 1, 3.14159 to pi) as long as no
    output is off by more than tolerance times its largest value at the samples.
    simplify: let sympy look for a shorter form, for timeout_s seconds at most.

    Raises DataError for variables or samples that do not fit, and KanStudioError where the
    formula would be too large to be written out.
    """
    symbols = _symbols(network, variables)
    if not 0 <= tolerance < 1:
        raise DataError(f"a tolerance is at least 0 and below 1, not {tolerance!r}")
    check_size(network)
    x = _samples(network, samples)
    try:
        result = _found(network, symbols, x, tolerance)
    except RecursionError:
        raise KanStudioError(_TOO_DEEP) from None
    if not simplify:
        return result
    shorter, notes = simplified(result.expressions, symbols, x, tolerance, timeout_s)
    return replace(result, expressions=shorter, notes=(*result.notes, *notes))


def _found(
    network: Network, symbols: tuple[sp.Symbol, ...], x: FloatArray, tolerance: float
) -> SymbolicFormula:
    splines: dict[EdgeRef, SplineTerm] = {}
    found, expected = _closest(network, symbols, splines, x, tolerance)
    found = cleaned(found, symbols, x, expected, tolerance)
    found = [with_numbers(folded(expression, recognise), _without_bits) for expression in found]
    return SymbolicFormula(
        expressions=tuple(found),
        variables=symbols,
        outputs=network.output_names,
        splines=tuple(term for term in splines.values() if _appears(term, found)),
        max_error=_error(values(found, symbols, x), evaluate(network, x)),
    )


def _symbols(
    network: Network, variables: Sequence[str | sp.Symbol] | None
) -> tuple[sp.Symbol, ...]:
    given = list(network.input_names if variables is None else variables)
    if len(given) != len(network.levels[0]):
        raise DataError(f"{len(network.levels[0])} inputs need as many variables, not {len(given)}")
    if not all(isinstance(item, str | sp.Symbol) for item in given):
        raise DataError("variables are names or sympy symbols")
    symbols = tuple(sp.Symbol(item) if isinstance(item, str) else item for item in given)
    if len(set(symbols)) < len(symbols):
        raise DataError("two variables have the same name")
    return symbols


def _samples(network: Network, samples: FloatArray | None) -> FloatArray:
    if samples is None:
        knots, degree = network.layers[0].knots, network.degree
        low, high = knots[:, degree], knots[:, knots.shape[1] - degree - 1]
        draws = np.random.default_rng(0).random((N_SAMPLES, len(low)))
        spread: FloatArray = low + (high - low) * draws
        return spread
    check_inputs(len(network.levels[0]), np.shape(samples))
    given = np.asarray(samples, dtype=np.float64)
    if not len(given):
        raise DataError("there are no samples to compare the formula at")
    return given[:: -(-len(given) // N_SAMPLES)]


def _closest(
    network: Network,
    symbols: Sequence[sp.Symbol],
    splines: dict[EdgeRef, SplineTerm],
    x: FloatArray,
    tolerance: float,
) -> tuple[list[sp.Expr], FloatArray]:
    """Expressions with simple numbers for the network's, if close enough, and exact values."""

    def build(number: Number) -> list[sp.Expr]:
        found = expressions(network, symbols, Spelling(number, spline))
        return [folded(expression, number) for expression in found]

    def spline(edge: EdgeRef) -> type[SplineFunction]:
        if edge not in splines:
            splines[edge] = spline_term(network, edge, f"spline_{len(splines) + 1}")
        return splines[edge].function

    plain = build(tidy)
    expected = values(plain, symbols, x)
    for spread in (tolerance / 4, EXACT) if tolerance > _EXACT_TOLERANCE else (EXACT,):
        found = build(partial(shortened, spread=spread))
        if within(values(found, symbols, x), expected, tolerance):
            return found, expected
    return plain, expected


def _without_bits(item: sp.Expr) -> sp.Expr:
    """A Float for a Rational that is nothing but the bits of a double."""
    bits = item.is_Rational and item.q > _LONGEST_DYADIC and item.q & (item.q - 1) == 0
    return sp.Float(float(item)) if bits else item


def _appears(term: SplineTerm, found: Sequence[sp.Expr]) -> bool:
    return any(expression.has(term.function) for expression in found)


def _error(found: FloatArray, expected: FloatArray) -> float | None:
    both = np.isfinite(found) & np.isfinite(expected)
    if not both.any():
        return None
    scale = np.abs(np.where(both, expected, 0)).max(axis=0)
    error = np.abs(np.where(both, found - expected, 0)) / np.where(scale > 0, scale, 1)
    return float(error.max())
