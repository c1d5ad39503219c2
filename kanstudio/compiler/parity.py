"""Which functions of the table are odd and which are even."""

from __future__ import annotations

ODD = frozenset({
    "1/x", "x^3", "x^5", "sin", "tan", "cot", "csc", "arcsin", "arctan", "sinh", "tanh",
    "arcsinh", "arctanh", "cbrt", "erf", "erfinv", "sgn", "j1", "i1",
})  # fmt: skip
EVEN = frozenset({"x^2", "x^4", "x^6", "cos", "sec", "cosh", "abs", "gaussian", "sinc", "j0", "i0"})
