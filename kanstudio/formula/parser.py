"""A Pratt parser: tokens of one statement to a syntax tree.

From loose to tight: + and -; * and / and juxtaposition, left to right; a sign; powers,
right to left; postfix ! and superscripts. A function without brackets takes the
juxtaposed factors that follow it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from kanstudio.formula.ast import (
    Compare,
    Constant,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Sum,
    Variable,
)
from kanstudio.formula.limits import MAX_ARGUMENTS, refuse
from kanstudio.formula.reader import CLOSING, COMPARISONS, SHOWN, TokenReader
from kanstudio.formula.symbols import INVERSES, arity, own_name
from kanstudio.formula.tokens import Token

_ATOMS = frozenset(
    {"number", "variable", "constant", "function", "(", "[", "{", "frac", "root", "radical"}
    | {"cube radical", "lfloor", "lceil"}
)


class Parser(TokenReader):
    """Parses one statement."""

    def parse(self) -> Node:
        """The whole statement; raises FormulaError."""
        node = self.sum()
        token = self.token
        if token.kind != "end":
            self.unexpected(token)
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
                factors.append(self.signed())
                divided.append(token.kind == "/")
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
            # Inside bars a bar closes; anywhere else it opens.
            return not (self.groups and self.groups[-1] == "|")
        return token.kind in _ATOMS

    def check_juxtaposition(self, before: Node) -> None:
        token, last = self.token, self.tokens[self.at - 1]
        if token.kind == "number":
            if last.kind == "number":
                self.fail("two numbers side by side", token, "write * between them")
            name = self.text[last.start : last.end]
            self.fail(f"a number after {name}", token, f"write {name}*2, {name}^2 or {name}_2")
        if isinstance(before, Power) and token.glued:
            read = self.text[before.start : token.end]
            self.note(f"{read}: the exponent is only {self.text[last.start : last.end]}")
        if token.kind == "[":
            self.note("[ ] are read as brackets, never as an index")
        if token.kind == "(" and isinstance(before, Variable) and token.start == before.end:
            self.note(f"{before.name}(...) is read as a product")

    def note_division(self, factors: list[Node], token: Token) -> None:
        """1/2x: say that x does not divide."""
        quotient = " ".join(self.text[factors[0].start : factors[-1].end].split())
        rest = self.text[token.start : token.end]
        self.note(f"{quotient} {rest} is read as ({quotient})*{rest}")

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
        while self.token.kind in {"!", "power"}:
            token = self.take()
            if token.kind == "!":
                node = self.call("factorial", node.start, node)
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
            case "variable":
                return self.made(Variable(token.text, **span))
            case "constant":
                return self.made(Constant(token.text, **span))
            case "function":
                return self.function(token)
            case "(" | "[" | "{" | "|" | "lfloor" | "lceil":
                return self.group(token)
            case "frac":
                return self.fraction(token)
            case "root" | "radical" | "cube radical":
                return self.root(token)
        self.at -= token.kind != "end"
        self.unexpected(token)

    def group(self, token: Token) -> Node:
        self.groups.append(token.kind)
        if self.token.kind == CLOSING[token.kind] and token.kind != "|":
            self.fail("nothing between the brackets", self.token)
        node = self.sum()
        self.close(token)
        name = {"|": "abs", "lfloor": "floor", "lceil": "ceil"}.get(token.kind)
        if name:
            return self.call(name, token.start, node)
        # The brackets belong to the span of what they hold.
        return replace(node, start=token.start, end=self.tokens[self.at - 1].end)

    def close(self, opened: Token) -> None:
        token, wanted = self.token, CLOSING[opened.kind]
        if token.kind != wanted:
            if token.kind == "end":
                shown = SHOWN.get(opened.kind, opened.kind)
                self.fail(f"{shown} is never closed", opened)
            if token.kind in CLOSING.values():
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
        if token.kind == "cube radical":
            return self.call("cbrt", token.start, item)
        if degree is None:
            return self.call("sqrt", token.start, item)
        return self.call("root", token.start, item, degree)

    # Functions

    def function(self, token: Token) -> Node:
        """f(x), f x, f^2(x), f^-1 x, log_2 x."""
        exponent = self.function_power(token)
        opening = self.token
        if opening.kind in {"(", "[", "{"}:
            arguments = self.arguments(token)
        elif opening.kind == "|":
            arguments = [self.group(self.take())]
        else:
            arguments = [self.bare_argument(token)]
        node = self.applied(token, arguments, inverse=exponent == "inverse")
        return self.power(node, exponent) if isinstance(exponent, Node) else node

    def applied(self, token: Token, arguments: list[Node], inverse: bool) -> Node:
        word = token.text
        if word.startswith("log_"):
            base = word.removeprefix("log_")
            arguments = [*arguments, self.base_of_logarithm(base, token)]
            word = "log"
        name = own_name(word)
        if name == "log" and len(arguments) == 1 and word == "log":
            self.note("log is the natural logarithm")
        if inverse:
            self.note(f"{name}^-1 is the inverse function {INVERSES[name]}, not 1/{name}")
            name = INVERSES[name]
        least, most = arity(word)
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            plural = "" if wanted == "1" else "s"
            self.fail(f"{word} takes {wanted} argument{plural}, not {len(arguments)}", token)
        return self.call(name, token.start, *arguments)

    def base_of_logarithm(self, base: str, token: Token) -> Node:
        span = {"start": token.start, "end": token.end}
        if base.isdigit():
            return self.made(Number(Fraction(int(base)), base, **span))
        if base == "e":
            return self.made(Constant("e", **span))
        return self.made(Variable(base, **span))

    def function_power(self, token: Token) -> Node | str | None:
        """The power between a function and its argument; "inverse" for -1."""
        start = self.at
        if self.token.kind == "power":
            exponent = self.superscript(self.take())
        elif self.token.kind == "^":
            self.take()
            minus = self.token.kind == "-" and bool(self.take())
            sign = self.tokens[self.at - 1].start
            if self.token.kind not in {"number", "(", "{", "["}:
                name = token.text
                hint = f"write ({name}(x))^n"
                self.fail(f"the power of {name} itself must be a number", self.token, hint)
            exponent = self.atom()
            exponent = self.negative(exponent, sign) if minus else exponent
        else:
            return None
        if _value(exponent) is None:
            name = token.text
            self.at = start
            hint = f"write ({name}(x))^n"
            self.fail(f"the power of {name} itself must be a number", self.token, hint)
        if _value(exponent) != -1:
            return exponent
        if own_name(token.text.partition("_")[0]) not in INVERSES:
            name = token.text
            self.fail(f"{name}^-1 has no reading", token, f"write 1/{name}(x) or its inverse")
        return "inverse"

    def arguments(self, function: Token) -> list[Node]:
        opening = self.take()
        closing = CLOSING[opening.kind]
        self.groups.append(opening.kind)
        if self.token.kind == closing:
            self.fail(f"{function.text} needs an argument", self.token)
        found = [self.argument()]
        while self.token.kind == ",":
            self.take()
            found.append(self.argument())
            if len(found) > MAX_ARGUMENTS:
                self.fail(f"more than {MAX_ARGUMENTS} arguments", function)
        self.close(opening)
        conditions = [isinstance(item, Compare) for item in found]
        self.check_conditions(function, found, conditions)
        return found

    def check_conditions(self, function: Token, found: list[Node], conditions: list[bool]) -> None:
        if function.text not in {"where", "piecewise"}:
            if any(conditions):
                where = found[conditions.index(True)]
                message = "a comparison stands only in where(x > 0, a, b) or piecewise"
                refuse(message, self.text, where.start, where.end)
            return
        wanted = [number % 2 == 0 for number in range(len(found) - 1)] + [False]
        if len(found) % 2 == 0 or conditions != wanted:
            form = "where(x > 0, a, b)"
            if function.text == "piecewise":
                form = "piecewise(x < 0, a, x < 1, b, c): conditions and values, then a default"
            self.fail(f"{function.text} needs other arguments", function, f"write {form}")

    def argument(self) -> Node:
        left = self.sum()
        if self.token.kind not in COMPARISONS:
            return left
        operator = self.take()
        right = self.sum()
        if self.token.kind in COMPARISONS:
            hint = "write where(0 < x, where(x < 1, a, b), b)"
            self.fail("a chained comparison", self.token, hint)
        depth = 1 + max(left.depth, right.depth)
        span = {"start": left.start, "end": right.end}
        return self.made(Compare(operator.kind, left, right, depth=depth, **span))

    def bare_argument(self, function: Token) -> Node:
        """The argument of sin 2x, sin -x, sin cos x: factors side by side."""
        if not (self.starts_operand(self.token) or self.token.kind in {"+", "-"}):
            if self.token.kind == "end" or self.token.kind in CLOSING.values():
                self.fail(f"{function.text} needs an argument", function)
            self.unexpected(self.token)
        self.enter()
        called = self.token.kind == "function"
        factors = [self.signed()]
        while not called and self.starts_operand(self.token) and self.token.kind != "function":
            token = self.token
            if token.kind in {"(", "[", "{", "|"}:
                name = function.text
                self.fail(f"where does the argument of {name} end?", token, f"write {name}(...)")
            self.check_juxtaposition(factors[-1])
            factors.append(self.tight())
        self.leave()
        if self.token.kind in {"*", "/"} and not called:
            read = self.text[function.start : factors[-1].end]
            self.note(f"{read} ends before {self.text[self.token.start : self.token.end]}")
        return self.factors(factors, [False] * len(factors))


def _value(node: Node) -> Fraction | None:
    """The value of a rational constant written with numbers only; None for the rest."""
    match node:
        case Number():
            return node.value
        case Negative():
            value = _value(node.item)
            return None if value is None else -value
        case Product(factors=(top, bottom), divided=(False, True)):
            over, under = _value(top), _value(bottom)
            return over / under if over is not None and under else None
    return None
