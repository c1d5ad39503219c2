"""sympy functions that sympy lacks, as one head each.

A head keeps `sigmoid(x)` one function (one edge of a network) instead of a tree of exp
and powers. Everything else follows from `definition`: value, derivative, lambdify.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sympy as sp


class Head(sp.Function):
    """A univariate sympy function given by an expression in older ones."""

    nargs: ClassVar[Any] = (1,)

    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        """The same value, written with sympy's own functions."""
        raise NotImplementedError

    @classmethod
    def eval(cls, x: sp.Expr) -> sp.Expr | None:
        # Numbers become plain numbers; a head around a symbol stays as it is.
        return cls.definition(x) if x.is_Number else None

    def doit(self, **hints: Any) -> sp.Expr:
        return type(self).definition(self.args[0].doit(**hints))

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        slot = sp.Dummy(real=True)
        return sp.diff(type(self).definition(slot), slot).subs(slot, self.args[0])

    def _eval_evalf(self, prec: int) -> sp.Expr:
        return type(self).definition(self.args[0])._eval_evalf(prec)

    def _eval_is_extended_real(self) -> bool | None:
        real: bool | None = self.args[0].is_extended_real
        return real

    def _code(self, printer: Any) -> str:
        return f"({printer._print(type(self).definition(self.args[0]))})"

    # The names under which sympy's printers look for a function's own spelling.
    _pythoncode = _numpycode = _scipycode = _mpmathcode = _code


class sigmoid(Head):
    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        return 1 / (1 + sp.exp(-x))


class softplus(Head):
    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        return sp.log(1 + sp.exp(x))


class silu(Head):
    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        return x / (1 + sp.exp(-x))


class relu(Head):
    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        return (x + sp.Abs(x)) / 2


class gaussian(Head):
    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        return sp.exp(-(x**2))


class cbrt(Head):
    """The real cube root, for negative numbers too."""

    @classmethod
    def definition(cls, x: sp.Expr) -> sp.Expr:
        return sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3)
