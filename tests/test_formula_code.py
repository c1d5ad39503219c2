"""Formulas as Python and C have the values of the formulas."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from expressions import SYMBOLS, VARIABLES, every_function
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kanstudio import formula, functions
from kanstudio.compiler import sympy_function
from kanstudio.errors import FormulaError

x, y, z = SYMBOLS
Values = list[np.ndarray]
SLOW = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
NAMED = [name for name in functions.names() if functions.get(name).exponent is None and name != "0"]
BESSEL = (sp.besselj, sp.bessely, sp.besselk, sp.airyai)
COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler here")


def python(text: str, name: str = "f") -> Callable[..., object]:
    """The function that a module defines: code that this project has just written."""
    namespace: dict[str, object] = {}
    exec(compile(text, "formula", "exec"), namespace)
    function = namespace[name]
    assert callable(function)
    return function


def by_numpy(expressions: Sequence[sp.Expr], columns: np.ndarray) -> Values:
    found = python(formula.to_python(expressions, VARIABLES))(*columns)
    return list(found) if isinstance(found, tuple) else [found]


def by_torch(expressions: Sequence[sp.Expr], columns: np.ndarray) -> Values:
    function = python(formula.to_python(expressions, VARIABLES, library="torch"))
    found = function(*torch.tensor(columns))
    return [item.numpy() for item in (found if isinstance(found, tuple) else [found])]


def by_c(expressions: Sequence[sp.Expr], columns: np.ndarray, folder: Path) -> Values:
    """Through a shared library; a fresh name each time, since a loaded one stays."""
    # Never one output alone, so that the signature is always the same.
    text = formula.to_c([*expressions, sp.Integer(0)], VARIABLES)
    number = len(list(folder.glob("*.c")))
    source, library = folder / f"f{number}.c", folder / f"f{number}.so"
    source.write_text(text, encoding="ascii")
    assert COMPILER is not None
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-O1"]
    command = [COMPILER, *flags, "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([*command, source, "-o", library, "-lm"], check=True)
    function = ctypes.CDLL(str(library)).f
    function.restype = None
    out = (ctypes.c_double * (len(expressions) + 1))()
    rows = []
    for sample in columns.T:
        function(*map(ctypes.c_double, sample), out)
        rows.append(list(out)[:-1])
    return list(np.array(rows).T)


def check(
    expressions: Sequence[sp.Expr], found: Values, columns: np.ndarray, tolerance: float
) -> None:
    """Equal wherever the reference is finite, and not thrown about by the last digit of x."""
    reference = sympy_function(expressions, VARIABLES)
    wanted = reference(columns.T)
    moved = [reference((columns * (1 + sign * 4e-16)).T) for sign in (-1, 1)]
    for number, values in enumerate(found):
        truth = wanted[:, number]
        bound = tolerance * (1 + np.abs(truth))
        steady = [np.abs(other[:, number] - truth) <= bound for other in moved]
        counts = np.isfinite(truth) & steady[0] & steady[1] & (np.abs(truth) < 1e12)
        assert values.shape == truth.shape
        error = np.abs(values - truth)[counts]
        assert (error <= bound[counts]).all(), expressions[number]


def samples(n: int = 40) -> np.ndarray:
    columns = np.random.default_rng(7).uniform(-3, 3, (3, n))
    columns[:, :5] = [[0.0, 1.0, -1.0, 2.0, 0.5], [0.0, 0.0, 1.0, -2.0, 0.5], [1.0, 2, 3, -1, 0]]
    return columns


def written(expressions: Sequence[sp.Expr], write: Callable[..., str]) -> list[sp.Expr]:
    """Those that the language has all functions for; the errors of the others say which."""
    kept = []
    for expr in expressions:
        try:
            write(expr, VARIABLES)
        except FormulaError as error:
            assert "cannot be written in" in error.message or "no finite real" in error.message
        else:
            kept.append(expr)
    return kept


def to_torch(expr: sp.Expr, variables: Sequence[str]) -> str:
    return formula.to_python(expr, variables, library="torch")


@settings(max_examples=150, suppress_health_check=SLOW)
@given(st.lists(every_function(), min_size=1, max_size=3))
def test_python_has_the_values_of_the_expression(expressions: list[sp.Expr]) -> None:
    for write, run in ((formula.to_python, by_numpy), (to_torch, by_torch)):
        if run is by_torch:
            expressions = [expr for expr in expressions if not expr.has(*BESSEL)]
        if kept := written(expressions, write):
            with np.errstate(all="ignore"):
                check(kept, run(kept, samples()), samples(), 1e-9)


@needs_compiler
@settings(max_examples=8, suppress_health_check=SLOW, deadline=None)
@given(st.lists(every_function(), min_size=15, max_size=20))
def test_c_has_the_values_of_the_expression(tmp_path: Path, expressions: list[sp.Expr]) -> None:
    kept = written(expressions, formula.to_c)
    with np.errstate(all="ignore"):
        check(kept, by_c(kept, samples(), tmp_path), samples(), 1e-9)


@pytest.mark.parametrize("name", NAMED)
def test_every_function_in_python(name: str) -> None:
    expr = functions.get(name).sympy(x)
    with np.errstate(all="ignore"):
        check([expr], by_numpy([expr], samples()), samples(), 1e-12)
        for kept in written([expr], to_torch):
            # torch's own Bessel functions have 8 digits.
            tolerance = 1e-7 if kept.has(*BESSEL) else 1e-12
            check([kept], by_torch([kept], samples()), samples(), tolerance)


@needs_compiler
def test_every_function_in_c(tmp_path: Path) -> None:
    kept = written([functions.get(name).sympy(x) for name in NAMED], formula.to_c)
    assert len(kept) > 40
    with np.errstate(all="ignore"):
        check(kept, by_c(kept, samples(200), tmp_path), samples(200), 1e-12)


def test_signs_and_steps_at_their_edges(tmp_path: Path) -> None:
    expressions = [
        sp.cbrt(x), functions.get("cbrt").sympy(x), sp.Heaviside(x), sp.sign(x), sp.Mod(x, 3),
        sp.Mod(x, -3), sp.Mod(-x, y), x**-3, (x**2) ** sp.Rational(3, 2), sp.Abs(x) ** sp.pi,
        sp.Max(x, y, z, 1, evaluate=False), sp.Min(x, y, z, -1, evaluate=False), sp.atan2(y, x),
        sp.Piecewise((1, x < 0), (2, sp.Eq(x, 0)), (3, x < 1)), 2 ** (-x),
        sp.Piecewise((sp.sqrt(x), x > 0), (sp.log(-x), sp.And(x < 0, y > 0)), (7, True)),
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        check(expressions, by_numpy(expressions, samples()), samples(), 1e-12)
        check(expressions, by_torch(expressions, samples()), samples(), 1e-12)
        if COMPILER:
            check(expressions, by_c(expressions, samples(), tmp_path), samples(), 1e-12)


def test_equal_parts_are_computed_once() -> None:
    part = sp.exp(sp.sin(x) + y)
    text = formula.to_python([part / (1 + part), part - 2], ["x", "y"])
    assert text.count("np.exp") == text.count("np.sin") == 1


def test_shapes_broadcast_and_scalars_are_taken() -> None:
    function = python(formula.to_python([x + y, sp.Integer(2)], ["x", "y"]))
    total, two = function(np.zeros((3, 1)), np.ones(4))
    assert total.shape == two.shape == (3, 4)
    assert float(function(1, 2)[0]) == 3.0
    assert python(formula.to_python(sp.pi, []))() == np.pi


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_no_name_can_do_harm_in_python(library: str) -> None:
    names = ["lambda", "np", "torch", "special", "t0", "f", "print", "float", "class", "class_"]
    symbols = sp.symbols(names)
    shared = sp.sin(symbols[0] + symbols[4])
    expr = sum(n * symbol for n, symbol in enumerate(symbols)) + shared + shared**2
    function = python(formula.to_python(expr, names, library=library))
    values = [torch.tensor([0.1 * n], dtype=torch.float64) for n in range(len(names))]
    found = function(*(values if library == "torch" else [item.numpy() for item in values]))
    part = np.sin(0.4)
    assert found.item() == pytest.approx(sum(0.1 * n * n for n in range(10)) + part + part**2)


@needs_compiler
def test_no_name_can_do_harm_in_c(tmp_path: Path) -> None:
    names = ["double", "y0", "pow", "t0", "f", "out", "I", "main", "kan_sign", "NAN"]
    expr = sp.Add(*sp.symbols(names)) + sp.sign(sp.Symbol("t0")) + sp.Symbol("pow") ** 2
    source = tmp_path / "f.c"
    source.write_text(formula.to_c([expr, expr**2], names), encoding="ascii")
    assert COMPILER is not None
    command = [COMPILER, "-std=c99", "-Wall", "-Wextra", "-Werror", "-c", source]
    subprocess.run([*command, "-o", tmp_path / "f.o"], check=True)


@pytest.mark.parametrize(
    ("expr", "variables", "message"),
    [
        (x, ["y"], "x is no variable; the variables are: y"),
        (sp.Symbol("__import__('os')"), ["__import__('os')"], "cannot name a variable"),
        (sp.zeta(x), ["x"], "formulas have no function zeta"),
        (sp.airyai(x), ["x"], "the function airyai cannot be written in C"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    expr: sp.Expr, variables: list[str], message: str
) -> None:
    with pytest.raises(FormulaError, match=message.replace("(", "\\(")):
        formula.to_c(expr, variables)


def test_there_is_no_code_for_other_libraries() -> None:
    with pytest.raises(FormulaError, match="not for jax"):
        formula.to_python(x, ["x"], library="jax")
    with pytest.raises(FormulaError, match="no formula"):
        formula.to_c([], ["x"])
