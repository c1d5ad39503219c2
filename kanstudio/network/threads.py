"""Numbers that do not depend on how many threads there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from kanstudio.network.network import FloatArray


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch's linear algebra; a decorator as well.

    Matrix products and factorisations of MKL add up in another order with another number
    of threads: the last bits of a run would not be the same in another process.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


ALONE = 8_192
"""Vectors up to this length stay on one thread in every BLAS."""


def dot(left: FloatArray, right: FloatArray) -> float:
    """Scalar product of two vectors.

    For longer ones BLAS takes several threads, which add up in another order, and go on
    spinning for a while after their work.
    """
    if left.size <= ALONE:
        return float(left.dot(right))
    return float(np.einsum("i,i", left, right))
