"""Values at a random point of the prime field: what both sides of a proof are read as.

Every variable, and every value of a function whose laws are not used here, is a random
element. The laws that are used: exp of sums, log of products, angle sums of sin and cos, the
functions made of these, and powers of every order. An even root or a logarithm of what is
not positive at the point is `OutsideError`: there, the formula has no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from kanstudio.compiler.field import (
    P,
    drawn,
    from_fraction,
    inverse,
    is_positive,
    ratio,
    root_power,
    signed,
)
from kanstudio.compiler.parity import EVEN, ODD

Pair = tuple[int, int]
_HALF = inverse(2)
_MOST_TERMS = 24
_PARTS = 48
"""Angles are whole multiples of the 48th part of those that came first."""
_LARGEST = 10_000
_PRIMES = tuple(sympy.primerange(2, 50))


class OutsideError(ArithmeticError):
    """There is no real value at this point."""


@dataclass(frozen=True, slots=True)
class Value:
    """An element of the field, as the sum of its terms and as the product of its powers."""

    of: int
    terms: tuple[int, ...]
    factors: tuple[tuple[int, Fraction], ...]


def value(of: int, factors: Sequence[tuple[int, Fraction]] | None = None) -> Value:
    return Value(of, (of,), ((of, Fraction(1)),) if factors is None else tuple(factors))


def total(parts: Sequence[Value]) -> Value:
    """The sum."""
    of = sum(part.of for part in parts) % P
    terms = tuple(term for part in parts for term in part.terms)
    if len(parts) == 1:
        return parts[0]
    return Value(of, terms if len(terms) <= _MOST_TERMS else (of,), ((of, Fraction(1)),))


def product(parts: Sequence[Value]) -> Value:
    """The product, multiplied out unless that is long."""
    of = 1
    terms: tuple[int, ...] = (1,)
    for part in parts:
        of = of * part.of % P
        short = len(terms) * len(part.terms) <= _MOST_TERMS
        terms = tuple(t * u % P for t in terms for u in part.terms) if short else (of,)
    return Value(of, terms, tuple(factor for part in parts for factor in part.factors))


class Point:
    """A point of the field, with what its exponentials, logarithms and angles are."""

    def __init__(self) -> None:
        self.signs: list[bool] = []
        self._powers: list[Pair] = [(1, drawn("E"))]
        self._logs: list[Pair] = [(drawn("E"), 1)]
        self._turns: list[tuple[int, Pair]] = []
        self._exact_turns: list[tuple[int, Pair]] = [
            (drawn("pi") * _HALF % P, (0, 1)), (drawn("pi"), (P - 1, 0)),
        ]  # fmt: skip

    def is_positive(self, of: int) -> bool:
        """Has an element the sign of a positive number? Taken note of in `signs`."""
        found = is_positive(of)
        self.signs.append(found)
        return found

    def know(self, of: int, antilog: int | None, turn: Pair | None) -> None:
        """Take note of what exp, or cos and sin, of a constant is."""
        if antilog is not None:
            self._powers.append((of, antilog))
            self._logs.append((antilog, of))
        if turn is not None:
            self._exact_turns.append((of, turn))

    def power(self, x: Value, exponent: Fraction) -> Value:
        if exponent.denominator == 1:
            if x.of == 0 and exponent < 0:
                raise OutsideError("a pole")
            of = pow(x.of, int(exponent), P)
        elif self.is_positive(x.of):
            of = root_power(x.of, exponent)
        else:
            raise OutsideError("a root of what is not positive")
        terms = product([x] * int(exponent)).terms if exponent in (1, 2, 3) else (of,)
        return Value(of, terms, tuple((base, e * exponent) for base, e in x.factors))

    def exp(self, x: Value) -> Value:
        of = 1
        factors = []
        for term in x.terms:
            base, exponent = self._exponential(term)
            of = of * _raised(base, exponent) % P
            factors.append((base, exponent))
        return value(of, factors)

    def log(self, x: Value) -> Value:
        if not self.is_positive(x.of):
            raise OutsideError("a logarithm of what is not positive")
        terms = tuple(from_fraction(e) * self._logarithm(base) % P for base, e in x.factors)
        of = sum(terms) % P
        return Value(of, terms if len(terms) <= _MOST_TERMS else (of,), ((of, Fraction(1)),))

    def turn(self, x: Value) -> Pair:
        """cos and sin."""
        result = 1, 0
        for term in x.terms:
            result = _turned(result, self._turn(term))
        return result

    def _exponential(self, term: int) -> tuple[int, Fraction]:
        """exp(term) as a power of a base."""
        if term == 0:
            return 1, Fraction(1)
        for known, base in self._powers:
            share = ratio(term, known)
            if share is not None and (share.denominator == 1 or is_positive(base)):
                return base, share
        base = drawn("exp", term)
        self._powers.append((term, base))
        self._logs.append((base, term))
        return base, Fraction(1)

    def _logarithm(self, base: int) -> int:
        """log of the size of a base."""
        for known, of in self._logs:
            share = ratio(base, known)
            if share is not None:
                return (of + self._log_of_fraction(abs(share))) % P
        share = ratio(base, 1)
        if share is not None:
            return self._log_of_fraction(abs(share))
        size = base if is_positive(base) else P - base
        of = drawn("log", size)
        self._logs.append((size, of))
        self._powers.append((of, size))
        return of

    def _log_of_fraction(self, share: Fraction) -> int:
        return (self._log_of_whole(share.numerator) - self._log_of_whole(share.denominator)) % P

    def _log_of_whole(self, number: int) -> int:
        result = 0
        for prime in _PRIMES:
            while number % prime == 0:
                number //= prime
                result += self._log_of_prime(prime)
        return result + (self._log_of_prime(number) if number > 1 else 0)

    def _log_of_prime(self, prime: int) -> int:
        of = drawn("log", prime)
        if (of, prime) not in self._powers:
            self._powers.append((of, prime))
        return of

    def _turn(self, term: int) -> Pair:
        if term == 0:
            return 1, 0
        for known, pair in self._exact_turns:
            share = ratio(term, known)
            if share is not None and share.denominator == 1 and abs(share) <= _LARGEST:
                return _turned_often(pair, int(share))
        for known, pair in self._turns:
            share = ratio(term, known)
            if share is not None and _PARTS % share.denominator == 0 and abs(share) <= _LARGEST:
                return _turned_often(pair, int(share * _PARTS))
        half = drawn("half an angle", term)
        below = inverse(1 + half * half)
        unit = (1 - half * half) * below % P, 2 * half * below % P
        self._turns.append((term, unit))
        return _turned_often(unit, _PARTS)

    def atom(self, name: str, x: int) -> Value:
        """A random value; that of -x follows from it where a function is even or odd."""
        if (name in ODD or name in EVEN) and 2 * x > P:
            of = signed(name, P - x)
            return value(P - of if name in ODD else of)
        return value(signed(name, x))

    def arctanh(self, x: Value) -> Value:
        """As an atom whose exponential is known."""
        quotient = (1 + x.of) * inverse(1 - x.of) % P
        if not self.is_positive(quotient):
            raise OutsideError("arctanh beyond 1")
        made = self.atom("arctanh", x.of)
        self._powers.append((2 * made.of % P, quotient))
        return made


def _raised(base: int, exponent: Fraction) -> int:
    if exponent.denominator == 1:
        return pow(base, int(exponent), P)
    return root_power(base, exponent)


def _turned(one: Pair, other: Pair) -> Pair:
    (c, s), (d, t) = one, other
    return (c * d - s * t) % P, (c * t + s * d) % P


def _turned_often(pair: Pair, times: int) -> Pair:
    """The angle times a whole number, by squaring."""
    if times < 0:
        pair, times = (pair[0], P - pair[1]), -times
    result = 1, 0
    while times:
        if times & 1:
            result = _turned(result, pair)
        pair, times = _turned(pair, pair), times >> 1
    return result
