"""The search for a cheaper equal form: rewrite, lay out, keep what needs fewer edges.

Greedy: in each round every rule is tried at every place, and the best form stays. What the
rules do is exact by itself; the result is compared with the formula once more (check.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kanstudio.compiler.additions import balanced, gathered, parted
from kanstudio.compiler.bounds import Bounds
from kanstudio.compiler.dag import build
from kanstudio.compiler.fusions import collected, fused, joined, unpacked
from kanstudio.compiler.grouping import Plan, grouped
from kanstudio.compiler.interned import Interner, postorder
from kanstudio.compiler.levels import LevelGraph
from kanstudio.compiler.normal import Affine, Apply, Core, Product, Sum, Variable
from kanstudio.compiler.placed import placed
from kanstudio.compiler.positive import (
    doubled,
    opened,
    sampled,
    shared_out,
    split,
    spread,
    taken_in,
)
from kanstudio.compiler.products import absorbed, distributed, divided, factored, powered
from kanstudio.errors import CompileError

RULES = (
    fused, unpacked, joined, collected, factored, absorbed, distributed, spread, sampled, gathered,
)  # fmt: skip
"""What is right for all values."""
SIGN_RULES = (taken_in, split, opened, doubled, shared_out, balanced, parted)
"""What asks for bounds."""
MAX_TRIALS = 400
"""Forms that are laid out at most: the same form is found on every machine."""
MAX_CORES = 150
"""Larger formulas are laid out as they are written."""
_WIDE_TRIALS = 1200
_WIDTH = 3
_PATIENCE = 2
_MOST_ASKED = 12
"""Where ranges are given, there is more to find: several forms are followed at once, forms with
one more edge too, for some rounds without success."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of a search.

    check: the graph, with how it was checked; None if it is not what was typed. limit_s: seconds
    of this thread's own computing; what else the machine does changes no network. bounds: of
    the inputs.
    """

    n_inputs: int
    check: Callable[[LevelGraph], LevelGraph | None]
    limit_s: float
    bounds: Bounds

    @property
    def is_wide(self) -> bool:
        return self.bounds.ranges is not None


def smaller(roots: Sequence[Affine], task: Task) -> list[Plan]:
    """The plan of the interned expressions, then ever cheaper ones, found within the time."""
    return _Search(roots, task).plans()


class _Search:
    """Rounds of rewriting, from the best forms of the round before."""

    def __init__(self, roots: Sequence[Affine], task: Task) -> None:
        self.task = task
        self.best = _Form(roots, task.n_inputs)
        self.beam = [self.best]
        self.seen = {self.best.plan.dag}
        self.trials = _WIDE_TRIALS if task.is_wide else MAX_TRIALS
        self.end = time.thread_time() + task.limit_s

    def plans(self) -> list[Plan]:
        found = [self.best.plan]
        patience = _PATIENCE if self.task.is_wide else 1
        while patience and self.beam and not self._is_over():
            self.beam = self._next()
            patience -= 1
            if self.beam and self.beam[0].cost < self.best.cost:
                self.best = self.beam[0]
                found.append(self.best.plan)
                patience = _PATIENCE if self.task.is_wide else 1
        return found

    def _is_over(self) -> bool:
        return self.trials <= 0 or time.thread_time() > self.end

    def _next(self) -> list[_Form]:
        """The best forms that one rule leads to, and that are what was typed."""
        children = sorted(self._children(), key=lambda form: form.cost)
        if not self.task.is_wide:
            return children[:1]
        kept: list[_Form] = []
        for child in children[:_MOST_ASKED]:
            if len(kept) < _WIDTH and self.task.check(placed(child.plan.dag, child.plan.schedule)):
                kept.append(child)
        return kept

    def _children(self) -> Iterator[_Form]:
        most = (self.best.cost[0] + 2,) if self.task.is_wide else self.best.cost
        for form in self.beam:
            cores = list(postorder(form.roots))
            if len(cores) > MAX_CORES or self.best.cost[0] <= _fewest(cores, form.roots):
                continue
            for core, new in _candidates(cores, form.roots, self.task.bounds):
                self.trials -= 1
                child = _tried(form, core, new)
                if child is not None and child.cost < most and child.plan.dag not in self.seen:
                    self.seen.add(child.plan.dag)
                    yield child
                if self._is_over():
                    return


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
        # Simpler functions on as many edges may lead on to fewer edges.
        self.cost = (*self.plan.cost, sum(1 for _ in postorder(roots)))


def _tried(form: _Form, core: Core, new: Affine) -> _Form | None:
    """The form with another form of one core; None if constants overflow in it."""
    try:
        return _Form(Interner().roots(form.roots, {id(core): new}), form.n_inputs)
    except (CompileError, OverflowError, ZeroDivisionError):
        return None


def _candidates(
    cores: Sequence[Core], roots: Sequence[Affine], bounds: Bounds
) -> Iterator[tuple[Core, Affine]]:
    products = [core for core in cores if isinstance(core, Product)]
    # Where ranges are known, the numbers on them are compared: few digits near 0 will do.
    lifted = {id(core) for core in cores} if bounds.are_known else _lifted(cores, roots)
    for core in cores:
        for rule in RULES:
            for new in rule(core):
                yield core, new
        for sign_rule in SIGN_RULES:
            for new in sign_rule(core, bounds):
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
