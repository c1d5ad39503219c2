"""From sympy back to text that `parse` reads as the same expression."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

import sympy as sp
from sympy.core.function import AppliedUndef

from kanstudio import functions
from kanstudio.errors import FormulaError
from kanstudio.formula.limits import depth_is_said, show
from kanstudio.formula.numbers import exact, is_long
from kanstudio.formula.symbols import CALLABLE
from kanstudio.formula.words import is_name

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_LOW_TOWER = 3
_OPERATORS = {
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
    sp.Equality: "==",
    sp.Unequality: "!=",
}
_OTHERS = {
    sp.Max: "max",
    sp.Min: "min",
    sp.Mod: "mod",
    sp.atan2: "atan2",
    sp.factorial: "factorial",
}
# The constants, and what is the same number where a variable has the name.
_NUMBERS = {sp.pi: ("pi", "arccos(-1)"), sp.E: ("e", "exp(1)")}
_MOST_EXACT = 15


@depth_is_said()
def format_text(
    expr: sp.Expr, digits: int | None = None, names: Mapping[sp.Symbol, str] | None = None
) -> str:
    """A text that `parse` reads as expr, given expr's variables.

    Floats keep all their bits; where one is a short fraction (0.25) it comes back as that
    fraction. A function that is not sympy's, such as a spline, has its own name. Raises
    FormulaError for a function and a number that formulas lack, and for too deep a nest.

    digits: round floats to so many significant digits, for display; None keeps all 17.
    names: how symbols are written, if not by their own names.
    """
    return _Printer(expr, digits, names or {}).text(expr, _SUM)


_LONGEST_RECIPROCAL = 1000


def decimal_fraction(number: sp.Expr) -> str:
    """9.81 for 981/100 and 0.3 for 3/10; "" for what reads better as a fraction, or is none."""
    if not number.is_Rational or number.q % 5 or number.q in {5, 20, 40}:
        return ""
    if abs(number.p) == 1 and number.q <= _LONGEST_RECIPROCAL:
        return ""
    shown = repr(int(number.p) / int(number.q))
    same = exact(Fraction(shown)) == number and not is_long(shown)
    return shown if same else ""


def _is_tower(expr: sp.Expr) -> bool:
    """Is this shown as a base and an exponent?"""
    if not expr.is_Pow or isinstance(expr, sp.exp) or expr.exp == sp.Rational(1, 2):
        return False
    return not (expr.exp.is_Rational and expr.exp < 0)


def denominator(power: sp.Pow) -> sp.Expr:
    """What 1 is divided by: sympy itself would take an exponent into cases, or out of them."""
    exponent = -power.exp
    return power.base if exponent == 1 else sp.Pow(power.base, exponent, evaluate=False)


class _Printer:
    def __init__(self, expr: sp.Expr, digits: int | None, names: Mapping[sp.Symbol, str]) -> None:
        self.digits = digits
        self.names = {item: names.get(item, item.name) for item in expr.free_symbols}
        self.taken = frozenset(self.names.values())
        for name in self.taken:
            if not is_name(name):
                raise FormulaError(f"{show(name)} cannot name a variable")
        # and, or and not, unless a variable has such a name.
        words = {"and", "or", "not"} & self.taken
        self.logic = ("&&", "||", "!") if words else ("and", "or", "not ")

    def text(self, expr: sp.Expr, level: int) -> str:
        """expr, in brackets if it binds less than level asks for."""
        shown, own = self.shown(expr)
        return shown if own >= level else f"({shown})"

    def shown(self, expr: sp.Expr) -> tuple[str, int]:
        if expr.is_Symbol:
            return self.names[expr], _ATOM
        if expr.is_Number or expr.is_NumberSymbol or expr is sp.I:
            return self.number(expr)
        if expr.is_Add:
            return self.sum(expr), _SUM
        if expr.is_Mul:
            return self.product(expr)
        if expr.is_Pow and not isinstance(expr, sp.exp):
            return self.power(expr)
        if isinstance(expr, sp.re | sp.conjugate):  # every value is real
            return self.shown(expr.args[0])
        return self.call(expr), _ATOM

    # Numbers

    def number(self, expr: sp.Expr) -> tuple[str, int]:
        if expr in _NUMBERS:
            name, other = _NUMBERS[expr]
            return (other if name in self.taken else name), _ATOM
        if not expr.is_finite or expr is sp.I:
            raise FormulaError(f"formulas have no number {expr}")
        if expr.is_Rational and exact(Fraction(int(expr.p), int(expr.q))).is_Rational:
            shown = decimal_fraction(expr) or str(expr)
            return shown, _SUM if expr < 0 else _PRODUCT if "/" in shown else _ATOM
        shown = self.decimal(float(expr))
        return shown, _SUM if shown.startswith("-") else _ATOM

    def decimal(self, value: float) -> str:
        """The float with all its digits, which no short fraction could be taken for."""
        if not math.isfinite(value):
            raise FormulaError("formulas have no number beyond 1e300")
        if self.digits is not None:
            return f"{value:.{self.digits}g}".replace("e+", "e")
        shown = repr(value).replace("e+", "e")
        same = exact(Fraction(value)).is_Rational or not exact(Fraction(shown)).is_Rational
        if same:
            return shown
        mantissa, mark, exponent = shown.partition("e")
        mantissa += "" if "." in mantissa else "."
        written = len(mantissa.replace(".", "").replace("-", "").lstrip("0"))
        return f"{mantissa}{'0' * (_MOST_EXACT + 1 - written)}{mark}{exponent}"

    # Sums, products, powers

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
        for factor in self.logarithms(sp.Mul.make_args(rest)):
            if isinstance(factor, str):
                top.append(factor)
                continue
            exponent = factor.exp if factor.is_Pow and not isinstance(factor, sp.exp) else None
            if exponent is not None and exponent.is_Rational and exponent < 0:
                bottom.append(self.text(denominator(factor), _POWER))
            else:
                top.append(self.text(factor, _POWER))
        minus = ""
        if number.is_negative:
            minus, number = "-", -number
        if decimal_fraction(number):
            top = [decimal_fraction(number), *top]
        elif number.is_Rational and exact(Fraction(int(number.p), int(number.q))).is_Rational:
            top = [str(number.p), *top] if number.p != 1 or not top else top
            bottom = [str(number.q), *bottom] if number.q != 1 else bottom
        elif number != 1:
            top = [self.number(number)[0], *top]
        shown = minus + "*".join(top or ["1"])
        if len(bottom) == 1 or (len(bottom) == 2 and bottom[1].startswith("(")):
            # 1/(2*(x + 1)) would be read as 1/(2*x + 2).
            shown += "".join(f"/{factor}" for factor in bottom)
        elif bottom:
            shown += f"/({'*'.join(bottom)})"
        return shown, _PRODUCT if not minus else _SUM

    def logarithms(self, factors: Iterable[sp.Expr]) -> list[sp.Expr | str]:
        """The factors, with log(x)/log(10) as log10(x)."""
        left: list[sp.Expr | str] = list(factors)
        for base in (2, 10):
            below = 1 / sp.log(base)
            above = next((item for item in left if isinstance(item, sp.log)), None)
            if below in left and above is not None and not above.is_number:
                left.remove(below)
                left[left.index(above)] = f"log{base}({self.text(above.args[0], _SUM)})"
        return left

    def power(self, expr: sp.Expr) -> tuple[str, int]:
        base, exponent = expr.args
        if exponent == sp.Rational(1, 2):
            return f"sqrt({self.text(base, _SUM)})", _ATOM
        if exponent.is_Rational and exponent < 0:
            return f"1/{self.text(denominator(expr), _POWER)}", _PRODUCT
        tower = [base]
        while _is_tower(exponent):
            tower.append(exponent.base)
            exponent = exponent.exp
        # x^(y^z), but x^y^z^w: the brackets of a high tower would be nested too deep to read.
        shown = [self.text(item, _ATOM) for item in (*tower, exponent)]
        if len(shown) == _LOW_TOWER:
            return f"{shown[0]}^({shown[1]}^{shown[2]})", _POWER
        return "^".join(shown), _POWER

    # Calls

    def call(self, expr: sp.Expr) -> str:
        if isinstance(expr, sp.Piecewise):
            return self.piecewise(expr)
        arguments = expr.args
        found = functions.match(expr)
        if found:
            name, arguments = self.free_word(found[0]), (found[1],)
        elif _is_foreign(expr):
            name = type(expr).__name__
        elif type(expr) in _OTHERS:
            name = _OTHERS[type(expr)]
        else:
            raise FormulaError(f"formulas have no function {type(expr).__name__}")
        return f"{name}({', '.join(self.text(item, _SUM) for item in arguments)})"

    def free_word(self, name: str) -> str:
        """The name of a function, or an alias where a variable has that name."""
        if name not in self.taken:
            return name
        words = [word for word in functions.get(name).aliases if word in CALLABLE]
        words += ["Gamma"] if name == "gamma" else []
        word = next((word for word in words if word not in self.taken), "")
        if not word:
            raise FormulaError(f"{name} is a variable and a function here")
        return word

    def piecewise(self, expr: sp.Expr) -> str:
        # Where no condition holds there is no value, so the last one says nothing more.
        *pairs, (last, _) = expr.args
        if not pairs:
            return self.text(last, _ATOM)
        pieces = []
        for value, condition in pairs:
            pieces += [self.condition(condition)[0], self.text(value, _SUM)]
        pieces.append(self.text(last, _SUM))
        name = "where" if len(pieces) == 3 else "piecewise"
        return f"{name}({', '.join(pieces)})"

    def condition(self, condition: sp.Basic) -> tuple[str, int]:
        """The condition's text, and how much it binds: a relation more than and, or."""
        if isinstance(condition, sp.And | sp.Or):
            word = f" {self.logic[0 if isinstance(condition, sp.And) else 1]} "
            shown = [self.condition(item) for item in sorted(condition.args, key=str)]
            return word.join(text if own else f"({text})" for text, own in shown), 0
        if isinstance(condition, sp.Not):
            return f"{self.logic[2]}({self.condition(condition.args[0])[0]})", 1
        if isinstance(condition, sp.ITE):
            when, then, other = condition.args
            return self.condition(sp.Or(sp.And(when, then), sp.And(sp.Not(when), other)))
        operator = _OPERATORS.get(type(condition))
        if operator is None:
            raise FormulaError(f"formulas have no condition {type(condition).__name__}")
        left, right = (self.text(side, _SUM) for side in condition.args)
        return f"{left} {operator} {right}", 1


def _is_foreign(expr: sp.Basic) -> bool:
    """A function that sympy does not define: Function("f"), or somebody's subclass."""
    own = (type(expr).__module__ or "").startswith("sympy.")
    return isinstance(expr, AppliedUndef) or (isinstance(expr, sp.Function) and not own)
