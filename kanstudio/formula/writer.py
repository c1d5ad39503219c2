"""From sympy expressions to lines of code, the same way for every target.

Equal parts are computed once, in a local variable; so is what would make a line long.
Constants are folded to float64. Names come from one gate, and a name that the target
keeps for itself gets an underscore. sympy's own printers are not used: they write any
symbol's name as it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy as sp

from kanstudio import functions
from kanstudio.errors import FormulaError
from kanstudio.formula.coverage import compare
from kanstudio.formula.limits import show
from kanstudio.formula.printing import denominator
from kanstudio.formula.words import is_name
from kanstudio.functions.heads import Head

SUM, PRODUCT, POWER, ATOM = range(4)
_LONGEST_INLINE = 90
_DIGITS = 30
_LOCAL = "t"
RELATIONS = {
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
    sp.Equality: "==",
    sp.Unequality: "!=",
}


@dataclass(frozen=True)
class Code:
    """The text of a value and how much it binds; constant: the number that it is, if one."""

    text: str
    level: int = ATOM
    constant: float | None = None


@dataclass(frozen=True)
class Body:
    """What stands in a function: its locals in order, and the text of each output."""

    lines: tuple[str, ...]
    outputs: tuple[str, ...]


class CodeWriter(ABC):
    """Writes the body of one function; a subclass knows the language.

    calls: from the name of a function of the table to its code, with {0} for the argument.
    reserved: names that no variable may have. helpers: functions that are written beside
    where they are called; ``used`` says which.
    """

    language: ClassVar[str]
    calls: ClassVar[Mapping[str, str]]
    reserved: ClassVar[frozenset[str]]
    helpers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, variables: Sequence[str], name: str) -> None:
        self.name = _safe_names([name], self.reserved)[name]
        self.names = _safe_names(variables, self.reserved | {self.name})
        self.parameters = [self.names[variable] for variable in variables]
        self.taken = {self.name, *self.parameters}
        self.lines: list[str] = []
        self.used: dict[str, None] = {}

    # What a language has to say

    @abstractmethod
    def number(self, value: float) -> str: ...

    @abstractmethod
    def power(self, base: Code, exponent: Code) -> Code: ...

    @abstractmethod
    def extreme(self, largest: bool, items: Sequence[Code]) -> Code: ...

    @abstractmethod
    def remainder(self, value: Code, modulus: Code) -> Code: ...

    @abstractmethod
    def angle(self, y: Code, x: Code) -> Code: ...

    @abstractmethod
    def choice(self, pieces: Sequence[tuple[Code, Code]]) -> Code:
        """The value of the first (value, condition) that holds, NaN where none does."""

    @abstractmethod
    def logic(self, node: sp.Basic, items: Sequence[Code]) -> Code: ...

    @abstractmethod
    def local(self, name: str, text: str, condition: bool) -> str: ...

    # The walk

    def body(self, expressions: Sequence[sp.Expr]) -> Body:
        """The locals and outputs; raises FormulaError for what the language lacks."""
        uses: Counter[sp.Basic] = Counter(expressions)
        order: list[sp.Basic] = []
        for node in _postorder(expressions, self.operands):
            order.append(node)
            uses.update(self.operands(node))
        done: dict[sp.Basic, Code] = {}
        for node in order:
            code = self.code(node, [done[item] for item in self.operands(node)])
            shared = uses[node] > 1 and not code.text.isidentifier()
            long = len(code.text) > _LONGEST_INLINE and node not in expressions
            if code.constant is None and (shared or long):
                code = self.assigned(code, isinstance(node, sp.logic.boolalg.Boolean))
            done[node] = code
        return Body(tuple(self.lines), tuple(self.output(done[item]) for item in expressions))

    def output(self, code: Code) -> str:
        return self.text(code, SUM)

    def assigned(self, code: Code, condition: bool) -> Code:
        number = len(self.lines)
        while f"{_LOCAL}{number}" in self.taken:
            number += 1
        name = f"{_LOCAL}{number}"
        self.taken.add(name)
        self.lines.append(self.local(name, code.text, condition))
        return Code(name)

    def operands(self, node: sp.Basic) -> tuple[sp.Basic, ...]:
        """The parts whose code the code of a node is made of."""
        if isinstance(node, sp.Add):
            return tuple(-term if _is_negative(term) else term for term in node.args)
        if isinstance(node, sp.Mul) or _is_reciprocal(node):
            return tuple(factor for factor, _ in _factors(node))
        if isinstance(node, sp.Piecewise):
            return tuple(part for pair in node.args for part in pair.args)
        if isinstance(node, sp.exp):
            return (node.args[0],)
        if isinstance(node, sp.Pow):
            return tuple(node.args)
        found = functions.match(node) if isinstance(node, sp.Function) else None
        if found and found[0] not in self.calls and isinstance(node, Head):
            return (type(node).definition(node.args[0]),)
        return (found[1],) if found else tuple(node.args)

    def code(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        if isinstance(node, sp.Symbol):
            if node.name not in self.names:
                known = ", ".join(self.names) or "none"
                raise FormulaError(f"{show(node.name)} is no variable; the variables are: {known}")
            return Code(self.names[node.name])
        if node in (sp.true, sp.false):
            return Code("", constant=float(node is sp.true))
        if isinstance(node, sp.Expr) and all(item.constant is not None for item in items):
            return Code("", constant=_value(node))
        if isinstance(node, sp.Add):
            return self.sum(node, items)
        if isinstance(node, sp.Mul) or _is_reciprocal(node):
            return self.product(node, items)
        if type(node) in RELATIONS and all(item.constant is not None for item in items):
            left, right = (item.constant or 0.0 for item in items)
            return Code("", constant=float(compare(RELATIONS[type(node)], left, right)))
        return self.call(node, items)

    def text(self, code: Code, level: int) -> str:
        """The text of a value, in brackets if it binds less than level asks for."""
        if code.constant is not None:
            text = self.number(code.constant)
            return f"({text})" if text.startswith("-") and level > SUM else text
        return code.text if code.level >= level else f"({code.text})"

    def sum(self, node: sp.Add, items: Sequence[Code]) -> Code:
        signs = ["-" if _is_negative(term) else "+" for term in node.args]
        # A term with a plain sign first, if there is one.
        pairs = sorted(zip(signs, items, strict=True), key=lambda pair: pair[0] == "-")
        sign, first = pairs[0]
        text = self.text(first, PRODUCT)
        text = f"-{text}" if sign == "-" else text
        for sign, item in pairs[1:]:
            text += f" {sign} {self.text(item, PRODUCT)}"
        return Code(text, SUM)

    def product(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        flags = [divides for _, divides in _factors(node)]
        pairs = list(zip(items, flags, strict=True))
        minus = ""
        first, divides = pairs[0]
        if first.constant is not None and first.constant < 0 and not divides:
            minus, pairs[0] = "-", (Code("", constant=-first.constant), False)
            if first.constant == -1 and len(pairs) > 1:
                del pairs[0]
        top = [self.text(item, POWER) for item, divides in pairs if not divides]
        bottom = [self.text(item, POWER) for item, divides in pairs if divides]
        text = "*".join(top) or self.number(1.0)
        if bottom:
            below = bottom[0] if len(bottom) == 1 else f"({'*'.join(bottom)})"
            text += f"/{below}"
        return Code(minus + text, SUM if minus else PRODUCT)

    def call(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        match node:
            case sp.Pow() if not isinstance(node, sp.exp):
                return self.power(items[0], items[1])
            case sp.Max() | sp.Min():
                return self.extreme(isinstance(node, sp.Max), items)
            case sp.Mod():
                return self.remainder(*items)
            case sp.atan2():
                return self.angle(*items)
            case sp.Piecewise():
                pieces = list(zip(items[::2], items[1::2], strict=True))
                return self.choice([piece for piece in pieces if piece[1].constant != 0])
            case sp.re() | sp.conjugate():  # every value is real
                return items[0]
        if type(node) in RELATIONS:
            left, right = (self.text(item, SUM) for item in items)
            return Code(f"({left} {RELATIONS[type(node)]} {right})")
        if isinstance(node, sp.Not) and items[0].constant is not None:
            return Code("", constant=1.0 - items[0].constant)
        if isinstance(node, sp.And | sp.Or):
            deciding = float(isinstance(node, sp.Or))
            if any(item.constant == deciding for item in items):
                return Code("", constant=deciding)
            items = [item for item in items if item.constant is None]
            if not items:
                return Code("", constant=1.0 - deciding)
        if isinstance(node, sp.And | sp.Or | sp.Not):
            return self.logic(node, items)
        return self.function(node, items)

    def function(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        found = functions.match(node) if isinstance(node, sp.Function) else None
        template = self.calls.get(found[0]) if found else None
        if template is not None:
            return self.filled(template, items[0])
        if found and isinstance(node, Head):
            return items[0]  # its definition
        name = found[0] if found else type(node).__name__
        raise FormulaError(f"the function {name} cannot be written in {self.language}")

    def filled(self, template: str, argument: Code) -> Code:
        """A template with the argument in it: in brackets, except where it has its own."""
        if template.count("{0}") > 1 and not argument.text.isidentifier():
            argument = self.assigned(argument, condition=False)
        self.uses(template)
        inner = template.startswith("(") or "({0})" not in template
        return Code(template.format(self.text(argument, ATOM if inner else SUM)))

    def uses(self, template: str) -> None:
        """Remember the helpers that a template calls."""
        for name in self.helpers:
            if f"{name}(" in template:
                self.used.setdefault(name)


def _safe_names(names: Sequence[str], reserved: frozenset[str]) -> dict[str, str]:
    """Each name, with underscores behind it where it is reserved or taken."""
    found: dict[str, str] = {}
    taken = set(names)
    for name in names:
        if not is_name(name):
            raise FormulaError(f"{show(name)} cannot name a variable")
        safe = name
        while safe in reserved or (safe != name and safe in taken):
            safe += "_"
        taken.add(safe)
        found[name] = safe
    return found


def _is_negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


def _is_reciprocal(node: sp.Basic) -> bool:
    """1/x, 1/sqrt(x), x^-2: a quotient."""
    power = isinstance(node, sp.Pow) and not isinstance(node, sp.exp)
    return power and bool(node.exp.is_Rational and node.exp.is_negative)


def _factors(node: sp.Basic) -> list[tuple[sp.Expr, bool]]:
    """Factors and whether they divide; a rational number is two of them."""
    found: list[tuple[sp.Expr, bool]] = []
    for factor in node.args if isinstance(node, sp.Mul) else (node,):
        if _is_reciprocal(factor):
            found.append((denominator(factor), True))
        elif factor.is_Rational and not factor.is_Integer:
            found.append((sp.Integer(factor.p), False))
            found.append((sp.Integer(factor.q), True))
        else:
            found.append((factor, False))
    return [pair for pair in found if len(found) == 1 or pair != (sp.S.One, False)]


def _value(node: sp.Expr) -> float:
    """The float64 value of a constant; FormulaError if it is not real and finite."""
    if node.is_Rational:
        try:
            return float(node.p / node.q)
        except OverflowError:
            raise FormulaError("a constant of the formula is beyond 1e300") from None
    value = complex(node.evalf(_DIGITS))
    if value.imag or not math.isfinite(value.real):
        raise FormulaError(f"{show(str(node), 60)} has no finite real value")
    return value.real


def _postorder(
    expressions: Sequence[sp.Basic], operands: Callable[[sp.Basic], Sequence[sp.Basic]]
) -> Iterator[sp.Basic]:
    """Every distinct part once, arguments before what contains them."""
    seen: set[sp.Basic] = set()
    stack = [(item, False) for item in reversed(expressions)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((item, False) for item in reversed(operands(node)))
