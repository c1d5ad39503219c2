"""What the arguments of an edit must be; each check raises EditError."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from kanstudio.errors import EditError

MAX_COEFFICIENTS = 20_000_000
"""Bound on edges * B-splines of one layer: 160 MB, before anything is allocated."""


def whole(name: str, value: object, low: int) -> int:
    """A whole number of any integer type, at least low."""
    number = integer(value)
    if number is None or number < low:
        raise EditError(f"{name} is a whole number of at least {low}, not {value!r}")
    return number


def integer(value: object) -> int | None:
    """The value as an int, whatever integer type it has; None if it has none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def magnitude(value: object) -> float:
    """A finite number of at least 0."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise EditError(f"the magnitude of a perturbation is at least 0, not {value!r}")
    return number


def arities(n_added: int, mult_arity: object) -> list[int]:
    """One arity, at least 2, for each of n_added mult nodes."""
    several = hasattr(mult_arity, "__iter__") and not isinstance(mult_arity, str)
    if not several:
        return [whole("the arity of a mult node", mult_arity, 2)] * n_added
    values = list(mult_arity)  # type: ignore[call-overload]
    if len(values) != n_added:
        raise EditError(
            f"{n_added} mult nodes need one arity or {n_added}, not {len(values)}: {values}"
        )
    return [whole("the arity of a mult node", value, 2) for value in values]


def layer_size(n_sources: int, n_subnodes: int, n_basis: int) -> None:
    """Refuse a layer that memory would not hold."""
    if n_sources * n_subnodes * n_basis > MAX_COEFFICIENTS:
        raise EditError(
            f"a layer from {n_sources:,} nodes to {n_subnodes:,} subnodes with {n_basis:,} "
            f"B-splines each is too large: at most {MAX_COEFFICIENTS:,} coefficients are allowed"
        )


def shape(
    width: object, mult_arity: object, n_basis: int
) -> tuple[list[tuple[int, int]], list[list[int]]]:
    """(sum nodes, mult nodes) and the arities of each level, as `empty_network` takes them.

    width: per level a number of sum nodes or a pair; mult_arity: one arity, or per level
    a list.
    """
    wrong = EditError(
        f"width {width!r} is not a network: it needs two levels at least, each a number of "
        "sum nodes or a pair [sum nodes, mult nodes], and no mult nodes in the first"
    )
    if not isinstance(width, Sequence) or isinstance(width, str) or len(width) < 2:
        raise wrong
    pairs = []
    for level in width:
        pair = list(level) if hasattr(level, "__iter__") else [level, 0]
        if len(pair) != 2:
            raise wrong
        pairs.append((whole("a width", pair[0], 0), whole("a width", pair[1], 0)))
    if pairs[0][1] or any(sum(pair) < 1 for pair in pairs):
        raise wrong
    given = mult_arity
    if not hasattr(given, "__iter__"):
        given = [[whole("the arity of a mult node", given, 2)] * n_mult for _, n_mult in pairs]
    rows = list(given)
    if len(rows) != len(pairs):
        raise EditError(f"mult_arity {mult_arity!r} needs a list for each of {len(pairs)} levels")
    checked = [arities(n_mult, row) for (_, n_mult), row in zip(pairs, rows, strict=True)]
    for (n_sum, n_mult), (above, _), row in zip(pairs, pairs[1:], checked[1:], strict=False):
        layer_size(n_sum + n_mult, above + sum(row), n_basis)
    return pairs, checked
