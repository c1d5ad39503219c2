"""LaTeX of a formula as it was read: from the syntax tree, in the order of the text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import sympy as sp
from sympy.printing.latex import LatexPrinter

from kanstudio import functions
from kanstudio.errors import FormulaError
from kanstudio.formula.ast import (
    Call,
    Compare,
    Constant,
    Logic,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Truth,
    Variable,
    children,
    with_children,
)
from kanstudio.formula.cases import nodes
from kanstudio.formula.limits import depth_is_said
from kanstudio.formula.parser import Parser
from kanstudio.formula.printing import format_text
from kanstudio.formula.spelling import GREEK_FUNCTIONS
from kanstudio.formula.symbols import GREEK, OTHERS
from kanstudio.formula.tokens import tokenize
from kanstudio.formula.words import Words

_MOST_EXACT = 15
_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_SPLIT_NAME = re.compile(r"([A-Za-z]+?)_?(\d+|_.*)?", re.ASCII)
_NAMED = re.compile(r"(\\(?:[a-z]+|operatorname\{[a-z]+\}))(\\left\(.*)", re.DOTALL)
_RELATIONS = {"<": "<", ">": ">", "<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_LOGIC = {"and": r" \land ", "or": r" \lor "}
_POWERS_OF_E = frozenset(["exp", "gaussian"])
_FUNCTIONS_OF_TEX = frozenset(["log", "max", "min"])


def latex_of_name(name: str) -> str:
    r"""\theta_{1} for theta_1 and theta1, x_{\mathrm{max}} for x_max, \mathrm{speed}."""
    match = _SPLIT_NAME.fullmatch(name)
    head, below = (match[1], match[2] or "") if match else (name, "")
    shown = _word(head)
    below = below.strip("_")
    return f"{shown}_{{{below if below.isdigit() else _word(below)}}}" if below else shown


def _word(word: str) -> str:
    if word.lower() in GREEK and (word.islower() or word.istitle()):
        # TeX has no capital for those that look like Latin letters.
        plain = word in {"Alpha", "Beta", "Epsilon", "Zeta", "Eta", "Iota", "Kappa", "Mu", "Nu"}
        plain = plain or word in {"Omicron", "Rho", "Tau", "Chi", "omicron"}
        return rf"\mathrm{{{word}}}" if plain else f"\\{word}"
    if word in {"hbar", "ell"}:
        return f"\\{word}"
    escaped = word.replace("_", r"\_")
    return escaped if len(word) == 1 else rf"\mathrm{{{escaped}}}"


def latex_of_node(node: Node, variables: Collection[str] = ()) -> str:
    """LaTeX that shows the reading: fractions, powers, brackets only where needed.

    variables: those that the node may lack.
    """
    names = {item.name for item in nodes(node) if isinstance(item, Variable)}
    if "e" in names.union(variables):
        node = _without_constant_e(node)
    return _text(node, _SUM)


def _without_constant_e(node: Node) -> Node:
    """exp(x) by its name, for e^x would be a power of the variable e."""
    node = with_children(node, tuple(map(_without_constant_e, children(node))))
    if isinstance(node, Call) and node.name in _POWERS_OF_E:
        return replace(node, name=f"\\{node.name}")
    return node


@depth_is_said()
def latex(expr: sp.Expr) -> str:
    """LaTeX of a sympy expression, names as in `latex_of_name`.

    `parse` reads it as the same value, given expr's variables; where expr has what formulas
    lack, it is sympy's LaTeX.
    """
    try:
        return latex_of_node(syntax_tree(format_text(expr), expr.free_symbols))
    except (FormulaError, RecursionError):
        return _latex_of_sympy(expr)


def syntax_tree(text: str, symbols: Iterable[sp.Symbol]) -> Node:
    """The tree of a text that `format_text` has written."""
    words = Words(text, sorted(symbol.name for symbol in symbols), (), ())
    return Parser(text, words.resolve(tokenize(text)), {}).parse()


def _latex_of_sympy(expr: sp.Expr) -> str:
    names = {symbol: latex_of_name(symbol.name) for symbol in expr.free_symbols}
    return latex_of_expression(expr, symbol_names=names)


def latex_of_expression(expr: sp.Expr, **settings: object) -> str:
    """What sympy's ``latex`` gives, with settings as there."""
    return str(_Printer(settings).doprint(expr))


class _Printer(LatexPrinter):
    def _print_Piecewise(self, expr: sp.Expr, exp: str | None = None) -> str:
        """Cases to a power; sympy's own raises TypeError there."""
        cases = super()._print_Piecewise(expr)
        return rf"\left({cases}\right)^{{{exp}}}" if exp else str(cases)


def _text(node: Node, level: int) -> str:
    return _fitted(_shown(node), level)


def _fitted(shown: tuple[str, int], level: int) -> str:
    """In brackets, if it binds less than level asks for."""
    text, own = shown
    return text if own >= level else rf"\left({text}\right)"


def _shown(node: Node) -> tuple[str, int]:
    match node:
        case Number():
            return _number(node.text)
        case Constant():
            return (r"\pi" if node.name == "pi" else "e"), _ATOM
        case Variable():
            return latex_of_name(node.name), _ATOM
        case Negative():
            return f"-{_text(node.item, _PRODUCT)}", _SUM
        case Sum():
            return _sum(node), _SUM
        case Product():
            return _product(node)
        case Power():
            return _power(node)
        case Call():
            return _call(node)
        case Compare():
            relation = _RELATIONS[node.operator]
            return f"{_text(node.left, _SUM)} {relation} {_text(node.right, _SUM)}", _SUM
        case Logic():
            return _logic(node), _SUM
        case Truth():
            return rf"\text{{{str(node.value).lower()}}}", _ATOM
    raise AssertionError(node)


