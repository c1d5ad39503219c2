"""Arithmetic modulo a prime in which signs and roots behave as those of real numbers.

The prime p is safe (m = (p - 1) / 2 is prime too) and has the primes below 50 as squares.
Then -1 is no square, so that of x and -x exactly one is one: squares play the positive
numbers. Their group has the prime order m, so that a positive number has one positive
root of every order, and roots of products are products of roots, as they should be.
What the analogy lacks is order: a sum of two squares need not be a square.

Two formulas that differ agree at a random point of this field with a probability of about
their degree / 2**128 (Schwartz 1980), and nothing is ever rounded.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from hashlib import blake2b

P = 0xF7C862A2E777901B22B6B2C13143E6DF
M = (P - 1) // 2
_SMALL = 1 << 30


def from_fraction(value: Fraction) -> int:
    return value.numerator * pow(value.denominator, -1, P) % P


def decimal(exponent: int | Fraction | float) -> Fraction:
    """The fraction that an exponent is written as."""
    return Fraction(repr(exponent)) if isinstance(exponent, float) else Fraction(exponent)


def is_positive(x: int) -> bool:
    """Is x a square other than 0? Euler's criterion."""
    return pow(x, M, P) == 1


def root_power(x: int, exponent: Fraction) -> int:
    """x ** exponent for a positive x, itself positive."""
    return pow(x, exponent.numerator * pow(exponent.denominator, -1, M) % M, P)


def inverse(x: int) -> int:
    """1/x; ZeroDivisionError for 0."""
    if x % P == 0:
        raise ZeroDivisionError("0 has no inverse")
    return pow(x, -1, P)


@lru_cache(maxsize=4096)
def from_text(value: float) -> int:
    """The residue of the decimal fraction that a float is written as: 0.1 is 1/10."""
    if value == (whole := int(value)):
        return whole % P
    return from_fraction(decimal(float(value)))


@lru_cache(maxsize=4096)
def drawn(*key: object) -> int:
    """The random positive residue of a key, the same every time."""
    digest = blake2b(repr(key).encode(), digest_size=20).digest()
    return pow(int.from_bytes(digest, "big") % P, 2, P)


@lru_cache(maxsize=4096)
def signed(*key: object) -> int:
    """A random residue of either sign of a key, the same every time."""
    return drawn(*key) if drawn("sign", *key) % 2 else P - drawn(*key)


def ratio(x: int, y: int) -> Fraction | None:
    """x / y if that is a fraction of small numbers.

    By the extended Euclidean algorithm (Wang 1981); a chance hit has a probability of 2**-66.
    """
    if x == y:
        return Fraction(1)
    low, high = P, x * inverse(y) % P
    s_low, s_high = 0, 1
    while high >= _SMALL:
        quotient = low // high
        low, high = high, low - quotient * high
        s_low, s_high = s_high, s_low - quotient * s_high
    if s_high == 0 or abs(s_high) >= _SMALL:
        return None
    return Fraction(high, s_high)
