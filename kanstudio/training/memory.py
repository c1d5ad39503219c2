"""Running out of memory as an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kanstudio.errors import TrainingError

# torch has no class for the memory of the CPU, only these words.
_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


class OutOfMemory(TrainingError):
    """A device had not the memory that a step needs."""


@contextmanager
def out_of_memory(where: str) -> Iterator[None]:
    """Turn every library's way to say so into OutOfMemory."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _error(where) from error
    except RuntimeError as error:
        if any(word in str(error) for word in _WORDS):
            raise _error(where) from error
        raise


def _error(where: str) -> OutOfMemory:
    return OutOfMemory(
        f"out of memory {where}. Take a smaller batch, fewer samples or another optimizer."
    )
