"""Formulas as text: read without ever running any of it.

>>> from kanstudio import formula
>>> read = formula.parse("y = 2 sin(x) + x^(5/2)")
>>> read.outputs[0].expr
x**(5/2) + 2*sin(x)
>>> read.variables
('x',)
"""

from __future__ import annotations

from kanstudio.errors import FormulaError
from kanstudio.formula.code import to_c, to_python, write
from kanstudio.formula.latex import latex, latex_of_name
from kanstudio.formula.printing import format_text
from kanstudio.formula.reading import Formula, Output, parse
from kanstudio.formula.words import is_name

__all__ = [
    "Formula",
    "FormulaError",
    "Output",
    "format_text",
    "is_name",
    "latex",
    "latex_of_name",
    "parse",
    "to_c",
    "to_python",
    "write",
]
