"""Expressions of one variable as a list of steps on tensors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import sympy as sp
import torch
from torch import Tensor

from kanstudio.errors import KanStudioError
from kanstudio.functions.domain import ALL, DEFAULT_ANCHOR, Domain
from kanstudio.functions.function import Function

Value = Tensor | float
Operation = Callable[..., Tensor]

_ANCHORS = (DEFAULT_ANCHOR, 1.5, -0.5, -1.5, 3.3, -3.3, 0.05, -0.05, 10.3, -10.3, 100.3, -100.3)


@dataclass(frozen=True)
class Constant:
    value: float


@dataclass(frozen=True)
class Argument:
    """The variable x."""


@dataclass(frozen=True)
class Step:
    """An operation on earlier steps; row is the function that it is, if it is one."""

    operation: Operation
    arguments: tuple[int, ...]
    row: Function | None = None


@dataclass(frozen=True)
class Choice:
    """The value of the first branch whose condition holds.

    conditions: steps with a truth value; the last branch has none. anchors: where each
    branch has a value and a slope; the samples that it is not taken for go there, since
    0 * NaN would be left of a gradient that is only masked afterwards.
    """

    conditions: tuple[int, ...]
    branches: tuple[Program, ...]
    anchors: tuple[float, ...]


@dataclass(frozen=True)
class Program:
    """Steps in order; the last is the result."""

    steps: tuple[AnyStep, ...]

    def value(self, x: Tensor) -> Tensor:
        """The result for x of any shape; it has a value for every x but may overflow."""
        return self._run(x, None)

    def checked(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and a bool tensor: is every function that counts inside its domain?"""
        inside = [torch.ones_like(x, dtype=torch.bool)]
        return self._run(x, inside), inside[0]

    def _run(self, x: Tensor, inside: list[Tensor] | None) -> Tensor:
        values: list[Value] = []
        for step in self.steps:
            match step:
                case Constant():
                    values.append(step.value)
                case Argument():
                    values.append(x)
                case Choice():
                    values.append(_choose(step, values, x, inside))
                case Step():
                    arguments = [values[index] for index in step.arguments]
                    if inside is not None and step.row is not None:
                        (argument,) = arguments
                        assert isinstance(argument, Tensor)
                        inside[0] = inside[0] & step.row.inside(argument)
                    values.append(step.operation(*arguments))
        return _as_tensor(values[-1], x)

    @property
    def complexity(self) -> int:
        """The sum over the functions, sums, products and choices."""
        total = 0
        for step in self.steps:
            if isinstance(step, Choice):
                total += 1 + sum(branch.complexity for branch in step.branches)
            elif isinstance(step, Step):
                total += 1 if step.row is None else step.row.complexity
        return total

    def domains(self) -> list[tuple[Domain, bool]]:
        """The domain of every part that has one, and whether that part's argument is x."""
        found = []
        for step in self.steps:
            if isinstance(step, Choice):
                inner = [item for branch in step.branches for item in branch.domains()]
                found += [(domain, False) for domain, _ in inner]
            elif isinstance(step, Step) and step.row is not None and step.row.domain != ALL:
                (argument,) = step.arguments
                found.append((step.row.domain, isinstance(self.steps[argument], Argument)))
        return found


AnyStep = Constant | Argument | Step | Choice


def _choose(
    step: Choice, values: Sequence[Value], x: Tensor, inside: list[Tensor] | None
) -> Tensor:
    result = torch.zeros_like(x)
    free = torch.ones_like(x, dtype=torch.bool)
    true = free
    for number, (branch, anchor) in enumerate(zip(step.branches, step.anchors, strict=True)):
        taken = free
        if number < len(step.conditions):
            taken = free & _as_tensor(values[step.conditions[number]], x).bool()
        selected = torch.where(taken, x, anchor)
        if inside is None:
            value = branch.value(selected)
        else:
            value, good = branch.checked(selected)
            true = true & (good | ~taken)
        result = torch.where(taken, value, result)
        free = free & ~taken
    if inside is not None:
        inside[0] = inside[0] & true
    return result


def program(
    expr: sp.Expr,
    find: Callable[[str], Function],
    match: Callable[[sp.Expr], tuple[str, sp.Expr] | None],
) -> Program:
    """The steps that compute an expression of Symbol("x"), equal parts once.

    find, match: see `lookup`. Raises KanStudioError for what the table lacks.
    """
    return _Builder(find, match).program(expr)


