"""A step of a device as a recording that is played again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

logger = logging.getLogger(__name__)

Step = Callable[[], None]
Recorder = Callable[[Step], Step]
"""From a step to one that does the same on the same memory, and costs less to start."""

WARM_UPS = 3
"""Before a capture, so that libraries allocate what they need first."""


def recorder(device: torch.device) -> Recorder:
    """CUDA graphs on cuda; elsewhere a step runs as it is."""
    if device.type != "cuda":
        return lambda step: step

    def record(step: Step) -> Step:
        with torch.cuda.device(device):
            return _captured(step)

    return record


def _captured(step: Step) -> Step:
    """The step as a CUDA graph; the step itself, with a warning, where it cannot be captured.

    The step runs a few times meanwhile: the caller puts back what it changes.
    https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS - 1):
                step()
            with _without_waiting():
                step()
        # Other threads of this process may use the device meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            step()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        logger.warning("steps start one kernel at a time, since they cannot be captured: %s", error)
        return step
    finally:
        torch.cuda.current_stream().wait_stream(stream)
    return graph.replay


@contextmanager
def _without_waiting() -> Iterator[None]:
    """Whoever waits for the device gets a RuntimeError, here and not in the midst of a capture."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
