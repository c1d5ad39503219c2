"""Long formulas in compact networks: in pieces that can be named, in linear time."""

from __future__ import annotations

import pytest
import sympy
from expressions import SYMBOLS, VARIABLES, worst_error

from kanstudio import functions
from kanstudio.compiler import compile_network

x, y, _ = SYMBOLS


def chain(length: int) -> sympy.Expr:
    """cos(cos(x + 1) + 1) and so on."""
    found = x
    for link in range(length):
        found = (
            sympy.cos(found, evaluate=False) if link % 2 else sympy.Add(found, 1, evaluate=False)
        )
    return found


@pytest.mark.parametrize(
    "expression",
    [
        chain(3000),
        sympy.Add(*(sympy.sin(k * x) for k in range(1, 700))),
        sympy.Add(*(sympy.sin(k * x) * sympy.exp(-sympy.cos(k * y)) for k in range(1, 300))),
    ],
    ids=["chain", "sum", "sum of products"],
)
def test_compact_networks_of_long_formulas_equal_them(expression):
    network = compile_network([expression], VARIABLES, strategy="compact")
    assert worst_error(network, [expression]) < 1e-11
    assert network.n_edge < compile_network([expression], VARIABLES, strategy="shared").n_edge


def test_work_is_linear_in_the_length_of_a_chain(monkeypatch):
    calls = []
    compose = functions.compose

    def counted(expr, symbol):
        calls.append(expr)
        return compose(expr, symbol)

    monkeypatch.setattr(functions, "compose", counted)
    counts = []
    for length in (500, 2000):
        calls.clear()
        compile_network([chain(length)], VARIABLES, strategy="compact")
        counts.append(len(calls))
    assert 0 < counts[1] <= 5 * counts[0] < length
