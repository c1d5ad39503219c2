"""Formulas as code: Python for NumPy or torch, and C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from kanstudio.errors import FormulaError
from kanstudio.formula.code_c import CWriter, c_function
from kanstudio.formula.code_python import NumpyWriter, TorchWriter, python_function
from kanstudio.formula.latex import latex_of_name
from kanstudio.formula.limits import depth_is_said, show
from kanstudio.formula.printing import format_text
from kanstudio.formula.reading import Formula

_WRITERS = {"numpy": NumpyWriter, "torch": TorchWriter}
_LONGEST_LINE = 2000
KINDS = ("text", "latex", "python", "torch", "c")


@depth_is_said()
def to_python(
    expressions: sp.Expr | Sequence[sp.Expr],
    variables: Sequence[str],
    name: str = "f",
    library: str = "numpy",
) -> str:
    """A Python module with one function of the variables, in their order.

    The function takes arrays (tensors for library "torch") of shapes that broadcast, and
    returns one of the broadcast shape, or a tuple of them for several expressions. Its
    values are those of the expressions wherever these are real; elsewhere NaN or an
    infinity. torch's own Bessel functions have 8 digits. A variable whose name Python
    keeps for itself gets an underscore.

    Raises FormulaError for a function that the library lacks, for a symbol that is no
    variable, and for names that formulas do not have.
    """
    if library not in _WRITERS:
        raise FormulaError(f"there is code for numpy and torch, not for {library}")
    writer = _WRITERS[library](variables, name)
    listed = _listed(expressions)
    return python_function(writer, listed, _doc(listed, writer.names))


def write(parsed: Formula, kind: str, name: str = "formula") -> str:
    """A formula as "text", "latex", "python", "torch" or "c", with a newline at the end.

    name: of the function. Raises FormulaError as `to_python` and `to_c` do.
    """
    expressions = [output.expr for output in parsed.outputs]
    if kind in {"python", "torch"}:
        library = "numpy" if kind == "python" else kind
        return to_python(expressions, parsed.variables, name, library)
    if kind == "c":
        return to_c(expressions, parsed.variables, name)
    if kind not in {"text", "latex"}:
        raise FormulaError(f"formulas are written as {', '.join(KINDS)}, not as {show(kind)}")
    lines = []
    for output in parsed.outputs:
        shown = format_text(output.expr) if kind == "text" else output.latex
        label = latex_of_name(output.name or "") if kind == "latex" else output.name
        lines.append(f"{label} = {shown}\n" if output.name else f"{shown}\n")
    return "".join(lines)


@depth_is_said()
def to_c(
    expressions: sp.Expr | Sequence[sp.Expr], variables: Sequence[str], name: str = "f"
) -> str:
    """A C99 file with one function of doubles, for math.h with POSIX's Bessel functions.

    One expression is returned; several are written to ``double out[]``, the last
    parameter. Values, names and errors as in `to_python`.
    """
    writer = CWriter(variables, name)
    listed = _listed(expressions)
    return c_function(writer, listed, _doc(listed, writer.names))


def _listed(expressions: sp.Expr | Sequence[sp.Expr]) -> list[sp.Expr]:
    listed = [expressions] if isinstance(expressions, sp.Basic) else list(expressions)
    if not listed:
        raise FormulaError("there is no formula to write")
    return listed


def _doc(expressions: Sequence[sp.Expr], names: Mapping[str, str]) -> list[str]:
    """The formulas as text, and which names have changed."""
    lines = []
    for expr in expressions:
        text = format_text(expr)
        lines.append(text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}...")
    changed = [f"{safe} is the variable {name}." for name, safe in names.items() if safe != name]
    return [*lines, *([""] if changed else []), *changed]
