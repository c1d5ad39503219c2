"""Formulas as C99 with the functions of math.h, Bessel functions as POSIX has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import ClassVar

import sympy as sp

from kanstudio.formula.c_helpers import HELPERS
from kanstudio.formula.writer import ATOM, SUM, Code, CodeWriter

_KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline
int long register restrict return short signed sizeof static struct switch typedef union
unsigned void volatile while main out asm typeof
"""
# What math.h defines: a parameter of that name would hide it, or be a macro.
_MATH = """
acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 frexp ilogb
ldexp log log10 log1p log2 logb modf scalbn scalbln cbrt fabs hypot pow sqrt erf erfc lgamma
tgamma ceil floor nearbyint rint lrint llrint round lround llround trunc fmod remainder remquo
copysign nan nextafter nexttoward fdim fmax fmin fma fpclassify isfinite isinf isnan isnormal
signbit j0 j1 jn y0 y1 yn gamma drem significand signgam NAN INFINITY HUGE_VAL I DOMAIN SING
OVERFLOW UNDERFLOW PLOSS TLOSS double_t float_t
"""
_LOGIC = {sp.And: " && ", sp.Or: " || "}


class CWriter(CodeWriter):
    language = "C"
    reserved = frozenset([*_KEYWORDS.split(), *_MATH.split(), *HELPERS])
    helpers = HELPERS
    calls: ClassVar[Mapping[str, str]] = {
        "exp": "exp({0})", "log": "log({0})", "abs": "fabs({0})", "sin": "sin({0})",
        "cos": "cos({0})", "tan": "tan({0})", "arcsin": "asin({0})", "arccos": "acos({0})",
        "arctan": "atan({0})", "sinh": "sinh({0})", "cosh": "cosh({0})", "tanh": "tanh({0})",
        "arcsinh": "asinh({0})", "arccosh": "acosh({0})", "arctanh": "atanh({0})",
        "floor": "floor({0})", "ceil": "ceil({0})", "cbrt": "cbrt({0})", "erf": "erf({0})",
        "erfc": "erfc({0})", "gamma": "tgamma({0})", "loggamma": "lgamma({0})",
        "j0": "j0({0})", "j1": "j1({0})", "y0": "y0({0})", "y1": "y1({0})",
        "cot": "(1.0/tan({0}))", "sec": "(1.0/cos({0}))", "csc": "(1.0/sin({0}))",
        "sech": "(1.0/cosh({0}))", "csch": "(1.0/sinh({0}))", "coth": "(1.0/tanh({0}))",
        "arcsec": "acos(1.0/{0})", "arccsc": "asin(1.0/{0})", "arcsech": "acosh(1.0/{0})",
        "arccsch": "asinh(1.0/{0})", "arccoth": "atanh(1.0/{0})",
        "gaussian": "exp(-{0}*{0})", "relu": "fmax({0}, 0.0)",
        "arccot": "kan_arccot({0})", "sgn": "kan_sign({0})", "frac": "({0} - floor({0}))",
        "heaviside": "(0.5*(kan_sign({0}) + 1.0))", "sigmoid": "kan_sigmoid({0})",
        "silu": "({0}*kan_sigmoid({0}))", "softplus": "kan_softplus({0})",
        "sinc": "kan_sinc({0})", "digamma": "kan_digamma({0})", "erfinv": "kan_erfinv({0})",
        "i0": "kan_i0({0})", "i1": "kan_i1({0})", "k0": "kan_k({0}, 0.0)",
        "k1": "kan_k({0}, 1.0)",
    }  # fmt: skip

    def number(self, value: float) -> str:
        if math.isnan(value):
            return "NAN"
        return repr(value)

    def power(self, base: Code, exponent: Code) -> Code:
        if exponent.constant == 0.5:
            return Code(f"sqrt({self.text(base, SUM)})")
        if exponent.constant == 2 and base.text.isidentifier():
            return Code(f"({base.text}*{base.text})")
        return Code(f"pow({self.text(base, SUM)}, {self.text(exponent, SUM)})")

    def remainder(self, value: Code, modulus: Code) -> Code:
        self.uses("kan_mod(")
        return Code(f"kan_mod({self.text(value, SUM)}, {self.text(modulus, SUM)})")

    def angle(self, y: Code, x: Code) -> Code:
        # + 0.0: a negative zero means nothing here.
        return Code(f"atan2({self.text(y, SUM)} + 0.0, {self.text(x, SUM)} + 0.0)")

    def extreme(self, largest: bool, items: Sequence[Code]) -> Code:
        name = "fmax" if largest else "fmin"
        texts = (self.text(item, SUM) for item in items)
        return Code(reduce(lambda a, b: f"{name}({a}, {b})", texts))

    def choice(self, pieces: Sequence[tuple[Code, Code]]) -> Code:
        result = "NAN"
        for value, condition in reversed(pieces):
            if condition.constant is not None:
                result = self.text(value, ATOM)
            else:
                result = f"({condition.text} ? {self.text(value, ATOM)} : {result})"
        return Code(result)

    def logic(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        if isinstance(node, sp.Not):
            return Code(f"(!{items[0].text})")
        return Code(f"({_LOGIC[type(node)].join(item.text for item in items)})")

    def local(self, name: str, text: str, condition: bool) -> str:
        return f"const {'int' if condition else 'double'} {name} = {text};"


def c_function(writer: CWriter, expressions: Sequence[sp.Expr], doc: Sequence[str]) -> str:
    """The text of a C file with one function; doc: the lines of its comment."""
    body = writer.body(expressions)
    single = len(body.outputs) == 1
    parameters = [f"double {name}" for name in writer.parameters]
    if not single:
        parameters.append(f"double out[{len(body.outputs)}]")
    kind = "double" if single else "void"
    lines = ["#define _XOPEN_SOURCE 600", "#include <math.h>", ""]
    for name, text in HELPERS.items():
        if name in writer.used:
            lines += [text.strip(), ""]
    lines += ["/*", *(f" * {line}".rstrip().replace("*/", "* /") for line in doc), " */"]
    lines += [f"{kind} {writer.name}({', '.join(parameters) or 'void'})", "{"]
    lines += [f"    {line}" for line in body.lines]
    if single:
        lines.append(f"    return {body.outputs[0]};")
    else:
        lines += [f"    out[{n}] = {text};" for n, text in enumerate(body.outputs)]
    return "\n".join([*lines, "}", ""])
