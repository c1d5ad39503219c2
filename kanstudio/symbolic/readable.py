"""The formula of a network in a few digits, quick enough to be shown while it trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

import sympy as sp

from kanstudio import formula
from kanstudio.errors import FormulaError, KanStudioError
from kanstudio.network.network import EdgeRef, Network
from kanstudio.symbolic.arithmetic import with_numbers
from kanstudio.symbolic.build import Spelling, count_operations, expressions, used_edges
from kanstudio.symbolic.constants import recognise
from kanstudio.symbolic.folds import folded

MAX_OPERATIONS = 200
_LONGEST_FRACTION = 20


@dataclass(frozen=True)
class ReadableFormula:
    """text and latex: per output "name = expression"; both empty where note says why.

    LaTeX takes as long as all the rest, so it is made when it is asked for.
    """

    text: tuple[str, ...] = ()
    note: str = ""
    expressions: tuple[tuple[str, sp.Expr], ...] = field(default=(), repr=False)

    @cached_property
    def latex(self) -> tuple[str, ...]:
        """Empty also where the formula is nested too deeply for sympy's printer."""
        try:
            return tuple(
                f"{formula.latex_of_name(name)} = {formula.latex(expression)}"
                for name, expression in self.expressions
            )
        except FormulaError:
            return ()


def readable(
    network: Network, digits: int = 4, max_operations: int = MAX_OPERATIONS
) -> ReadableFormula:
    """What a network computes, its numbers rounded to ``digits`` digits.

    Numbers that round like a simple one, such as 0.33334 or 3.1416, are shown as that one,
    and shifts that do not count among so many digits are left out.
    Spline edges are functions spline_1, spline_2, ... from the inputs up. For reading only:
    nothing is compared with the network. A formula of more than max_operations operations
    is not written out, and the note says so.
    """
    count = count_operations(network, used_edges(network))
    if count > max_operations:
        size = f"{int(count):,}" if count < 1e15 else f"{count:.1e}"
        return ReadableFormula(note=f"too long to be written out: {size} operations")
    spread = 0.5 * 10.0**-digits
    number = partial(recognise, spread=spread)
    splines: dict[EdgeRef, type[sp.Function]] = {}

    def spline(edge: EdgeRef) -> type[sp.Function]:
        return splines.setdefault(edge, _named(f"spline_{len(splines) + 1}"))

    def round_one(item: sp.Expr) -> sp.Expr:
        short = item.is_Integer or (item.is_Rational and item.q <= _LONGEST_FRACTION)
        return item if short else sp.Float(f"{float(item):.{digits}g}")

    symbols = [sp.Symbol(name) for name in network.input_names]
    try:
        found = expressions(network, symbols, Spelling(number, spline, spread))
        shown = [with_numbers(folded(expression, number), round_one) for expression in found]
        text = [formula.format_text(expression, digits) for expression in shown]
    except RecursionError:
        return ReadableFormula(note="nested too deeply to be written out")
    except KanStudioError as error:
        return ReadableFormula(note=str(error))
    names = network.output_names
    return ReadableFormula(
        text=tuple(f"{name} = {piece}" for name, piece in zip(names, text, strict=True)),
        expressions=tuple(zip(names, shown, strict=True)),
    )


@lru_cache(maxsize=1000)
def _named(name: str) -> type[sp.Function]:
    """A function without values: the curve changes with every step of a training."""
    made: type[sp.Function] = sp.Function(name)
    return made