def _logic(node: Logic) -> str:
    items = [_text(item, _SUM) for item in node.items]
    bracketed = [
        rf"\left({shown}\right)" if isinstance(item, Logic) else shown
        for item, shown in zip(node.items, items, strict=True)
    ]
    if node.operator == "not":
        return rf"\lnot \left({items[0]}\right)"
    return _LOGIC[node.operator].join(bracketed)


def _number(text: str) -> tuple[str, int]:
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > _MOST_EXACT and "." in mantissa:
        mantissa = mantissa.rstrip("0")  # they say only that this is a float
    mantissa = f"0{mantissa}" if mantissa.startswith(".") else mantissa.removesuffix(".")
    if not exponent:
        return mantissa, _ATOM
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}", _PRODUCT


def _sum(node: Sum) -> str:
    shown = _text(node.terms[0], _SUM)
    for term in node.terms[1:]:
        if isinstance(term, Negative):
            shown += f" - {_text(term.item, _PRODUCT)}"
        else:
            shown += f" + {_text(term, _PRODUCT)}"
    return shown


def _product(node: Product) -> tuple[str, int]:
    pairs = list(zip(node.factors, node.divided, strict=True))
    top = [factor for factor, divides in pairs if not divides]
    bottom = [factor for factor, divides in pairs if divides]
    if not bottom:
        return _factors(top), _PRODUCT
    if len(top) > 1 and isinstance(top[0], Number) and top[0].value == 1:
        del top[0]
    numerator = _factors(top) if len(top) > 1 else _text(top[0], _SUM)
    denominator = _factors(bottom) if len(bottom) > 1 else _text(bottom[0], _SUM)
    return rf"\frac{{{numerator}}}{{{denominator}}}", _PRODUCT


def _factors(factors: list[Node]) -> str:
    shown = _text(factors[0], _PRODUCT)
    for before, factor in pairwise(factors):
        piece = _text(factor, _POWER)
        dot = piece[0].isdigit() or (isinstance(before, Number) and isinstance(factor, Number))
        shown += (r" \cdot " if dot else r" \, " if piece[0] == "\\" else " ") + piece
    return shown


def _power(node: Power) -> tuple[str, int]:
    exponent = _text(node.exponent, _SUM)
    # Each part is written once: twice a level would double the time with every level.
    base = _shown(node.base)
    if isinstance(node.base, Call):
        positive = isinstance(node.exponent, Number)  # \sin^{-1} would read as the inverse
        named = _NAMED.match(base[0]) if positive else None
        if named:
            return f"{named[1]}^{{{exponent}}}{named[2]}", _ATOM
        if node.base.name not in {"abs", "floor", "ceil"}:
            base = (base[0], _SUM)
    return f"{_fitted(base, _ATOM)}^{{{exponent}}}", _POWER


def _call(node: Call) -> tuple[str, int]:
    shown = [_shown(item) for item in node.arguments]
    items = [text for text, _ in shown]
    name, first = node.name, items[0]
    if name.startswith("\\"):
        command = name if name == "\\exp" else rf"\operatorname{{{name[1:]}}}"
        return rf"{command}\left({first}\right)", _ATOM
    if name == "sqrt":
        return rf"\sqrt{{{first}}}", _ATOM
    if name == "root":
        return rf"\sqrt[{items[1]}]{{{first}}}", _ATOM
    if name == "factorial":
        return f"{_fitted(shown[0], _ATOM)}!", _POWER
    if name == "exp":
        return f"e^{{{first}}}", _POWER
    if name == "gaussian":
        return f"e^{{-{_fitted(shown[0], _ATOM)}^{{2}}}}", _POWER
    if name in {"where", "piecewise"}:
        return _cases(items), _ATOM
    if name in {"log", "log2", "log10"}:
        base = items[1] if len(items) > 1 else name.removeprefix("log")
        below = f"_{{{base}}}" if base else ""
        return rf"\log{below}\left({first}\right)", _ATOM
    if name == "binomial":
        return rf"\binom{{{first}}}{{{items[1]}}}", _ATOM
    if name == "mod":
        return rf"{_fitted(shown[0], _POWER)} \bmod {_fitted(shown[1], _POWER)}", _SUM
    if len(items) == 1 and (template := _readable(name)):
        return template.replace("{x}", first), _ATOM
    escaped = name.replace("_", r"\_")
    command = f"\\{name}" if name in _FUNCTIONS_OF_TEX else rf"\operatorname{{{escaped}}}"
    return rf"{command}\left({', '.join(items)}\right)", _ATOM


@lru_cache(maxsize=256)
def _readable(name: str) -> str:
    """The table's LaTeX of a function with {x} for the argument, if `parse` reads it; or ""."""
    if name == "cbrt":
        return r"\sqrt[3]{{x}}"
    if name in OTHERS or name in GREEK_FUNCTIONS.values():
        return ""
    shown = functions.get(name).to_latex("z")
    call = Call(name, (Variable("z", start=0, end=0),), start=0, end=0)
    try:
        same = syntax_tree(shown, [sp.Symbol("z")]) == call
    except FormulaError:
        return ""
    template = functions.get(name).to_latex("{x}")
    return template if same and template.count("{x}") == 1 else ""


def _cases(items: list[str]) -> str:
    rows = [
        rf"{value} & \text{{if }} {condition}"
        for condition, value in zip(items[:-1:2], items[1::2], strict=True)
    ]
    rows.append(rf"{items[-1]} & \text{{otherwise}}")
    return r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"
