"""The Feynman problems: exact, and shaped as pykan shapes them."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from expressions import error_at
from oracle import from_pykan

from kanstudio.compiler import (
    STRATEGIES,
    Strategy,
    compile_network,
    cost_of,
    cost_report,
    sympy_function,
)
from kanstudio.datasets import FeynmanProblem, feynman_problems
from kanstudio.network.network import Network

PROBLEMS = pytest.mark.parametrize(
    "problem", feynman_problems(), ids=lambda problem: str(problem.number)
)


def compiled(problem: FeynmanProblem, strategy: Strategy = "tree") -> Network:
    return compile_network([problem.expression], problem.inputs, strategy=strategy)


@PROBLEMS
def test_compiled_network_equals_the_formula(problem):
    low, high = np.transpose(problem.ranges)
    x = np.random.default_rng(problem.number).uniform(low, high, (1000, len(low)))
    expected = sympy_function([problem.expression], problem.inputs)(x)
    assert np.isfinite(expected).mean() > 0.5
    for strategy in STRATEGIES:
        assert error_at(compiled(problem, strategy), expected, x) < 1e-10
        network = compile_network(
            [problem.expression], problem.inputs, strategy=strategy, ranges=problem.ranges
        )
        assert error_at(network, expected, x) < 1e-10


@PROBLEMS
def test_shared_needs_no_more_edges_than_the_tree(problem):
    cost = cost_report([problem.expression], problem.inputs)
    assert cost["shared"].edges <= cost["tree"].edges
    for strategy in STRATEGIES:
        network = compiled(problem, strategy)
        assert cost_of(network) == cost[strategy]
        assert network.n_edge == cost[strategy].edges


@pytest.fixture(scope="module")
def kanpiler() -> Any:
    """pykan's compiler, quiet and in float64."""
    compiler = pytest.importorskip("kan.compiler")

    def run(inputs: Any, expression: sympy.Expr) -> Network:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return from_pykan(compiler.kanpiler(inputs, expression, auto_save=False))
        finally:
            torch.set_default_dtype(before)

    return run


@PROBLEMS
def test_network_is_pykans_to_the_last_parameter(problem, kanpiler):
    if problem.number == 110:
        pytest.skip("pykan reads d**1.5 as d**1")
    expression = problem.expression
    by_name = {symbol.name: symbol for symbol in expression.free_symbols}
    theirs = kanpiler([by_name.get(name, name) for name in problem.inputs], expression)
    ours = compiled(problem)
    assert (ours.width, ours.mult_arity) == (theirs.width, theirs.mult_arity)
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        assert layer.functions == other.functions
        active = layer.active
        np.testing.assert_allclose(layer.affine[active], other.affine[active], rtol=1e-14)
        for name in ("subnode_scale", "subnode_bias", "node_scale", "node_bias"):
            np.testing.assert_allclose(getattr(layer, name), getattr(other, name), rtol=1e-14)
