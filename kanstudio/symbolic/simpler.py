"""sympy's simplify, in a process of its own that ends when its time is over.

sympy may take minutes, or all memory, for what looks harmless. The process gets the
expressions through a pipe and answers through one; both ends are this package's own.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence

import sympy as sp

from kanstudio.errors import KanStudioError
from kanstudio.functions.heads import Head
from kanstudio.network.network import FloatArray
from kanstudio.symbolic.arithmetic import remade
from kanstudio.symbolic.child import Opaque
from kanstudio.symbolic.clean import within
from kanstudio.symbolic.program import values
from kanstudio.symbolic.splines import SplineFunction

_BOOT = "from kanstudio.symbolic.child import main; main()"
_LEAST_TOLERANCE = 1e-9


def simplified(
    expressions: Sequence[sp.Expr],
    symbols: Sequence[sp.Symbol],
    samples: FloatArray,
    tolerance: float,
    timeout_s: float,
) -> tuple[tuple[sp.Expr, ...], list[str]]:
    """Shorter forms of expressions of real symbols, and notes on what could not be done.

    A form counts only if its values at the samples (n, symbols) are the same.
    """
    exchange = _Exchange(expressions, symbols)
    try:
        answer = _ask([exchange.sent(e) for e in expressions], timeout_s)
    except subprocess.TimeoutExpired:
        return tuple(expressions), [f"not simplified: sympy found no answer in {timeout_s:g} s"]
    if answer is None:
        return tuple(expressions), ["not simplified: sympy failed at it"]
    chosen = []
    for before, found in zip(expressions, answer, strict=True):
        after = exchange.received(found)
        chosen.append(after if _same(before, after, symbols, samples, tolerance) else before)
    return tuple(chosen), []


class _Exchange:
    """Expressions as the other process sees them: real symbols, and heads that it lacks."""

    def __init__(self, expressions: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> None:
        self.real = {symbol: sp.Symbol(f"v{i}", real=True) for i, symbol in enumerate(symbols)}
        unknown = dict.fromkeys(
            node.func for e in expressions for node in e.atoms(SplineFunction, Head)
        )
        self.heads = list(unknown)

    def sent(self, expression: sp.Expr) -> sp.Expr:
        made: dict[sp.Basic, sp.Basic] = dict(self.real)
        for node in sp.postorder_traversal(expression):
            if node in made:
                continue
            arguments = [made[part] for part in node.args]
            if node.func in self.heads:
                made[node] = Opaque(sp.Integer(self.heads.index(node.func)), *arguments)
            else:
                made[node] = remade(node, arguments)
        return made[expression]

    def received(self, expression: sp.Expr) -> sp.Expr:
        made: dict[sp.Basic, sp.Basic] = {new: old for old, new in self.real.items()}
        for node in sp.postorder_traversal(expression):
            if node in made:
                continue
            arguments = [made[part] for part in node.args]
            if isinstance(node, Opaque):
                made[node] = self.heads[int(node.args[0])](arguments[1])
            else:
                made[node] = remade(node, arguments)
        return made[expression]


def _same(
    before: sp.Expr,
    after: sp.Expr,
    symbols: Sequence[sp.Symbol],
    samples: FloatArray,
    tolerance: float,
) -> bool:
    try:
        found, expected = (values([e], symbols, samples) for e in (after, before))
    except (KanStudioError, TypeError):
        # sympy answered with a function that has no value here, or with a complex number.
        return False
    return within(found, expected, max(tolerance, _LEAST_TOLERANCE))


def _ask(expressions: list[sp.Expr], timeout_s: float) -> list[sp.Expr] | None:
    """The answer of a new process; None if it failed. Raises TimeoutExpired."""
    command = [sys.executable, "-c", _BOOT]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            answer, _ = child.communicate(pickle.dumps(expressions), timeout=timeout_s)
        finally:
            child.kill()
    found: list[sp.Expr] | None = pickle.loads(answer) if child.returncode == 0 else None
    return found
