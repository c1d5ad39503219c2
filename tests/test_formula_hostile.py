"""Text that nobody meant, or somebody meant badly: a formula or a FormulaError, and soon."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_formula_spellings import SAME

from kanstudio import formula
from kanstudio.errors import FormulaError

DATA = Path(__file__).parent / "data" / "formulas_accept.json"
GOOD = [case["text"] for case in json.loads(DATA.read_text("utf-8"))]
GOOD += [text for pair in SAME for text in pair]
CHARACTERS = (
    "xyeπθ0123456789.,;:+-*/^()[]{}|!=<>_ \n\t\\#$&%'\"@~`?²⁻ⁿ₁√⌊½°∞éжｘ𝑥\u200b\u0301\u202e\ud800\0"
)
_PIECES = (
    "sin cos^-1 exp log_2 sqrt abs where( piecewise( Piecewise(( max( min( mod( gamma j0( root( "
    "binomial( clip( where(where(x>0,1,2)>y,x,1) \\log_{ x^{2}_{1} "
    "x y z theta x_1 e pi 1 2 3.5 1e-3 1e300 1e999 1e-999 99999999999999999 "
    "( ) [ ] { } | || ^ ^^ ^( ^2 ^-1 + - * / ** .* , ; = := == != < > <= >= and or not if else "
    "True & && ! !! _ __ _{ y= f(x)= \\frac \\sqrt \\sqrt[3] \\left( \\right) \\left| \\right. "
    "\\begin{cases} \\end{cases} \\begin{align} \\\\ \\text{if} \\text{otherwise} \\theta "
    "\\sin \\sigma( \\{ \\} \\binom \\bmod \\hat{x} \\over \\log_ \\ lambda import np. "
    "np.sin( 0x1 E e2 besselj(0, ² ½ ° √ ' # ~ 999 .5"
)
PIECES = _PIECES.split(" ")
N_TEXTS, N_TOGETHER = 20_000, 50
NAMES = st.sampled_from([None, ("x",), ("x", "y", "e"), ("x", "y", "theta", "z", "sigma")])


@contextmanager
def seconds_of_computing(limit: float) -> Iterator[None]:
    """Fail once the process has computed for longer; waiting does not count."""

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {limit} s of computing")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def answer(text: str, variables: tuple[str, ...] | None) -> formula.Formula | None:
    """What a text means, or None for an error, whose place and message are looked at."""
    with seconds_of_computing(1.0):
        try:
            read = formula.parse(text, variables)
        except FormulaError as caught:
            assert 0 <= caught.start <= caught.end <= len(text)
            assert caught.message
            str(caught).encode("utf-8")
            return None
    for output in read.outputs:
        output.latex.encode("ascii")
        assert output.expr.free_symbols <= {sp.Symbol(name) for name in read.variables}
    return read


def same_again(read: formula.Formula) -> None:
    """What was read can be printed, as text and as LaTeX, and read again."""
    for output in read.outputs:
        if output.expr.has(sp.Piecewise) or not output.expr.is_number:
            text = formula.format_text(output.expr)
            assert formula.parse(text, read.variables).outputs[0].expr == output.expr
        formula.parse(output.latex, read.variables)


def random_text(rng: random.Random) -> str:
    """Characters, pieces of formulas, or a good formula with something changed."""
    kind = rng.random()
    if kind < 0.1:
        codes = [rng.choice([rng.randrange(32, 127), rng.randrange(0x11000)]) for _ in range(30)]
        return "".join(map(chr, codes[: rng.randrange(31)]))
    if kind < 0.25:
        return "".join(rng.choices(CHARACTERS, k=rng.randrange(40)))
    if kind < 0.6:
        return rng.choice(["", " "]).join(rng.choices(PIECES, k=rng.randrange(1, 20)))
    text = rng.choice(GOOD)
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.randrange(4))
        new = rng.choice(["", rng.choice(PIECES), rng.choice(GOOD), f"({text[start:end]})"])
        text = text[:start] + new + text[end:]
    return text


@settings(max_examples=N_TEXTS // N_TOGETHER)
@given(st.integers(0, 2**60), NAMES)
def test_random_text_gives_a_formula_or_a_formula_error(
    seed: int, variables: tuple[str, ...] | None
) -> None:
    rng = random.Random(seed)
    for _ in range(N_TOGETHER):
        text = random_text(rng)
        read = answer(text, variables)
        if read is not None:
            same_again(read)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=40), st.text(CHARACTERS, max_size=40)), NAMES)
def test_any_text_gives_a_formula_or_a_formula_error(
    text: str, variables: tuple[str, ...] | None
) -> None:
    answer(text, variables)


HOSTILE = {
    "a tower": "x" + "^(x" * 70 + ")" * 70,
    "squares of squares": "(" * 38 + "x+1" + ")^2+1" * 38,
    "a product of sums": "*".join(f"(x+{n})" for n in range(900)),
    "nested where": "where(x<1," * 38 + "x" + ",0)" * 38,
    "where in a condition": "where(" * 38 + "x" + "<1,1,2)" * 38,
    "where of where in a condition": "where(" * 30 + "x" + "<y,x+y*z,z-sin(x))" * 30,
    "sums of where in conditions": "where("
    + " and ".join(f"where(x<1,x,y)+where(y<1,y,z)>{n}" for n in range(60))
    + ",1,0)",
    "piecewise in conditions": "where("
    + "*".join(f"piecewise({','.join(f'{v}<{n},{n}*y' for n in range(7))},z)" for v in "xyz")
    + ">0,1,2)",
    "bases of logarithms": r"\log_{" * 30 + "x" + "}(y)" * 30,
    "many conditions": "where(" + " and ".join(f"x<{n}" for n in range(900)) + ",1,0)",
    "nested conditions": "where(" + "(" * 30 + "x<1" + " and y<2 or x>3)" * 30 + ",1,0)",
    "many nots": "where(" + "not " * 500 + "x<1,1,0)",
    "nested maxima": "max(x," * 38 + "y" + ")" * 38,
    "many maxima": "+".join(f"max(x,y,z,{n},x+1)" for n in range(300)),
    "nested remainders": "mod(x," * 38 + "y" + ")" * 38,
    "nested binomials": "binomial(" * 12 + "x" + ",2)" * 12,
    "nested roots": "root(" * 8 + "x" + ",5)" * 8,
    "nested factorials": "(" * 30 + "x" + ")!" * 30,
    "nested cases": "\\begin{cases}x&x<1\\\\" * 38 + "x" + "\\end{cases}" * 38,
    "many environments": "\\begin{cases}" * 1500,
    "many pairs": "piecewise(" + "(x,x<1)," * 1000 + "x)",
    "open pairs": "piecewise((x," * 600,
    "conditionals": "x if x<1 else " * 900 + "x",
    "long digits": "x*" + "*".join(f"1.{n}1234567890123" for n in range(1, 800)),
    "roots of numbers": "+".join(f"sqrt({n})" for n in range(2, 1200)),
    "roots of a product": "*".join(f"{n}^(x/{n})" for n in range(2, 500)),
    "exact cosines": "+".join(f"cos({n}*pi/17)" for n in range(300)),
    "powers of exact tangents": "+".join(f"(x+{n})^tan({n}*pi/60)" for n in range(1, 350, 2)),
    "nested exponentials": "e^" * 38 + "x",
    "bars": "|" * 7000,
    "bars and names": "|x" * 3900,
    "brackets": "(" * 7900,
    "backslashes": "\\" * 19_000,
    "empty lines": "x" + "\n" * 19_000 + "*y",
    "blanks": " " * 19_000 + "+",
    "superscripts": "x" + "²" * 3900,
    "raised letters": "x" + "ⁿ" * 3900,
    "one-half": "½" * 3900,
    "a word of names": "xy" * 32 + "+" + "sin" * 20,
    "unknown words": "+".join("sinee" for _ in range(1000)),
    "subscripts": "x_" * 6000,
    "fractions": "\\frac12" * 1500,
    "powers of a function": "sin^" * 900 + "x",
    "divisions": "x" + "/y" * 1900,
    "small numbers": "1e-200*1e-200*x",
    "semicolons": ";" * 7900,
    "commas": "max(" + "," * 7000,
    "combining characters": "x" + "\u0301" * 5000,
    "bidirectional controls": "x\u202e+\u202d1",
    "surrogates": "\ud800\udc00x",
    "a zero byte": "\0x",
    "a long name": "a" * 65,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_answered_soon(text: str) -> None:
    read = answer(text, None)
    if read is not None:
        with seconds_of_computing(1.0):
            for output in read.outputs:
                formula.format_text(output.expr)


def test_what_computes_too_long_fails() -> None:
    with pytest.raises(TimeoutError), seconds_of_computing(0.01):
        while True:
            sum(range(1000))