class _Builder:
    def __init__(
        self,
        find: Callable[[str], Function],
        match: Callable[[sp.Expr], tuple[str, sp.Expr] | None],
    ) -> None:
        self.find = find
        self.match = match

    def program(self, expr: sp.Expr) -> Program:
        steps: list[AnyStep] = []
        places: dict[sp.Basic, int] = {}
        for node in _postorder(expr, self.operands):
            step = self.step(node, places)
            if isinstance(step, int):
                places[node] = step
                continue
            places[node] = len(steps)
            steps.append(_folded(step, steps) if isinstance(step, Step) else step)
        return Program(tuple(steps))

    def operands(self, node: sp.Basic) -> tuple[sp.Basic, ...]:
        """What stands on this level; the values of a Piecewise are programs of their own."""
        if _is_number(node):
            return ()
        if isinstance(node, sp.Piecewise):
            return tuple(condition for _, condition in node.args if condition != sp.true)
        if isinstance(node, sp.Pow | sp.Function) and (found := self.match(node)):
            return (found[1],)
        if isinstance(node, sp.Pow):
            # A power whose exponent varies; sympy would write it back if it could.
            logarithm = sp.log(node.base, evaluate=False)
            product = sp.Mul(node.exp, logarithm, evaluate=False)
            return (sp.exp(product, evaluate=False),)
        return node.args  # type: ignore[no-any-return]

    def step(self, node: sp.Basic, places: dict[sp.Basic, int]) -> AnyStep | int:
        """The step of a node, or the place of the step that is the same."""
        if node.is_Symbol:
            return Argument()
        if not node.args or _is_number(node):
            return Constant(_number(node))
        if isinstance(node, sp.Piecewise):
            return self.choice(node, places)
        arguments = tuple(places[item] for item in self.operands(node))
        if type(node) in _OPERATIONS:
            return Step(_OPERATIONS[type(node)], arguments)
        found = self.match(node) if isinstance(node, sp.Expr) else None
        if found is not None:
            row = self.find(found[0])
            return Step(row.torch, arguments, row)
        if isinstance(node, sp.Pow):
            return arguments[0]
        raise KanStudioError(f"{type(node).__name__} is no function of the table")

    def choice(self, node: sp.Piecewise, places: dict[sp.Basic, int]) -> Choice:
        if node.args[-1][1] != sp.true:
            raise KanStudioError("a condition lacks the value for all other x")
        branches = tuple(self.program(value) for value, _ in node.args)
        conditions = tuple(places[condition] for _, condition in node.args[:-1])
        return Choice(conditions, branches, tuple(map(_anchor, branches)))


def _anchor(branch: Program) -> float:
    """A point where a branch has a finite value and a finite slope, in float32 too."""
    x = torch.tensor(_ANCHORS, dtype=torch.float32, requires_grad=True)
    with torch.enable_grad():
        value, inside = branch.checked(x)
        slope = torch.zeros_like(x)
        if value.requires_grad:
            (slope,) = torch.autograd.grad(value.sum(), x)
    good = (inside & value.isfinite() & slope.isfinite()).tolist()
    return next((x for x, fits in zip(_ANCHORS, good, strict=True) if fits), DEFAULT_ANCHOR)


def _folded(step: Step, steps: Sequence[AnyStep]) -> Constant | Step:
    """An operation on constants as a constant."""
    inner = [steps[index] for index in step.arguments]
    known = [torch.tensor(i.value).double() for i in inner if isinstance(i, Constant)]
    if len(known) < len(inner):
        return step
    if step.row is not None and not step.row.inside(known[0]):
        raise KanStudioError(f"{step.row.name} has no value at {float(known[0]):.6g}")
    value = float(step.operation(*known))
    if not math.isfinite(value):
        raise KanStudioError("a constant of the function is too large for a 64-bit number")
    return Constant(value)


def _is_number(node: sp.Basic) -> bool:
    return isinstance(node, sp.Expr) and bool(node.is_number)


def _number(node: sp.Basic) -> float:
    if node in (sp.true, sp.false):
        return float(node == sp.true)
    value = complex(node) if isinstance(node, sp.Expr) else complex(math.nan)
    if value.imag or not math.isfinite(value.real):
        raise KanStudioError(f"{node} is no real number")
    return value.real


def _postorder(
    expr: sp.Basic, operands: Callable[[sp.Basic], Sequence[sp.Basic]]
) -> Iterator[sp.Basic]:
    """Every distinct part once, arguments before what contains them."""
    seen: set[sp.Basic] = set()
    stack = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((item, False) for item in reversed(operands(node)))


def _as_tensor(value: Value, x: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.full_like(x, value)


def _pairwise(function: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """A function of two tensors for any number of arguments, some of them constants."""

    def operation(*values: Value) -> Tensor:
        like = next(value for value in values if isinstance(value, Tensor))
        return reduce(function, (_as_tensor(value, like) for value in values))

    return operation


def _angle(y: Tensor, x: Tensor) -> Tensor:
    """atan2; 0 at the origin, where it has no value and its gradient is 0/0."""
    origin = (x == 0) & (y == 0)
    return torch.where(origin, 0.0, torch.atan2(y, torch.where(origin, 1.0, x)))


def _modulo(x: Tensor, modulus: Tensor) -> Tensor:
    """x - modulus*floor(x/modulus); 0 for the modulus 0, where it has no value."""
    zero = modulus == 0
    return torch.where(zero, 0.0, torch.remainder(x, torch.where(zero, 1.0, modulus)))


_OPERATIONS: dict[type, Operation] = {
    sp.Add: lambda *terms: reduce(operator.add, terms),
    sp.Mul: lambda *factors: reduce(operator.mul, factors),
    sp.Max: _pairwise(torch.maximum),
    sp.Min: _pairwise(torch.minimum),
    sp.atan2: _pairwise(_angle),
    sp.Mod: _pairwise(_modulo),
    sp.StrictLessThan: _pairwise(torch.lt),
    sp.LessThan: _pairwise(torch.le),
    sp.StrictGreaterThan: _pairwise(torch.gt),
    sp.GreaterThan: _pairwise(torch.ge),
    sp.Equality: _pairwise(torch.eq),
    sp.Unequality: _pairwise(torch.ne),
    sp.And: _pairwise(torch.logical_and),
    sp.Or: _pairwise(torch.logical_or),
    sp.Not: torch.logical_not,
}
