"""Our formula of pykan's networks against pykan's own."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pytest
import sympy
import torch
from oracle import from_pykan

from kanstudio.symbolic.formula import symbolic_formula


@pytest.mark.parametrize(
    "text", ["exp(sin(pi*x) + y**2)", "x*y + 2*sin(x*y)", "(x + 2)*(y + 3)/sqrt(x**2 + y**2 + 1)"]
)
def test_formula_of_pykans_network_is_pykans(text):
    compiler = pytest.importorskip("kan.compiler")
    x, y = symbols = sympy.symbols("x y")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = compiler.kanpiler(list(symbols), sympy.sympify(text), auto_save=False)
            theirs = model.symbolic_formula(var=list(symbols))[0][0]
    finally:
        torch.set_default_dtype(before)
    (ours,) = symbolic_formula(from_pykan(model), symbols).expressions
    points = np.random.default_rng(0).uniform(0.1, 1, (20, 2))
    for first, second in points:
        values = [float(e.subs({x: first, y: second})) for e in (ours, theirs)]
        assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert sympy.simplify(ours - sympy.sympify(text)) == 0
