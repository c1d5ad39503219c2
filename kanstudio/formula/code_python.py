"""Formulas as Python: a function of NumPy arrays or of torch tensors."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping, Sequence
from functools import reduce

import sympy as sp

from kanstudio.formula.writer import ATOM, POWER, SUM, Code, CodeWriter

_MODULES = frozenset({"np", "special", "torch", "math"})
_KEYWORDS = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist)
_LOGIC = {sp.And: " & ", sp.Or: " | "}
# With the name of the library in place of {np}, and of its special functions for {special}.
_COMMON = {
    "exp": "{np}.exp({0})", "log": "{np}.log({0})", "abs": "{np}.abs({0})",
    "sgn": "{np}.sign({0})", "sin": "{np}.sin({0})", "cos": "{np}.cos({0})",
    "tan": "{np}.tan({0})", "arcsin": "{np}.arcsin({0})", "arccos": "{np}.arccos({0})",
    "arctan": "{np}.arctan({0})", "sinh": "{np}.sinh({0})", "cosh": "{np}.cosh({0})",
    "tanh": "{np}.tanh({0})", "arcsinh": "{np}.arcsinh({0})", "arccosh": "{np}.arccosh({0})",
    "arctanh": "{np}.arctanh({0})", "floor": "{np}.floor({0})", "ceil": "{np}.ceil({0})",
    "frac": "({0} - {np}.floor({0}))", "heaviside": "(({np}.sign({0}) + 1)/2)",
    "cot": "(1/{np}.tan({0}))", "sec": "(1/{np}.cos({0}))", "csc": "(1/{np}.sin({0}))",
    "sech": "(1/{np}.cosh({0}))", "csch": "(1/{np}.sinh({0}))", "coth": "(1/{np}.tanh({0}))",
    "arcsec": "{np}.arccos(1/{0})", "arccsc": "{np}.arcsin(1/{0})",
    "arcsech": "{np}.arccosh(1/{0})", "arccsch": "{np}.arcsinh(1/{0})",
    "arccoth": "{np}.arctanh(1/{0})", "gaussian": "{np}.exp(-{0}**2)",
    "erf": "{special}.erf({0})", "erfc": "{special}.erfc({0})",
    "erfinv": "{special}.erfinv({0})", "digamma": "{special}.digamma({0})",
    "loggamma": "{special}.gammaln({0})", "sigmoid": "{special}.expit({0})",
    "silu": "({0}*{special}.expit({0}))", "i0": "{special}.i0({0})", "i1": "{special}.i1({0})",
}  # fmt: skip


def _named(library: str, special: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        name: template.replace("{np}", library).replace("{special}", special)
        for name, template in (_COMMON | dict(more)).items()
    }


class PythonWriter(CodeWriter):
    """What NumPy and torch have in common."""

    library = ""
    reserved = _KEYWORDS | _MODULES

    def number(self, value: float) -> str:
        if value in {math.pi, math.e}:
            return f"{self.library}.{'pi' if value == math.pi else 'e'}"
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)

    def full(self, code: Code) -> str:
        """The text of an array, even for a constant."""
        if code.constant is None:
            return self.text(code, SUM)
        return f"{self.library}.full_like({self.parameters[0]}, {self.number(code.constant)})"

    def output(self, code: Code) -> str:
        return self.full(code) if self.parameters else self.text(code, SUM)

    def power(self, base: Code, exponent: Code) -> Code:
        if exponent.constant == 0.5:
            return Code(f"{self.library}.sqrt({self.text(base, SUM)})")
        if base.constant is not None:
            # A whole number to the power of whole numbers would be cut to a whole number.
            below = f"({base.constant!r})" if base.constant < 0 else repr(base.constant)
            return Code(f"{below}**{self.text(exponent, ATOM)}", POWER)
        return Code(f"{self.text(base, ATOM)}**{self.text(exponent, ATOM)}", POWER)

    def remainder(self, value: Code, modulus: Code) -> Code:
        return Code(f"{self.library}.remainder({self.full(value)}, {self.full(modulus)})")

    def angle(self, y: Code, x: Code) -> Code:
        return Code(f"{self.library}.arctan2({self.full(y)}, {self.full(x)})")

    def extreme(self, largest: bool, items: Sequence[Code]) -> Code:
        name = f"{self.library}.{'maximum' if largest else 'minimum'}"
        return Code(reduce(lambda a, b: f"{name}({a}, {b})", (self.full(item) for item in items)))

    def choice(self, pieces: Sequence[tuple[Code, Code]]) -> Code:
        result = self.full(Code("", constant=math.nan))
        for value, condition in reversed(pieces):
            if condition.constant is not None:
                result = self.full(value)
            else:
                then = self.full(value)
                result = f"{self.library}.where({condition.text}, {then}, {result})"
        return Code(result)

    def logic(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        if isinstance(node, sp.Not):
            return Code(f"(~{items[0].text})")
        return Code(f"({_LOGIC[type(node)].join(item.text for item in items)})")

    def local(self, name: str, text: str, condition: bool) -> str:
        return f"{name} = {text}"

    def function(self, node: sp.Basic, items: Sequence[Code]) -> Code:
        if isinstance(node, sp.acot):  # pi/2 at 0, as an odd function elsewhere
            zero = f"{self.text(items[0], ATOM)} == 0"
            half, turned = self.full(Code("", constant=math.pi / 2)), self.text(items[0], ATOM)
            return Code(f"{self.library}.where({zero}, {half}, {self.library}.arctan(1/{turned}))")
        return super().function(node, items)


class NumpyWriter(PythonWriter):
    language = "NumPy and SciPy"
    library = "np"
    calls = _named("np", "special", {
        "cbrt": "np.cbrt({0})", "relu": "np.maximum({0}, 0)",
        "softplus": "np.logaddexp({0}, 0)", "sinc": "np.sinc({0}/np.pi)",
        "gamma": "special.gamma({0})", "erfi": "special.erfi({0})",
        "j0": "special.j0({0})", "j1": "special.j1({0})", "y0": "special.y0({0})",
        "y1": "special.y1({0})", "k0": "special.k0({0})", "k1": "special.k1({0})",
        "airyai": "special.airy({0})[0]", "airybi": "special.airy({0})[2]",
        "Si": "special.sici({0})[0]", "Ci": "special.sici({0})[1]", "Ei": "special.expi({0})",
        "ellipk": "special.ellipk({0})", "ellipe": "special.ellipe({0})",
        "lambertw": "special.lambertw({0}).real",
    })  # fmt: skip

    def number(self, value: float) -> str:
        return "np.nan" if math.isnan(value) else super().number(value)


class TorchWriter(PythonWriter):
    language = "torch"
    library = "torch"
    calls = _named("torch", "torch.special", {
        "relu": "torch.relu({0})", "cbrt": "(torch.sign({0})*torch.abs({0})**(1/3))",
        "softplus": "torch.logaddexp({0}, torch.zeros_like({0}))",
        "sinc": "torch.sinc({0}/torch.pi)",
        "gamma": "torch.where(({0} > 0) | (torch.floor({0}) % 2 == 0), 1.0, -1.0).to({0})"
                 "*torch.exp(torch.lgamma({0}))",
        "j0": "torch.special.bessel_j0({0})", "j1": "torch.special.bessel_j1({0})",
        "y0": "torch.special.bessel_y0({0})", "y1": "torch.special.bessel_y1({0})",
        "k0": "torch.special.modified_bessel_k0({0})",
        "k1": "torch.special.modified_bessel_k1({0})", "airyai": "torch.special.airy_ai({0})",
    })  # fmt: skip

    def number(self, value: float) -> str:
        return "torch.nan" if math.isnan(value) else super().number(value)


def python_function(
    writer: PythonWriter, expressions: Sequence[sp.Expr], doc: Sequence[str]
) -> str:
    """The text of a module with one function; doc: the lines of its docstring."""
    body = writer.body(expressions)
    names, library = writer.parameters, writer.library
    lines = [f"def {writer.name}({', '.join(names)}):", f'    """{doc[0]}']
    lines += [f"    {line}".rstrip() for line in doc[1:]]
    lines.append('    """')
    indent = "    "
    if library == "np":
        lines += [f"    {name} = np.asarray({name}, dtype=np.float64)" for name in names]
    if len(names) > 1:
        joined = ", ".join(names)
        broadcast = "np.broadcast_arrays" if library == "np" else "torch.broadcast_tensors"
        lines.append(f"    {joined} = {broadcast}({joined})")
    if library == "np":
        lines.append('    with np.errstate(all="ignore"):')
        indent *= 2
    lines += [f"{indent}{line}" for line in body.lines]
    outputs = ", ".join(body.outputs)
    lines.append(f"{indent}return {outputs}")
    text = "\n".join(lines) + "\n"
    imports = ["import numpy as np"] if library == "np" else ["import torch"]
    if library == "np" and "special." in text:
        imports.append("from scipy import special")
    return "\n".join(imports) + "\n\n\n" + text
