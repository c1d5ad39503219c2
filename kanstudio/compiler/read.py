"""From sympy to the normal form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import sympy

from kanstudio import functions
from kanstudio.compiler import evaluate
from kanstudio.compiler.at_point import constant_residue
from kanstudio.compiler.exact import exact, log
from kanstudio.compiler.normal import Affine, Apply, Variable, add, apply, constant, multiply
from kanstudio.compiler.operations import NUMPY_OPERATIONS
from kanstudio.compiler.rewrites import REWRITES
from kanstudio.errors import CompileError, KanStudioError

_UNEVALUATED = (
    sympy.Derivative, sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit, sympy.Subs,
)  # fmt: skip


def read(expression: sympy.Basic, variables: Sequence[str]) -> Affine:
    """The normal form of an expression; CompileError for what has no exact network.

    Linear in the number of distinct subexpressions.
    """
    columns = {name: index for index, name in enumerate(variables)}
    forms: dict[sympy.Basic, Affine] = {}
    for node in evaluate.postorder(expression, _operands):
        forms[node] = _form(node, [forms[inner] for inner in _operands(node)], columns)
    return forms[expression]


def _form(node: sympy.Basic, arguments: list[Affine], columns: Mapping[str, int]) -> Affine:
    if isinstance(node, sympy.Symbol):
        if node.name not in columns:
            raise evaluate.unknown_symbol(node.name, list(columns))
        return Affine(1.0, Variable(columns[node.name]), 0.0)
    if node in (sympy.true, sympy.false):
        return constant(float(node is sympy.true))
    if not arguments:
        return constant(_exact(node, evaluate.number(node)))
    if all(argument.core is None for argument in arguments) and not _is_logical(node):
        value = evaluate.constant(node, [argument.bias for argument in arguments])
        if value is not None:
            return constant(_exact(node, value))
    return _operation(node, arguments, columns)


def _exact(node: sympy.Basic, value: float) -> float:
    """The value, with what it is exactly unless it is a whole number."""
    if value.is_integer() or node.free_symbols:
        return value
    return exact(value, constant_residue(node))


def _operation(node: sympy.Basic, arguments: list[Affine], columns: Mapping[str, int]) -> Affine:
    if isinstance(node, sympy.Pow):
        return _power(arguments[0], arguments[1], node)
    if isinstance(node, sympy.Piecewise) and len(node.free_symbols) == 1:
        found = _piecewise_of_one(node, columns)
        if found is not None:
            return found
    if type(node) in REWRITES:
        return REWRITES[type(node)](*arguments)
    row = functions.match(node)
    if row is None:
        raise _no_function(node)
    return apply(row[0], arguments[node.args.index(row[1])])


def _piecewise_of_one(node: sympy.Piecewise, columns: Mapping[str, int]) -> Affine | None:
    """A Piecewise of one variable is one edge; None where the table lacks a part of it."""
    (symbol,) = node.free_symbols
    try:
        name = functions.compose(node, symbol)
    except KanStudioError:
        return None
    return apply(name, Affine(1.0, Variable(columns[symbol.name]), 0.0))


def _operands(node: sympy.Basic) -> Sequence[sympy.Basic]:
    """What is read before a node; refuses at once what has no network.

    A function of constants may be any that has a value, whether networks know it or not.
    """
    known = (
        not node.args
        or isinstance(node, sympy.Pow)
        or type(node) in REWRITES
        or functions.match(node) is not None
    )
    if not known:
        if node.free_symbols:
            raise _no_function(node)
        return node.args if type(node) in NUMPY_OPERATIONS else ()
    if isinstance(node, sympy.Piecewise):
        return [part for pair in node.args for part in pair.args]
    return node.args  # type: ignore[no-any-return]


def _is_logical(node: sympy.Basic) -> bool:
    return isinstance(node, sympy.Piecewise | sympy.logic.boolalg.Boolean)


def _no_function(node: sympy.Basic) -> CompileError:
    name = evaluate.function_name(node)
    if isinstance(node, _UNEVALUATED):
        return CompileError(f"{name} is no function yet: call .doit() of the expression", name)
    return CompileError(
        f"{name} has no exact network: it is not in the function table, and it is no sum, "
        "product or power of functions that are",
        name,
    )


def _power(base: Affine, exponent: Affine, node: sympy.Pow) -> Affine:
    """``base ** exponent``; the power of two variable things is ``exp(exponent * log(base))``."""
    if exponent.core is None:
        if exponent.bias in (0, 1):
            return base if exponent.bias else constant(1.0)
        exact = node.exp if isinstance(node.exp, sympy.Rational) else exponent.bias
        try:
            return apply(functions.power_name(exact), base)
        except KanStudioError as error:
            raise CompileError(str(error), "Pow") from error
    if base.core is None and base.bias == 0:
        return REWRITES[sympy.Eq](exponent, base)  # 0^0 is 1
    if base.core is None and base.bias < 0 and _is_whole(node.exp):
        sign = apply("cos", multiply([constant(math.pi), exponent]))
        size = apply("exp", multiply([constant(log(-base.bias)), exponent]))
        return multiply([sign, size])
    if base.core is None and base.bias < 0:
        raise CompileError(
            f"{base.bias:.6g} to a power that varies has no real value: the base must be positive",
            "Pow",
        )
    return apply("exp", multiply([exponent, _logarithm(base)]))


def _is_whole(exponent: sympy.Expr) -> bool:
    """Is this a whole number whatever the variables are?"""
    if isinstance(exponent, sympy.Add | sympy.Mul):
        return all(map(_is_whole, exponent.args))
    return isinstance(exponent, sympy.floor | sympy.ceiling | sympy.Integer)


def _logarithm(argument: Affine) -> Affine:
    """``log(argument)``, exact for exp(u) even where exp(u) is beyond a 64-bit number."""
    core = argument.core
    if core is None:
        return constant(log(argument.bias))
    if isinstance(core, Apply) and core.function == "exp" and argument.bias == 0 < argument.scale:
        return add([(1.0, core.argument), (1.0, constant(log(argument.scale)))])
    return apply("log", argument)
