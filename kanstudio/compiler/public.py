"""Formulas in, torch modules out: `kanstudio.compile`, `kanpiler` and `cost_report`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import sympy
import torch

from kanstudio import compiler, formula
from kanstudio.compiler import Cost, Strategy, compile_network, located
from kanstudio.compiler.bounds import Range
from kanstudio.compiler.evaluate import postorder
from kanstudio.errors import CompileError
from kanstudio.kan import KAN
from kanstudio.network.build import name_outputs
from kanstudio.network.network import Network

Formula: TypeAlias = str | sympy.Expr


def compile(
    formulas: Formula | Sequence[Formula],
    inputs: Sequence[str | sympy.Symbol] | None = None,
    *,
    strategy: Strategy = "shared",
    ranges: Sequence[Range] | None = None,
    dtype: torch.dtype | None = None,
) -> KAN:
    """The network that computes a formula, or several, exactly.

    x^y is exp(y*log(x)), and so exact for x >= 0 only (`compiler.requirements` lists such
    conditions).

    formulas: text or a sympy expression, or a sequence of both; a text may hold several
    outputs itself. inputs: the variables in the order of the columns of x; None takes
    those of texts in the order of their first appearance, then those of sympy expressions
    by name. strategy: "shared" for the smallest network, "compact" for composed functions
    on its edges, "tree" for pykan's layout. ranges: (low, high) of each input, if the network
    need be right there only: it may be smaller then, as sqrt(x*y) is sqrt(x)*sqrt(y) for
    positive x and y. dtype: of the parameters, torch's default if None.

        >>> model = compile("exp(sin(pi*x) + y^2)", inputs=["x", "y"])
        >>> model(torch.zeros(1, 2)).item()
        1.0

    Raises FormulaError (with the place in the text) for a text that is no formula, and
    CompileError for a function that has no exact network or a symbol that is no input.
    """
    network = network_of(formulas, inputs, strategy=strategy, ranges=ranges)
    return KAN.from_network(network, dtype=dtype)


def kanpiler(
    input_variables: Sequence[sympy.Symbol | str] | sympy.Symbol,
    expr: sympy.Expr | Sequence[sympy.Expr],
    grid: int = 5,
    k: int = 3,
    auto_save: bool = False,
) -> KAN:
    """`compile` for a sympy expression, with pykan's signature and layout.

    grid, k: intervals and degree of the splines, which are off. auto_save is there for
    pykan's sake: nothing is ever saved on its own.
    """
    return KAN.from_network(network_of(expr, input_variables, strategy="tree", grid=grid, degree=k))


def network_of(
    formulas: Formula | Sequence[Formula],
    inputs: Sequence[str | sympy.Symbol] | str | sympy.Symbol | None = None,
    *,
    strategy: Strategy = "shared",
    ranges: Sequence[Range] | None = None,
    grid: int = 5,
    degree: int = 3,
    seed: int = 0,
) -> Network:
    """What `compile` compiles, as an immutable value."""
    read = _read(formulas, inputs)
    with _located(read):
        return compile_network(
            read.expressions,
            read.inputs,
            read.output_names,
            strategy=strategy,
            ranges=ranges,
            grid=grid,
            degree=degree,
            seed=seed,
        )


def cost_report(
    formulas: Formula | Sequence[Formula],
    inputs: Sequence[str | sympy.Symbol] | None = None,
    *,
    ranges: Sequence[Range] | None = None,
) -> dict[Strategy, Cost]:
    """Nodes, active edges, depth and parameters that `compile` needs under each strategy.

    formulas, inputs, ranges and errors as of `compile`.

        >>> report = cost_report("x*y + x*z")
        >>> report["shared"].edges, report["tree"].edges
        (3, 6)
    """
    read = _read(formulas, inputs)
    with _located(read):
        return compiler.cost_report(read.expressions, read.inputs, ranges=ranges)


@dataclass(frozen=True, slots=True)
class _Read:
    """What there is to compile; texts: where each expression was typed, or ""."""

    expressions: list[sympy.Expr]
    inputs: list[str]
    output_names: tuple[str, ...]
    texts: list[str]


def _read(
    formulas: Formula | Sequence[Formula],
    inputs: Sequence[str | sympy.Symbol] | str | sympy.Symbol | None,
) -> _Read:
    several = isinstance(formulas, Sequence) and not isinstance(formulas, str | bytes)
    listed: list[Formula] = list(formulas) if several else [formulas]
    declared = None if inputs is None else _names(inputs)
    outputs: list[tuple[str | None, sympy.Expr, str]] = []
    variables: dict[str, None] = {}
    for item in listed:
        if isinstance(item, str):
            parsed = formula.parse(item, declared)
            outputs += [(output.name, output.expr, item) for output in parsed.outputs]
            variables.update(dict.fromkeys(parsed.variables))
        else:
            outputs.append((None, item, ""))
    for _, expression, text in outputs:
        if not text and isinstance(expression, sympy.Basic):
            symbols = (node.name for node in postorder(expression) if node.is_Symbol)
            variables.update(dict.fromkeys(sorted(symbols, key=_natural)))
    # Parsed texts know the inputs as formulas spell them: lambda for λ.
    spelled = declared is None or all(isinstance(item, str) for item in listed)
    names = list(variables) if spelled else list(declared or ())
    return _Read(
        [expression for _, expression, _ in outputs],
        names,
        name_outputs([name for name, _, _ in outputs], names),
        [text for _, _, text in outputs],
    )


@contextmanager
def _located(read: _Read) -> Iterator[None]:
    """An error about a function says where it stands in its text."""
    try:
        yield
    except CompileError as error:
        raise located(error, read.texts) from None


def _names(inputs: object) -> list[str]:
    """The names of inputs that may be text or symbols, in a list or one alone."""
    listed = [inputs] if isinstance(inputs, str | sympy.Symbol) else inputs
    if not isinstance(listed, Iterable):
        raise CompileError(f"inputs is a list of names or symbols, not {inputs!r}")
    return [_name(symbol) for symbol in listed]


def _name(symbol: object) -> str:
    if isinstance(symbol, str):
        return str(symbol)
    if isinstance(symbol, sympy.Symbol):
        return str(symbol.name)
    raise CompileError(f"an input is a name or a symbol, not {symbol!r}")


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts x2 before x10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
