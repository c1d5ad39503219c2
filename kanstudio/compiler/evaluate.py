"""The value of a sympy expression in plain numpy or torch, without lambdify.

This is the reference that networks are compared with, and the source of data that come
from a formula. It shares no code with the compiler's normal form. Nothing here runs
text: the tree is walked once into a list of steps, and a step is a function of a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import sympy
import torch
from sympy.core.function import AppliedUndef

from kanstudio import functions
from kanstudio.compiler.operations import NUMPY_OPERATIONS, TORCH_OPERATIONS
from kanstudio.errors import CompileError
from kanstudio.network.network import FloatArray

NUMBER_SYMBOLS: Mapping[Any, float] = {
    sympy.S.Pi: math.pi,
    sympy.S.Exp1: math.e,
    sympy.S.EulerGamma: float(np.euler_gamma),
    sympy.S.GoldenRatio: (1 + math.sqrt(5)) / 2,
    sympy.S.Catalan: 0.915965594177219015,
}
_DIGITS = 17


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation on the values of earlier slots."""

    operation: Callable[..., Any]
    arguments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    """The samples of one variable."""

    index: int


_Slot = _Step | _Column | float | bool


def postorder(
    expression: sympy.Basic,
    operands: Callable[[sympy.Basic], Sequence[sympy.Basic]] = attrgetter("args"),
) -> Iterator[sympy.Basic]:
    """Every distinct subexpression once, arguments before what contains them.

    Iterative, and linear in the number of distinct subexpressions. ``operands`` gives the
    arguments of an expression; it sees each before its arguments, and may raise.
    """
    seen: set[sympy.Basic] = set()
    stack: list[tuple[sympy.Basic, bool]] = [(expression, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((argument, False) for argument in reversed(operands(node)))


def function_name(node: sympy.Basic) -> str:
    """What sympy calls the outermost function of an expression."""
    return str(node.func if isinstance(node, AppliedUndef) else type(node).__name__)


def number(node: sympy.Basic) -> float:
    """The float64 value of a constant; CompileError if it is not real and finite.

    What is no plain number, such as zeta(3), sympy evaluates.
    """
    value: float
    try:
        if isinstance(node, sympy.Rational):
            value = node.p / node.q
        elif isinstance(node, sympy.Float):
            value = float(node)
        elif node in NUMBER_SYMBOLS:
            value = NUMBER_SYMBOLS[node]
        else:
            exact = node.evalf(_DIGITS)
            if not isinstance(exact, sympy.Float):
                raise CompileError(f"the constant {node} is not a real number")
            value = float(exact)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise CompileError("a constant of the formula is too large for a 64-bit number")
    return value


def sympy_function(
    expressions: Sequence[sympy.Expr], variables: Sequence[str]
) -> Callable[[FloatArray], FloatArray]:
    """A function from samples (n, d) to values (n, o), in float64.

    The value is NaN where an expression has no real value, poles included, and inf where
    it exceeds float64. Raises CompileError for a function that it does not know, a symbol
    that is not in ``variables``, and a constant that is not real.
    """
    slots, outputs = _slots(expressions, variables, NUMPY_OPERATIONS)

    def evaluate(x: FloatArray) -> FloatArray:
        samples = np.asarray(x, dtype=np.float64)
        # Constants have no variable, and their network has one input all the same.
        if samples.ndim != 2 or (variables and samples.shape[1] != len(variables)):
            raise ValueError(
                f"samples have shape {samples.shape}, not (n, {len(variables)}) as the "
                f"variables {', '.join(variables)} need"
            )
        with np.errstate(all="ignore"):
            values = _run(slots, lambda index: samples[:, index])
        result = np.empty((len(samples), len(outputs)))
        for column, slot in enumerate(outputs):
            result[:, column] = values[slot]
        return result

    return evaluate


def torch_function(
    expression: sympy.Expr, variables: Sequence[str]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from a tensor (n, d) to a tensor (n, 1) of the same type and device.

    Differentiable. Outside its domain an expression is NaN, as torch computes it.
    """
    slots, (output,) = _slots([expression], variables, TORCH_OPERATIONS)

    def evaluate(x: torch.Tensor) -> torch.Tensor:
        value = _run(slots, lambda index: x[:, [index]])[output]
        return value if isinstance(value, torch.Tensor) else torch.full_like(x[:, :1], value)

    return evaluate


def constant(node: sympy.Basic, arguments: Sequence[float]) -> float | None:
    """The value of an operation on constants, or None if the operation is unknown.

    Raises CompileError if there is no finite real value.
    """
    operation = NUMPY_OPERATIONS.get(type(node))
    if operation is None:
        return None
    with np.errstate(all="ignore"):
        value = float(operation(*(np.float64(argument) for argument in arguments)))
    if not math.isfinite(value):
        inner = ", ".join(f"{argument:.6g}" for argument in arguments)
        raise CompileError(
            f"{function_name(node)}({inner}) has no finite real value", function_name(node)
        )
    return value


def _slots(
    expressions: Sequence[sympy.Expr],
    variables: Sequence[str],
    operations: Mapping[type, Callable[..., Any]],
) -> tuple[list[_Slot], list[int]]:
    """The steps that compute every expression, and the slot of each."""
    columns = {name: index for index, name in enumerate(variables)}
    slots: list[_Slot] = []
    slot_of: dict[sympy.Basic, int] = {}
    for expression in expressions:
        for node in postorder(expression):
            if node not in slot_of:
                arguments = tuple(slot_of[argument] for argument in node.args)
                slot_of[node] = len(slots)
                slots.append(_slot(node, arguments, slots, columns, operations))
    return slots, [slot_of[expression] for expression in expressions]


def _slot(
    node: sympy.Basic,
    arguments: tuple[int, ...],
    slots: Sequence[_Slot],
    columns: Mapping[str, int],
    operations: Mapping[type, Callable[..., Any]],
) -> _Slot:
    if isinstance(node, sympy.Symbol):
        if node.name not in columns:
            raise unknown_symbol(node.name, list(columns))
        return _Column(columns[node.name])
    if node in (sympy.true, sympy.false):
        return node is sympy.true
    if not node.args:
        return number(node)
    inner = [slots[argument] for argument in arguments]
    if isinstance(node, sympy.Expr) and all(isinstance(slot, float) for slot in inner):
        value = constant(node, [slot for slot in inner if isinstance(slot, float)])
        if value is not None:
            return value
    operation = operations.get(type(node)) or _of_table(node)
    if operation is None and not node.free_symbols:
        return number(node)
    if operation is None:
        name = function_name(node)
        raise CompileError(f"the function {name} is not known here", name)
    return _Step(operation, arguments)


def _of_table(node: sympy.Basic) -> Callable[..., Any] | None:
    """A function that only the function table knows, NaN outside its domain."""
    found = functions.match(node) if isinstance(node, sympy.Function) else None
    if found is None:
        return None
    row, position = functions.get(found[0]), node.args.index(found[1])

    def operation(*arguments: Any) -> Any:
        value = arguments[position]
        x = value if isinstance(value, torch.Tensor) else torch.tensor(np.asarray(value))
        y = torch.where(row.inside(x), row.torch(x), math.nan)
        return y if isinstance(value, torch.Tensor) else y.numpy()

    return operation


def _run(slots: Sequence[_Slot], column: Callable[[int], Any]) -> list[Any]:
    values: list[Any] = []
    for slot in slots:
        if isinstance(slot, _Step):
            values.append(slot.operation(*(values[index] for index in slot.arguments)))
        elif isinstance(slot, _Column):
            values.append(column(slot.index))
        else:
            values.append(slot)
    return values


def unknown_symbol(name: str, variables: Sequence[str]) -> CompileError:
    """The error for a symbol that is not an input."""
    known = ", ".join(variables) or "none"
    return CompileError(f"{name} is not an input; the inputs are: {known}")
