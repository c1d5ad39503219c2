"""From sympy back to text that `parse` reads as the same expression."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from kanstudio import functions

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_OPERATORS = {
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
}


def format_text(
    expr: sp.Expr, digits: int | None = None, names: Mapping[sp.Symbol, str] | None = None
) -> str:
    """A text that `parse` reads as expr, given expr's variables.

    A Float with at most 15 digits comes back as the Rational of the same decimal.

    digits: round floats to so many significant digits, for display; None keeps all 17.
    A function that formulas lack is printed by sympy's name for it.
    names: how symbols are written, if not by their own names.
    """
    return _Printer(digits, names or {}).text(expr, _SUM)


class _Printer:
    def __init__(self, digits: int | None, names: Mapping[sp.Symbol, str]) -> None:
        self.digits = digits
        self.names = names

    def text(self, expr: sp.Expr, level: int) -> str:
        """expr, in brackets if it binds less than level asks for."""
        shown, own = self.shown(expr)
        return shown if own >= level else f"({shown})"

    def shown(self, expr: sp.Expr) -> tuple[str, int]:
        if expr.is_Number or expr in {sp.pi, sp.E}:
            return self.number(expr)
        if expr.is_Symbol:
            return str(self.names.get(expr, expr.name)), _ATOM
        if expr.is_Add:
            return self.sum(expr), _SUM
        if expr.is_Mul:
            return self.product(expr)
        if expr.is_Pow and not isinstance(expr, sp.exp):
            return self.power(expr)
        return self.call(expr), _ATOM

    def number(self, expr: sp.Expr) -> tuple[str, int]:
        if expr in {sp.pi, sp.E}:
            return ("pi" if expr == sp.pi else "e"), _ATOM
        if expr.is_Float:
            value = float(expr)
            shown = repr(value) if self.digits is None else f"{value:.{self.digits}g}"
            shown = shown.replace("e+", "e")
            return shown, _ATOM if value >= 0 else _SUM
        shown = str(expr)
        return shown, _SUM if expr < 0 else _PRODUCT if "/" in shown else _ATOM

    def sum(self, expr: sp.Expr) -> str:
        # Terms with a plain sign first, so that no sum starts with a minus if it can.
        terms = sorted(expr.args, key=lambda term: term.as_coeff_Mul()[0].is_negative is True)
        joined, *rest = (self.shown(term)[0] for term in terms)
        for piece in rest:
            joined += f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}"
        return joined

    def product(self, expr: sp.Expr) -> tuple[str, int]:
        number, rest = expr.as_coeff_Mul(rational=False)
        top, bottom = [], []
        for factor in sp.Mul.make_args(rest):
            exponent = factor.exp if factor.is_Pow and not isinstance(factor, sp.exp) else None
            if exponent is not None and exponent.is_Rational and exponent < 0:
                bottom.append(self.text(sp.Pow(factor.base, -exponent), _POWER))
            else:
                top.append(self.text(factor, _POWER))
        minus = ""
        if number.is_negative:
            minus, number = "-", -number
        if number.is_Rational:
            top = [str(number.p), *top] if number.p != 1 or not top else top
            bottom = [str(number.q), *bottom] if number.q != 1 else bottom
        elif number != 1:
            top = [self.number(number)[0], *top]
        shown = minus + "*".join(top)
        if len(bottom) == 1 or (len(bottom) == 2 and bottom[1].startswith("(")):
            # 1/(2*(x + 1)) would be read as 1/(2*x + 2).
            shown += "".join(f"/{factor}" for factor in bottom)
        elif bottom:
            shown += f"/({'*'.join(bottom)})"
        return shown, _PRODUCT if not minus else _SUM

    def power(self, expr: sp.Expr) -> tuple[str, int]:
        base, exponent = expr.args
        if exponent == sp.Rational(1, 2):
            return f"sqrt({self.text(base, _SUM)})", _ATOM
        if exponent.is_Rational and exponent < 0:
            below = self.text(sp.Pow(base, -exponent), _POWER)
            return f"1/{below}", _PRODUCT
        return f"{self.text(base, _ATOM)}^{self.text(exponent, _ATOM)}", _POWER

    def call(self, expr: sp.Expr) -> str:
        if isinstance(expr, sp.Piecewise):
            return self.piecewise(expr)
        found = functions.match(expr)
        name, arguments = (found[0], (found[1],)) if found else (None, expr.args)
        if name is None:
            name = str(expr.func.__name__).lower() if expr.is_Function else str(expr.func)
        return f"{name}({', '.join(self.text(item, _SUM) for item in arguments)})"

    def piecewise(self, expr: sp.Expr) -> str:
        pieces = []
        for value, condition in expr.args:
            if condition != sp.true:
                pieces.append(self.condition(condition))
            pieces.append(self.text(value, _SUM))
        name = "where" if len(pieces) == 3 else "piecewise"
        return f"{name}({', '.join(pieces)})"

    def condition(self, condition: sp.Expr) -> str:
        operator = _OPERATORS.get(type(condition))
        if operator is None:
            return str(condition)
        left, right = (self.text(side, _SUM) for side in condition.args)
        return f"{left} {operator} {right}"
