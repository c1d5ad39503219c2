"""Numbers that do not depend on how many threads torch has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
