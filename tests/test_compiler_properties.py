"""A compiled network equals the expression, whatever the expression is."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from expressions import SYMBOLS, VARIABLES, expressions, worst_error
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kanstudio.compiler import STRATEGIES, Strategy, compile_network, sympy_function
from kanstudio.compiler.normal import Sum
from kanstudio.compiler.read import read
from kanstudio.errors import CompileError

WAYS = st.sampled_from(STRATEGIES)


def compiled(parts: list[sympy.Expr], strategy: Strategy = "shared"):
    """The network, unless a constant part has no value or the tree is too large."""
    try:
        return compile_network(parts, VARIABLES, strategy=strategy)
    except CompileError as error:
        assume(error.function == "" and "more than" not in str(error))
        raise


@settings(max_examples=200)
@given(expressions(), WAYS)
def test_compiled_network_equals_expression(expression, strategy):
    assert worst_error(compiled([expression], strategy), [expression]) < 1e-11


@given(st.lists(expressions(), min_size=1, max_size=3))
def test_shared_has_no_more_edges_than_the_tree(parts):
    assert compiled(parts, "shared").n_edge <= compiled(parts, "tree").n_edge


@settings(max_examples=40)
@given(st.lists(expressions(5), min_size=2, max_size=4), WAYS)
def test_several_outputs_equal_their_expressions_in_order(parts, strategy):
    network = compiled(parts, strategy)
    assert len(network.levels[-1]) == len(parts)
    assert worst_error(network, parts) < 1e-11


@settings(max_examples=40)
@given(expressions(5), expressions(5))
def test_each_tree_is_what_it_is_alone(first, second):
    x = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    both = compiled([first, second], "tree")
    from kanstudio.network.forward import evaluate

    for index, expression in enumerate((first, second)):
        alone = evaluate(compiled([expression], "tree"), x)
        np.testing.assert_array_equal(evaluate(both, x)[:, [index]], alone)


@settings(max_examples=50)
@given(expressions(), WAYS)
def test_sum_nodes_come_first_and_arities_are_at_least_two(expression, strategy):
    network = compiled([expression], strategy)
    for level in network.levels:
        arities = [node.arity for node in level]
        assert [arity > 1 for arity in arities] == sorted(arity > 1 for arity in arities)
    ids = [node.node_id for level in network.levels for node in level]
    assert len(set(ids)) == len(ids)
    assert not any(layer.spline_active.any() for layer in network.layers)


@settings(max_examples=50)
@given(expressions())
def test_normal_form_has_flat_sums_without_constants(expression):
    stack = [read(expression, VARIABLES).core]
    while stack:
        core = stack.pop()
        if isinstance(core, Sum):
            assert len(core.terms) > 1
            assert not any(isinstance(term, Sum) for _, term in core.terms)
            stack.extend(term for _, term in core.terms)


@settings(max_examples=50)
@given(expressions())
def test_reference_equals_sympy(expression):
    point = {"x": 0.3, "y": -0.7, "z": 0.9}
    expected = complex(expression.evalf(30, subs=dict(zip(SYMBOLS, point.values(), strict=True))))
    value = sympy_function([expression], VARIABLES)(np.array([list(point.values())]))[0, 0]
    assert value == pytest.approx(expected.real, rel=1e-10, abs=1e-10)
