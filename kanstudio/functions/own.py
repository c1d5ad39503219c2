"""Functions that users add by name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import sympy as sp
import torch
from torch import Tensor

from kanstudio.errors import KanStudioError
from kanstudio.functions.domain import ALL, Domain, TensorMap, guard
from kanstudio.functions.function import Function, SympyMap
from kanstudio.functions.heads import Head
from kanstudio.functions.language import language
from kanstudio.functions.registry import added
from kanstudio.functions.row import template
from kanstudio.functions.rule import finite_gradient

_WIDTH = 6.0
_PROBES = (4, 6)
_AGREEMENT = 1e-6


def add_function(
    name: str,
    torch: TensorMap,
    sympy: SympyMap | None = None,
    *,
    latex: str | None = None,
    domain: Domain | tuple[float, float] | None = None,
    complexity: int = 2,
    replace: bool = False,
) -> Function:
    """Add a function of one variable to the table, for formulas, edges and pictures.

        >>> import torch
        >>> well = lambda x: (1 - torch.exp(-x)) ** 2
        >>> add_function("morse", well, lambda x: (1 - sp.exp(-x)) ** 2).name
        'morse'
        >>> remove_function("morse")

    name: letters, digits and underscores, at least two; no word that formulas know.
    torch: elementwise on tensors of any shape and floating dtype, and differentiable.
    sympy: from an expression to the same function of it; None keeps `name(x)` as it is.
    latex: what stands before the argument, or a template with {x}; None is the name.
    domain: where there is a value, a Domain or (low, high) with its ends; None is all x.
        Beyond it the function has the value of the nearest end.
    complexity: at least 0; a higher one needs a better fit to be chosen.
    replace: the name may be that of a function added before.

    Processes that train get the function from this one, as code. A saved network has its
    name only: add it again before loading. Raises KanStudioError and says what is wrong.
    """
    if not isinstance(name, str):
        raise KanStudioError(f"a function's name is a text, not {name!r}")
    trial = _Trial(name)
    trial.check_name()
    trial.check_options(latex, complexity)
    if name in added.now.rows and not replace:
        trial.fail("there is one already; pass replace=True, or remove_function first")
    bounds = trial.domain(domain)
    function, inside = _safe(torch, bounds)
    trial.check_torch(torch, bounds)
    trial.check_safe(function)
    shown = name.replace("_", r"\_")
    row = Function(
        name=name,
        sympy=sp.Function(name) if sympy is None else trial.head(sympy, torch, bounds),
        torch=function,
        latex=template(latex or rf"\operatorname{{{shown}}}"),
        domain=bounds,
        complexity=complexity,
        inside_map=inside,
    )
    recipe = {
        "name": name, "torch": torch, "sympy": sympy, "latex": latex, "domain": domain,
        "complexity": complexity,
    }  # fmt: skip
    if not added.put(row, recipe, replace=replace):
        trial.fail("another thread has just added one")
    return row


def remove_function(name: str) -> None:
    """Take away a function that `add_function` added; KanStudioError if there is none."""
    if not added.drop(name):
        known = ", ".join(added.now.rows) or "none"
        raise KanStudioError(f"cannot remove {name!s:.40}: the functions added are {known}")


def _safe(raw: TensorMap, domain: Domain) -> tuple[TensorMap, TensorMap]:
    """raw with a finite value and gradient for every x; and where its value is true."""
    guarded = guard(raw, domain, anchor=_anchor(domain), pole=False)
    bounded = raw if domain == ALL else guarded.function

    def function(x: Tensor) -> Tensor:
        y = bounded(finite_gradient(x))
        # A NaN stays a NaN, so that a broken weight is noticed.
        return torch.where(x.isnan(), x, torch.nan_to_num(y))

    def inside(x: Tensor) -> Tensor:
        with torch.no_grad():
            return guarded.inside(x) & bounded(x).isfinite() & ~x.isnan()

    return function, inside


def _anchor(domain: Domain) -> float:
    if math.isinf(domain.low) and math.isinf(domain.high):
        return 0.5
    if math.isinf(domain.high):
        return domain.low + 1.0
    return domain.high - 1.0 if math.isinf(domain.low) else (domain.low + domain.high) / 2


@dataclass(frozen=True)
class _Trial:
    """The checks that a new function passes; all raise KanStudioError."""

    name: str

    def fail(self, reason: str) -> NoReturn:
        raise KanStudioError(f"the function {self.name!s:.40} cannot be added: {reason}") from None

    def check_name(self) -> None:
        reason = language().why_no_function_name(self.name)
        if reason and self.name not in added.now.rows:
            self.fail(reason)

    def check_options(self, latex: object, complexity: object) -> None:
        if latex is not None and not isinstance(latex, str):
            self.fail(f"latex is a text or None, not {latex!r}")
        if isinstance(complexity, bool) or not isinstance(complexity, int) or complexity < 0:
            self.fail(f"complexity is a whole number of at least 0, not {complexity!r}")

    def domain(self, domain: object) -> Domain:
        if domain is None:
            return ALL
        if isinstance(domain, Domain):
            return domain
        try:
            low, high = (float(end) for end in domain)  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            self.fail(f"domain is a Domain, (low, high) or None, not {domain!r}")
        if not low < high:
            self.fail(f"the domain from {low:g} to {high:g} is empty")
        return Domain(low, high)

    def check_torch(self, function: Any, domain: Domain) -> None:
        if not callable(function):
            self.fail(f"torch is a function of a tensor, not {function!r}")
        for dtype in (torch.float32, torch.float64):
            x = _probes(domain, dtype)
            y, slope = self.called(function, x)
            what = f"for {dtype} samples of shape {tuple(x.shape)}"
            if y.shape != x.shape or y.dtype != dtype:
                self.fail(f"{what} torch gives {y.dtype} of shape {tuple(y.shape)}")
            part, expected = x[2:].flip(0).T, y[2:].flip(0).T
            found, _ = self.called(function, part)
            if found.shape != part.shape or not found.allclose(expected, 1e-3, equal_nan=True):
                self.fail("torch is not elementwise: a value depends on the other samples")
            for values, kind in ((y, "value"), (slope, "derivative")):
                if not values.isfinite().all():
                    at = float(x[~values.isfinite()][0])
                    self.fail(f"{what} torch has no finite {kind} at {at:.6g}; give its domain")

    def called(self, function: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and derivative; whatever goes wrong in the user's code is one error."""
        x = x.clone().requires_grad_()
        before = x.detach().clone()
        try:
            with torch.enable_grad():
                y = function(x)
                slope = torch.zeros_like(x)
                if isinstance(y, Tensor) and y.requires_grad:
                    (slope,) = torch.autograd.grad(y.sum(), x, materialize_grads=True)
        except Exception as error:
            self.fail(f"torch raises {type(error).__name__}: {str(error)[:200]}")
        if not isinstance(y, Tensor):
            self.fail(f"torch gives {type(y).__name__}, not a tensor")
        if not torch.equal(x.detach(), before):
            self.fail("torch changes its argument in place")
        return y.detach(), slope

    def check_safe(self, function: TensorMap) -> None:
        far = torch.tensor([-1e30, -1.0, 0.0, 1.0, 1e30], dtype=torch.float64)
        values, slopes = self.called(function, far)
        if not (values.isfinite().all() and slopes.isfinite().all()):
            self.fail("torch has no finite value far out; give its domain")

    def head(self, form: Any, function: TensorMap, domain: Domain) -> type[Head]:
        """A sympy class of the function's name that is defined by the form."""
        if not callable(form):
            self.fail(f"sympy is a function of an expression or None, not {form!r}")
        x = sp.Symbol("x")
        try:
            expr = sp.sympify(form(x), strict=True)
        except Exception as error:
            self.fail(f"sympy raises {type(error).__name__}: {str(error)[:200]}")
        if not isinstance(expr, sp.Expr) or not expr.free_symbols <= {x}:
            self.fail(f"sympy gives {expr}, no expression of its argument alone")
        self.compare(expr, x, function, domain)

        def definition(cls: type[Head], argument: sp.Expr) -> sp.Expr:
            return expr.xreplace({x: argument})

        return type(self.name, (Head,), {"definition": classmethod(definition)})

    def compare(self, expr: sp.Expr, x: sp.Symbol, function: TensorMap, domain: Domain) -> None:
        points = _probes(domain, torch.float64).flatten()
        for at, value in zip(points.tolist(), function(points).tolist(), strict=True):
            form = expr.subs(x, sp.Float(at)).evalf()
            if not form.is_Float and not form.is_Integer:
                continue  # A function of sympy's that has no number here
            if abs(float(form) - value) > _AGREEMENT * (1 + abs(value)):
                self.fail(f"at {at:.6g} sympy gives {float(form):.6g} but torch {value:.6g}")


def _probes(domain: Domain, dtype: torch.dtype) -> Tensor:
    """Samples strictly inside the domain."""
    low, high = domain.low, domain.high
    if math.isinf(low):
        low = min(-_WIDTH / 2, high - _WIDTH)
    high = min(high, max(low + _WIDTH, _WIDTH / 2))
    count = math.prod(_PROBES)
    # Neither an end nor 0, which may be a hole.
    steps = (torch.arange(count, dtype=torch.float64) + 0.47) / count
    return (low + (high - low) * steps).to(dtype).reshape(_PROBES)
