"""Formulas of one variable as names of composed functions; used by `kanstudio.functions`."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from kanstudio import functions
from kanstudio.errors import FormulaError, KanStudioError
from kanstudio.formula import algebra
from kanstudio.formula.latex import latex_of_name
from kanstudio.formula.printing import format_text
from kanstudio.formula.reading import parse
from kanstudio.formula.symbols import GREEK
from kanstudio.formula.words import is_name

_X = sp.Symbol("x")
# A name of x whose LaTeX stands nowhere else.
_PLACE = "Q_9"


def read(text: str) -> sp.Expr:
    """The expression of x that a text says; FormulaError."""
    parsed = parse(text, ("x",))
    output, *others = parsed.outputs
    if others or output.name is not None:
        raise FormulaError("a function is one formula without a name", text, 0, len(text))
    return output.expr


def write(expr: sp.Expr, symbol: sp.Symbol) -> str:
    """The text of an expression, with the symbol called x."""
    return format_text(expr, names={symbol: "x"})


def template(expr: sp.Expr) -> str:
    """LaTeX with {(x)} in place of x, and {x} where x has brackets of its own."""
    text = format_text(expr, names={_X: _PLACE})
    shown = parse(text, (_PLACE,)).outputs[0].latex.replace(latex_of_name(_PLACE), "{(x)}")
    return shown.replace(r"\left({(x)}\right)", r"\left({x}\right)")


def substitute(expr: sp.Expr, argument: sp.Expr) -> sp.Expr:
    """An expression that `read` gave, with the argument in place of x.

    Made without sympy's rules, see `algebra`. Raises KanStudioError where a number in it
    would be beyond 1e300.
    """
    try:
        return _substituted(expr, {_X: argument})
    except OverflowError:
        raise KanStudioError(f"{write(expr, _X)[:80]} of {argument} is too large") from None


def _substituted(node: sp.Basic, known: dict[sp.Basic, sp.Basic]) -> sp.Basic:
    if node not in known and node.args:
        if isinstance(node, sp.Piecewise):
            pairs = [tuple(_substituted(part, known) for part in pair.args) for pair in node.args]
            known[node] = sp.Piecewise(*pairs, evaluate=False)
        else:
            known[node] = _made(node, [_substituted(item, known) for item in node.args])
    return known.get(node, node)


def _made(node: sp.Basic, arguments: list[sp.Basic]) -> sp.Basic:
    """An operation on new arguments."""
    if type(node) in _MADE:
        return _MADE[type(node)](arguments)
    found = functions.match(node) if isinstance(node, sp.Function) else None
    if found is not None:
        return algebra.apply(found[0], arguments[node.args.index(found[1])])
    return node.func(*arguments, evaluate=False)


_MADE: dict[type, Callable[[list[sp.Expr]], sp.Expr]] = {
    sp.Add: algebra.add,
    sp.Mul: algebra.multiply,
    sp.Pow: lambda arguments: algebra.power(*arguments),
}


def why_no_function_name(name: str) -> str:
    """Why formulas cannot have a new function of this name; "" if they can."""
    if not is_name(name) or len(name) < 2:
        return "a name has two letters, digits or underscores or more, and starts with a letter"
    taken = f"{name} has a meaning in formulas already"
    try:
        read_as = parse(f"{name}(x)")
    except FormulaError as error:
        return "" if error.message == f"unknown function {name}" else taken
    letters = name.partition("_")[0].rstrip("0123456789")
    # well_2(x) is a product until there is such a function; theta_2(x) stays one.
    if read_as.variables == (name, "x") and letters.lower() not in GREEK:
        return ""
    return f"{taken}: {name}(x) is {format_text(read_as.outputs[0].expr)}"
