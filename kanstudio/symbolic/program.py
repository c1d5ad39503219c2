"""The value of expressions at samples, with other numbers in place of theirs.

Functions are those of the function table, so that an expression has the value that a
network has, outside the domain of a function too.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
import torch

from kanstudio import functions
from kanstudio.errors import KanStudioError
from kanstudio.network.network import FloatArray
from kanstudio.symbolic.splines import SplineFunction

Operation = Callable[..., Any]


class Program:
    """Expressions as a list of steps, each distinct subexpression once.

    numbers: the Rationals and Floats in the expressions; ``run`` can replace them.
    Raises KanStudioError for a function that is neither sympy's arithmetic nor known here.
    """

    def __init__(
        self, expressions: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], samples: FloatArray
    ) -> None:
        columns = {symbol: samples[:, index] for index, symbol in enumerate(symbols)}
        slots: dict[sp.Basic, int] = {}
        self._n_samples = len(samples)
        self._values: list[Any] = []
        self._steps: list[tuple[int, Operation, tuple[int, ...]]] = []
        self.numbers: dict[sp.Expr, int] = {}
        for expression in expressions:
            for node in sp.postorder_traversal(expression):
                if node in slots:
                    continue
                slots[node] = slot = len(self._values)
                self._values.append(columns.get(node))
                if node.args:
                    arguments = tuple(slots[part] for part in node.args)
                    self._steps.append((slot, _operation(node), arguments))
                elif node.is_Symbol:
                    if node not in columns:
                        raise KanStudioError(f"{node} is no input of this formula")
                else:
                    self._values[slot] = bool(node) if node in (sp.true, sp.false) else float(node)
                    if node.is_Number:
                        self.numbers[node] = slot
        self._outputs = [slots[expression] for expression in expressions]

    def run(self, replaced: Mapping[sp.Expr, float] | None = None) -> FloatArray:
        """Values (n, expressions), with other values for some of the numbers."""
        values = list(self._values)
        for number, value in (replaced or {}).items():
            values[self.numbers[number]] = value
        with np.errstate(all="ignore"):
            for slot, operation, arguments in self._steps:
                values[slot] = operation(*(values[argument] for argument in arguments))
        result = np.empty((self._n_samples, len(self._outputs)))
        for column, slot in enumerate(self._outputs):
            result[:, column] = values[slot]
        return result


def values(
    expressions: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], samples: FloatArray
) -> FloatArray:
    """Values (n, expressions) at samples (n, symbols); errors as in ``Program``."""
    return Program(expressions, symbols, samples).run()


def _sum(*terms: Any) -> Any:
    return functools.reduce(operator.add, terms)


def _product(*factors: Any) -> Any:
    return functools.reduce(operator.mul, factors)


def _piecewise(*pairs: tuple[Any, Any]) -> Any:
    result: Any = np.nan
    for value, condition in reversed(pairs):
        result = np.where(condition, value, result)
    return result


_OPERATIONS: dict[type, Operation] = {
    sp.Add: _sum,
    sp.Mul: _product,
    sp.Pow: lambda base, exponent: np.power(np.asarray(base, dtype=np.float64), exponent),
    sp.Max: lambda *parts: functools.reduce(np.maximum, parts),
    sp.Min: lambda *parts: functools.reduce(np.minimum, parts),
    sp.atan2: np.arctan2,
    sp.Mod: np.mod,
    sp.Piecewise: _piecewise,
    sp.functions.elementary.piecewise.ExprCondPair: lambda value, condition: (value, condition),
    sp.Lt: np.less,
    sp.Le: np.less_equal,
    sp.Gt: np.greater,
    sp.Ge: np.greater_equal,
    sp.Eq: np.equal,
    sp.Ne: np.not_equal,
    sp.And: lambda *parts: functools.reduce(np.logical_and, parts),
    sp.Or: lambda *parts: functools.reduce(np.logical_or, parts),
    sp.Not: np.logical_not,
}


def _operation(node: sp.Basic) -> Operation:
    known = _OPERATIONS.get(type(node))
    if known is not None:
        return known
    if isinstance(node, SplineFunction):
        return type(node).curve.values
    found = functions.match(node)
    if found is None:
        raise KanStudioError(f"{type(node).__name__} has no value here")
    function, position = functions.get(found[0]).torch, node.args.index(found[1])

    def apply(*arguments: Any) -> Any:
        x = np.array(arguments[position], dtype=np.float64)
        return function(torch.from_numpy(np.atleast_1d(x))).numpy().reshape(x.shape)

    return apply
