"""Running out of memory as an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kanstudio.errors import TrainingError

POSSIBLE = (MemoryError, RuntimeError)
"""What libraries raise where memory is short, among other things."""

_SURE = (MemoryError, torch.OutOfMemoryError)
# torch has no class for the memory of the CPU, only these words.
_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


class OutOfMemory(TrainingError):
    """A device had not the memory that a step needs."""


@contextmanager
def out_of_memory(where: str) -> Iterator[None]:
    """Turn every library's way to say so into OutOfMemory."""
    try:
        yield
    except POSSIBLE as error:
        text = lack_of_memory(error, where)
        if text is None:
            raise
        raise OutOfMemory(text) from error


def lack_of_memory(error: Exception, where: str) -> str | None:
    """What to say if that is what the error is; for a try that is passed in every step."""
    if not isinstance(error, _SURE) and not any(word in str(error) for word in _WORDS):
        return None
    return f"out of memory {where}. Take a smaller batch, fewer samples or another optimizer."
