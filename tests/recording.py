"""What a device would be asked to do, seen on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {
    "_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "equal", "is_nonzero",
    "unique_dim", "_unique2", "repeat_interleave", "_pin_memory",
}  # fmt: skip
"""Operators that bring a value to the host, or one of its values to the device."""


class Recording(TorchDispatchMode):
    """Every operator that runs, on the memory where it ran: what a CUDA graph keeps.

    replay runs the same operators on the same memory again, with whatever it holds by then.
    Numbers and branches of Python stay as they were, as in a CUDA graph.
    """

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self._calls.append((func, args, kwargs or {}, result))
        return result

    @property
    def names(self) -> set[str]:
        """Of the operators; "index_put+" for one that adds, which sorts and waits on CUDA."""
        return {_name(func, args, kwargs) for func, args, kwargs, _ in self._calls}

    def replay(self) -> None:
        # A device knows nothing of the gradients' bookkeeping.
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, result in self._calls:
                again = func(*args, **kwargs)
                for old, new in zip(_tensors(result), _tensors(again), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def _name(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    name = str(func.overloadpacket.__name__)
    accumulates = kwargs.get("accumulate", args[3] if len(args) > 3 else False)
    return f"{name}+" if "index_put" in name and accumulates else name


def _tensors(result: Any) -> list[torch.Tensor]:
    found = result if isinstance(result, tuple | list) else [result]
    return [value for value in found if isinstance(value, torch.Tensor)]


def recorded(step: Callable[[], None]) -> Callable[[], None]:
    """A step as a recording of it: takes the place of a CUDA graph in the tests."""
    # As before a capture: what is worked out once and kept is there by then.
    step()
    recording = Recording()
    with recording:
        step()
    assert_never_waits(recording)
    return recording.replay


def assert_never_waits(recording: Recording) -> None:
    waiting = {name for name in recording.names if name in WAITING or name.endswith("+")}
    assert not waiting, f"a device would have to wait for {sorted(waiting)}"
