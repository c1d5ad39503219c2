"""The search for a cheaper equal form: rewrite, lay out, keep what needs fewer edges.

Greedy: in each round every rule is tried at every place, and the best form stays. What the
rules do is exact by itself; the result is compared with the formula once more (check.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from kanstudio.compiler.dag import build
from kanstudio.compiler.fusions import collected, fused, joined, unpacked
from kanstudio.compiler.grouping import Plan, grouped
from kanstudio.compiler.interned import Interner, postorder
from kanstudio.compiler.normal import Affine, Apply, Core, Product, Sum, Variable
from kanstudio.compiler.products import absorbed, distributed, divided, factored, powered
from kanstudio.errors import CompileError

RULES = (fused, unpacked, joined, collected, factored, absorbed, distributed)
MAX_TRIALS = 400
"""Forms that are laid out at most: the same form is found on every machine."""
MAX_CORES = 150
"""Larger formulas are laid out as they are written."""


def smaller(roots: Sequence[Affine], n_inputs: int, limit_s: float) -> list[Plan]:
    """The plan of the interned expressions, then ever cheaper ones, found within the time.

    Seconds of this thread's own computing: what else the machine does changes no network.
    """
    best = _Form(roots, n_inputs)
    plans = [best.plan]
    end = time.thread_time() + limit_s
    trials = 0
    while trials < MAX_TRIALS and time.thread_time() < end:
        cores = list(postorder(best.roots))
        if len(cores) > MAX_CORES or best.plan.cost[0] <= _fewest(cores, best.roots):
            break
        found = best
        for core, new in _candidates(cores, best.roots):
            trials += 1
            form = _tried(best, core, new)
            if form is not None and form.plan.cost < found.plan.cost:
                found = form
            if trials >= MAX_TRIALS or time.thread_time() > end:
                break
        if found is best:
            break
        best = found
        plans.append(best.plan)
    return plans


def related(roots: Sequence[Affine]) -> list[Affine]:
    """Interned expressions with v**2/c**2 written as (v/c)**2 wherever v/c is there.

    Larger ones stay as they are: every product is compared with every other.
    """
    cores = list(postorder(roots))
    if len(cores) > MAX_CORES:
        return list(roots)
    products = [core for core in cores if isinstance(core, Product)]
    found = {id(core): new for core in products for new in powered(core, products)}
    return Interner().roots(roots, found)


class _Form:
    """Expressions in one of their forms, with the plan of its network."""

    def __init__(self, roots: Sequence[Affine], n_inputs: int) -> None:
        self.roots = roots
        self.n_inputs = n_inputs
        self.plan = grouped(build(roots, n_inputs))


def _tried(form: _Form, core: Core, new: Affine) -> _Form | None:
    """The form with another form of one core; None if constants overflow in it."""
    try:
        return _Form(Interner().roots(form.roots, {id(core): new}), form.n_inputs)
    except (CompileError, OverflowError, ZeroDivisionError):
        return None


def _candidates(cores: Sequence[Core], roots: Sequence[Affine]) -> Iterator[tuple[Core, Affine]]:
    products = [core for core in cores if isinstance(core, Product)]
    lifted = _lifted(cores, roots)
    for core in cores:
        for rule in RULES:
            for new in rule(core):
                yield core, new
        for new in (*powered(core, products), *divided(core, id(core) in lifted)):
            yield core, new


def _lifted(cores: Sequence[Core], roots: Sequence[Affine]) -> set[int]:
    """Ids of the cores to which a constant of some size is added wherever they are used."""
    flat: set[int] = set()
    used = list(roots)
    for core in cores:
        match core:
            case Sum():
                flat.update(id(term) for _, term in core.terms)
            case Product():
                used += core.factors
            case Apply():
                used.append(core.argument)
    flat.update(id(value.core) for value in used if abs(value.bias) < 0.01 * abs(value.scale))
    return {id(core) for core in cores} - flat


def _fewest(cores: Sequence[Core], roots: Sequence[Affine]) -> int:
    """No network has fewer edges: each input that is used needs one, and each output."""
    return max(sum(isinstance(core, Variable) for core in cores), len(roots))
