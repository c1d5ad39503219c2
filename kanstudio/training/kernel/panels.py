"""Products of matrices in registers: what a step of a wide network spends its time in.

Numba leaves to LLVM which numbers stay in registers, and for a product of matrices LLVM
stores the sums in every round. So the innermost loops are written here as LLVM's own vectors,
as wide as those of this CPU: they reach nine tenths of what it can multiply and add.
Numbers stand in flat arrays; rows are ``step`` numbers apart, positions count numbers.
"""

from __future__ import annotations

import platform
from itertools import product
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INT, INT32 = ir.IntType(64), ir.IntType(32)


def _registers() -> tuple[int, int]:
    """(bytes of a vector register, how many there are)."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 32
    if platform.machine().lower() in ("aarch64", "arm64"):
        return 16, 32
    return (32 if features.get("avx") else 16), 16


_BYTES, _COUNT = _registers()
_ABREAST = 4 if _COUNT >= 32 else 2
PANEL = _ABREAST * _BYTES
"""Bytes of a row that weigh_panel takes at once."""


class _Numbers:
    """An array in the code that is made: vectors and numbers from it and into it."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self._builder = builder
        self._data = context.make_array(kind)(context, builder, value).data
        self._align = kind.dtype.bitwidth // 8
        self.lanes = _BYTES // self._align
        self.vector = ir.VectorType(context.get_value_type(kind.dtype), self.lanes)

    def _place(self, position: Any, lanes: int) -> Any:
        pointer = self._builder.gep(self._data, [position])
        kind = ir.VectorType(self.vector.element, lanes)
        return self._builder.bitcast(pointer, kind.as_pointer())

    def load(self, position: Any, lanes: int = 0) -> Any:
        return self._builder.load(self._place(position, lanes or self.lanes), align=self._align)

    def store(self, values: Any, position: Any) -> None:
        self._builder.store(values, self._place(position, values.type.count), align=self._align)

    def spread(self, position: Any) -> Any:
        """One number in all lanes."""
        number = self._builder.load(self._builder.gep(self._data, [position]))
        nothing = ir.Constant(self.vector, ir.Undefined)
        first = self._builder.insert_element(nothing, number, INT32(0))
        return self._builder.shuffle_vector(first, nothing, _lanes([0] * self.lanes))


def _lanes(numbers: list[int]) -> Any:
    return ir.Constant(ir.VectorType(INT32, len(numbers)), numbers)


def _add_product(builder: Any, left: Any, right: Any, total: Any) -> None:
    """Add left * right to the vector that total points to."""
    one = builder.fmul(left, right, flags=("contract",))
    builder.store(builder.fadd(one, builder.load(total), flags=("contract",)), total)


def _rows(builder: Any, start: Any, step: Any, count: int) -> list[Any]:
    """Where ``count`` rows begin."""
    return [builder.add(start, builder.mul(step, INT(i))) for i in range(count)]


@intrinsic
def weigh_panel(_, source, x, step, weights, w, stride, work, out, count):  # type: ignore[no-untyped-def]
    """Add to PANEL bytes of 4 rows of work from ``out`` what count rows of source from x give.

    weights: from w, a line of ``count`` for each of the 4, ``stride`` from line to line.
    """

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        x, step, w, stride, out, count = (arguments[i] for i in (1, 2, 4, 5, 7, 8))
        source, weights, work = (
            _Numbers(context, builder, signature.args[i], arguments[i]) for i in (0, 3, 6)
        )
        shifts = [INT(v * source.lanes) for v in range(_ABREAST)]
        places = [
            [builder.add(row, shift) for shift in shifts] for row in _rows(builder, out, step, 4)
        ]
        totals = [
            [cgutils.alloca_once_value(builder, work.load(place)) for place in row]
            for row in places
        ]
        lines = _rows(builder, w, stride, 4)
        with cgutils.for_range(builder, count, intp=INT) as loop:
            row = builder.add(x, builder.mul(loop.index, step))
            values = [source.load(builder.add(row, shift)) for shift in shifts]
            for line, sums in zip(lines, totals, strict=True):
                factor = weights.spread(builder.add(line, loop.index))
                for value, total in zip(values, sums, strict=True):
                    _add_product(builder, factor, value, total)
        for row, sums in zip(places, totals, strict=True):
            for place, total in zip(row, sums, strict=True):
                work.store(builder.load(total), place)
        return context.get_dummy_value()

    return types.void(source, x, step, weights, w, stride, work, out, count), codegen


@intrinsic
def product_panel(_, source, x, step, work, given, sums, s, stride):  # type: ignore[no-untyped-def]
    """Add to a 4 x 4 part of sums the products of 4 rows of work with 4 of source.

    sums: from s, ``stride`` from a row of work to the next.
    """

    def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        x, step, given, s, stride = (arguments[i] for i in (1, 2, 4, 6, 7))
        source, work, sums = (
            _Numbers(context, builder, signature.args[i], arguments[i]) for i in (0, 3, 5)
        )
        # All 16 sums, or half of them twice, have to stay in registers.
        wide = 2 if _ABREAST < 4 or source.lanes < 4 else 4
        left, places = _rows(builder, given, step, 4), _rows(builder, s, stride, 4)
        for first in range(0, 4, wide):
            right = _rows(builder, x, step, 4)[first : first + wide]
            found = _scalar_products(builder, work, left, source, right, step)
            for j, place in enumerate(places):
                at, vector = builder.add(place, INT(first)), found[j * wide // source.lanes]
                lane = j * wide % source.lanes
                part = builder.shuffle_vector(vector, vector, _lanes([*range(lane, lane + wide)]))
                sums.store(builder.fadd(sums.load(at, wide), part), at)
        return context.get_dummy_value()

    return types.void(source, x, step, work, given, sums, s, stride), codegen


def _scalar_products(
    builder: Any, work: _Numbers, left: list[Any], source: _Numbers, right: list[Any], step: Any
) -> list[Any]:
    """Of every row of work with every row of source, all ``step`` long, in vectors."""
    lanes = source.lanes
    nothing = ir.Constant(source.vector, [0.0] * lanes)
    totals = [cgutils.alloca_once_value(builder, nothing) for _ in product(left, right)]
    with cgutils.for_range(builder, builder.udiv(step, INT(lanes)), intp=INT) as loop:
        t = builder.mul(loop.index, INT(lanes))
        values = [source.load(builder.add(row, t)) for row in right]
        factors = [work.load(builder.add(row, t)) for row in left]
        for (factor, value), total in zip(product(factors, values), totals, strict=True):
            _add_product(builder, factor, value, total)
    found = [builder.load(total) for total in totals]
    even, odd = _lanes([*range(0, 2 * lanes, 2)]), _lanes([*range(1, 2 * lanes, 2)])
    for _ in range(lanes.bit_length() - 1):
        # Neighbours are added, and two vectors become one, until each number is a sum.
        found = [
            builder.fadd(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))
            for a, b in zip(found[::2], found[1::2], strict=True)
        ]
    return found
