"""A Pratt parser: tokens of one statement to a syntax tree.

From loose to tight: + and -; * and / and juxtaposition, left to right; a sign; powers,
right to left; postfix ! and superscripts. A function without brackets takes the
juxtaposed factors that follow it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from kanstudio.formula.ast import (
    Condition,
    Constant,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Variable,
)
from kanstudio.formula.calls import CallReader
from kanstudio.formula.reader import CLOSES, CLOSING, SHOWN
from kanstudio.formula.tokens import Token

_ATOMS = frozenset(
    {"number", "fraction", "variable", "constant", "function", "(", "[", "{", "frac", "binomial"}
    | {"root", "radical", "cube radical", "fourth radical", "lfloor", "lceil", "lbar", "cases"}
)
_NUMERALS = frozenset({"number", "fraction"})
_POSTFIXES = frozenset({"!", "power", "degree"})
_RADICALS = {"root": "sqrt", "radical": "sqrt", "cube radical": "cbrt"}


class Parser(CallReader):
    """Parses one statement."""

    def parse(self) -> Node:
        """The whole statement; raises FormulaError."""
        node = self.expression()
        token = self.token
        if token.kind != "end":
            self.unexpected(token)
        self.check_value(node)
        return node

    # Sums and products

    def sum(self) -> Node:
        self.enter()
        terms = [self.product()]
        while self.token.kind in {"+", "-"}:
            sign = self.take()
            term = self.product()
            terms.append(self.negative(term, sign.start) if sign.kind == "-" else term)
        self.leave()
        if len(terms) == 1:
            return terms[0]
        depth = 1 + max(term.depth for term in terms)
        span = {"start": terms[0].start, "end": terms[-1].end}
        return self.made(Sum(tuple(terms), depth=depth, **span))

    def product(self) -> Node:
        """Factors; a sign before the first one is that of the whole product."""
        start, minus = self.token.start, self.signs()
        factors, divided = [self.tight()], [False]
        while True:
            token = self.token
            if token.kind in {"*", "/"}:
                self.take()
                self.note_fraction(factors[-1], token)
                factors.append(self.signed())
                divided.append(token.kind == "/")
            elif token.kind == "mod":
                self.take()
                left = self.factors(factors, divided)
                factors, divided = [self.call("mod", left.start, left, self.signed())], [False]
            elif isinstance(factors[-1], Condition):
                break
            elif self.starts_operand(token):
                self.check_juxtaposition(factors[-1])
                if divided[-1]:
                    self.note_division(factors, token)
                factors.append(self.tight())
                divided.append(False)
            else:
                break
        node = self.factors(factors, divided)
        return self.negative(node, start) if minus else node

    def factors(self, factors: list[Node], divided: list[bool]) -> Node:
        if len(factors) == 1:
            return factors[0]
        depth = 1 + max(factor.depth for factor in factors)
        span = {"start": factors[0].start, "end": factors[-1].end}
        return self.made(Product(tuple(factors), tuple(divided), depth=depth, **span))

    def signs(self) -> bool:
        """Take all signs; is there an odd number of minus signs?"""
        minus = False
        while self.token.kind in {"+", "-"}:
            minus ^= self.take().kind == "-"
        return minus

    def starts_operand(self, token: Token) -> bool:
        if token.kind == "|":
            if self.comparing == len(self.groups) and self.tokens[self.at + 1].kind == "|":
                return False  # x < 1 || y < 1
            # Inside bars a bar closes; anywhere else it opens.
            return not (self.groups and self.groups[-1] == "|")
        return token.kind in _ATOMS

    def check_juxtaposition(self, before: Node) -> None:
        token, last = self.token, self.tokens[self.at - 1]
        if token.kind in _NUMERALS:
            if last.kind in _NUMERALS:
                hint = "write * between them, and no blank inside a number"
                self.fail("two numbers side by side", token, hint)
            name = self.text[last.start : last.end]
            number = self.text[token.start : token.end]
            hint = f"write {name}*2, {name}^2 or {name}_2"
            if token.kind == "fraction":
                hint = f"write {number}*{name} or {name}^{number}"
            self.fail(f"a number after {name}", token, hint)
        if isinstance(before, Power) and token.glued:
            read = self.text[before.start : token.end]
            self.note(f"{read}: the exponent is only {self.text[last.start : last.end]}")
        if last.kind == "|" and any(item.kind == "|" for item in self.tokens[self.at :]):
            self.note(f"{self.text[before.start : before.end]} ends at its second bar")
        if token.kind == "[":
            self.note("[ ] are read as brackets, never as an index")
        if token.kind == "(" and isinstance(before, Variable) and token.start == before.end:
            self.note(f"{before.name}(...) is read as a product")

    def note_division(self, factors: list[Node], token: Token) -> None:
        """1/2x: say that x does not divide."""
        quotient = " ".join(self.text[factors[0].start : factors[-1].end].split())
        rest = self.text[token.start : token.end]
        self.note(f"{quotient} {rest} is read as ({quotient})*{rest}")

    def note_fraction(self, before: Node, token: Token) -> None:
        """x^1/2: say that only 1 is the exponent."""
        last = self.tokens[self.at - 2]
        bare = isinstance(before, Power) and isinstance(before.exponent, Number)
        if token.kind == "/" and bare and self.token.kind == "number" and last.kind == "number":
            read = self.text[before.start : self.token.end]
            self.note(f"{read}: the exponent is only {last.text}")

    def signed(self) -> Node:
        """Signs, then a power: -x^2 is -(x^2)."""
        start, minus = self.token.start, self.signs()
        node = self.tight()
        return self.negative(node, start) if minus else node

    # Powers and postfixes

    def tight(self) -> Node:
        base = self.postfix()
        if self.token.kind != "^":
            return base
        if self.tokens[self.at - 1].kind == "power":
            self.fail("a superscript and then a power", self.token, "use brackets")
        self.take()
        self.enter()
        exponent = self.signed()
        self.leave()
        return self.power(base, exponent)

    def postfix(self) -> Node:
        node = self.atom()
        while self.token.kind in _POSTFIXES:
            token = self.take()
            if token.kind == "!":
                if self.token.kind == "!":
                    hint = "write (x!)! for the factorial of a factorial"
                    self.fail("a double factorial is not read", self.token, hint)
                node = self.call("factorial", node.start, node)
            elif token.kind == "degree":
                node = self.degrees(node, token)
            else:
                node = self.power(node, self.superscript(token))
        return node

    def superscript(self, token: Token) -> Node:
        minus, digits = token.text.startswith("-"), token.text.lstrip("+-")
        span = {"start": token.start, "end": token.end}
        number = self.made(Number(Fraction(int(digits)), digits, **span))
        return self.negative(number, token.start) if minus else number

    # Atoms

    def atom(self) -> Node:
        token = self.take()
        span = {"start": token.start, "end": token.end}
        match token.kind:
            case "number":
                return self.number(token)
            case "fraction":
                return self.rational(token.text, token.start, token.end)
            case "variable":
                return self.made(Variable(token.text, **span))
            case "constant":
                if self.token.kind == "(" and self.tokens[self.at + 1].kind == ")":
                    self.at += 2  # PI()
                return self.made(Constant(token.text, **span))
            case "function":
                return self.function(token)
            case "(" | "[" | "{" | "|" | "lbar" | "lfloor" | "lceil":
                return self.group(token)
            case "frac" | "binomial":
                return self.fraction(token)
            case "root" | "radical" | "cube radical" | "fourth radical":
                return self.root(token)
            case "cases":
                return self.cases(token)
        self.at -= token.kind != "end"
        self.unexpected(token)

    def group(self, token: Token) -> Node:
        self.groups.append(token.kind)
        if self.token.kind == CLOSING[token.kind] and token.kind != "|":
            self.fail("nothing between the brackets", self.token)
        node = self.expression()
        if self.token.kind == "over":  # {a \over b}
            self.take()
            node = self.factors([node, self.sum()], [False, True])
        self.close(token)
        name = {"|": "abs", "lbar": "abs", "lfloor": "floor", "lceil": "ceil"}.get(token.kind)
        if name:
            return self.call(name, token.start, node)
        # The brackets belong to the span of what they hold.
        return replace(node, start=token.start, end=self.tokens[self.at - 1].end)

    def close(self, opened: Token) -> None:
        token, wanted = self.token, CLOSING[opened.kind]
        if token.kind != wanted:
            if token.kind == "end":
                shown = SHOWN.get(opened.kind, opened.kind)
                hint = f"{SHOWN.get(wanted, wanted)} is missing"
                self.fail(f"{shown} is never closed", opened, hint)
            if token.kind in CLOSES:
                shown = SHOWN.get(token.kind, token.kind)
                self.fail(f"{shown} closes {SHOWN.get(opened.kind, opened.kind)}", token)
            self.unexpected(token)
        self.take()
        self.groups.pop()

    def fraction(self, token: Token) -> Node:
        """\\frac{a}{b}; both parts may be braces or single symbols."""
        self.enter()
        parts = [self.atom(), self.atom()]
        self.leave()
        if token.kind == "binomial":
            return self.call("binomial", token.start, *parts)
        depth = 1 + max(part.depth for part in parts)
        end = parts[1].end
        flags = (False, True)
        return self.made(Product(tuple(parts), flags, start=token.start, end=end, depth=depth))

    def root(self, token: Token) -> Node:
        """\\sqrt[n]{x}, or a radical sign before one power."""
        self.enter()
        degree: Node | None = None
        if token.kind == "root" and self.token.kind == "[":
            degree = self.group(self.take())
        item = self.atom() if token.kind == "root" else self.tight()
        self.leave()
        if token.kind == "fourth radical":
            degree = self.made(Number(Fraction(4), "4", start=token.start, end=token.end))
        if degree is None:
            return self.call(_RADICALS[token.kind], token.start, item)
        return self.call("root", token.start, item, degree)
