"""The process in which sympy simplifies: expressions from stdin, shorter ones to stdout.

This module imports sympy alone, so that the process is there soon.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any, ClassVar

import sympy as sp

_MEMORY = 4 << 30


class Opaque(sp.Function):
    """A function that sympy does not know: its number, and its argument."""

    nargs: ClassVar[Any] = (2,)
    is_real = True


def main() -> None:
    """Answer one list of expressions of real symbols with the shortest form of each."""
    _bound_memory()
    expressions = pickle.load(sys.stdin.buffer)
    pickle.dump([_shortest(expression) for expression in expressions], sys.stdout.buffer)


def _bound_memory() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _shortest(expression: sp.Expr) -> sp.Expr:
    forms = [expression, sp.simplify(expression)]
    forms.append(sp.factor_terms(forms[-1]))
    return min(forms, key=lambda form: form.count_ops())
