"""What can be known of B-splines before any sample: numbers that depend on knots alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from kanstudio.network.network import FloatArray
from kanstudio.training.packing import IntArray

LEAST = 1e-25
"""Knots of float32 below it count as 0: then no two are so near that 1 / width is infinite."""


def rounded(knots: FloatArray, dtype: Any) -> FloatArray:
    """The knots that arithmetic in dtype sees, as float64: some may coincide there."""
    if dtype == np.float64:
        return knots
    return np.where(np.abs(knots) < LEAST, 0.0, knots.astype(dtype).astype(np.float64))


def cubic_factors(knots: FloatArray) -> FloatArray:
    """(S, 3, K) for knots (S, K), all distinct: of the B-spline that begins at knot b

    - degree 1 rises by 1 / ((t[b+1] - t[b]) (t[b+2] - t[b])) and falls by
      -1 / ((t[b+2] - t[b+1]) (t[b+2] - t[b])): divided by its width already;
    - degree 2 is divided by its width t[b+3] - t[b].
    """
    one, two, three = (knots[:, o:] - knots[:, :-o] for o in (1, 2, 3))
    factors = np.zeros((len(knots), 3, knots.shape[1]))
    factors[:, 0, :-2] = 1 / (one[:, :-1] * two)
    factors[:, 1, :-2] = -1 / (one[:, 1:] * two)
    factors[:, 2, :-3] = 1 / three
    return factors


def inverse_widths(knots: FloatArray) -> FloatArray:
    """(S, K): 1 / (t[b+1] - t[b]); 0 where knots coincide, and at the end."""
    widths = np.diff(knots, axis=1, append=knots[:, -1:])
    return np.divide(1.0, widths, out=np.zeros_like(widths), where=widths > 0)


def starts(knots: FloatArray) -> IntArray:
    """(S, 4 K): for equal parts of each span the interval in which the part begins."""
    n_sources, n_knots = knots.shape
    result = np.zeros((n_sources, 4 * n_knots), dtype=np.int64)
    for source, row in enumerate(knots):
        parts = np.linspace(row[0], row[-1], 4 * n_knots, endpoint=False)
        found = np.searchsorted(row, parts, side="right") - 1
        result[source] = np.clip(found, 0, n_knots - 2)
    return result


def spline_pieces(knots: FloatArray, degree: int) -> FloatArray:
    """(S, K - 1, degree + 1, size): in every interval the B-splines as polynomials.

    size: degree + 1 B-splines that are not 0 there, and zeros up to a multiple of four.
    The polynomials are in the share of the interval that lies below x, highest power
    first. Of the knots that are missing beyond both ends no existing B-spline depends.
    """
    n_sources, n_knots = knots.shape
    far = np.arange(1, degree + 2)
    t = np.concatenate([knots[:, :1] - far[::-1], knots, knots[:, -1:] + far], axis=1)
    interval = np.arange(degree + 1, degree + n_knots)
    here, width = t[:, interval], t[:, interval + 1] - t[:, interval]
    # (S, K - 1, B-spline, power from 0 up)
    values = np.zeros((n_sources, n_knots - 1, degree + 2, degree + 1))
    values[:, :, 0, 0] = 1.0
    for order in range(1, degree + 1):
        raised = np.zeros_like(values)
        for r in range(order + 1):
            start, end = t[:, interval - order + r], t[:, interval + 1 + r]
            if r > 0:
                share = _over(values[:, :, r - 1], t[:, interval + r] - start)
                raised[:, :, r] += _times(share, here - start, width)
            if r < order:
                share = _over(values[:, :, r], end - t[:, interval - order + r + 1])
                raised[:, :, r] += _times(share, end - here, -width)
        values = raised
    size = -(-(degree + 1) // 4) * 4
    pieces = np.zeros((n_sources, n_knots - 1, degree + 1, size))
    pieces[..., : degree + 1] = values[:, :, : degree + 1, ::-1].swapaxes(2, 3)
    return pieces


def _over(polynomials: FloatArray, width: FloatArray) -> FloatArray:
    """0 / 0 counts as 0 where knots coincide."""
    inverse = np.divide(1.0, width, out=np.zeros_like(width), where=width > 0)
    result: FloatArray = polynomials * inverse[..., None]
    return result


def _times(polynomials: FloatArray, constant: FloatArray, factor: FloatArray) -> FloatArray:
    """The polynomials times ``constant + factor * share``."""
    result = polynomials * constant[..., None]
    result[..., 1:] += polynomials[..., :-1] * factor[..., None]
    return result
