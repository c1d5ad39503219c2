"""A step of a device as a recording that is played again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Step = Callable[[], None]
Recorder = Callable[[Step], Step]
"""From a step to one that does the same on the same memory, and costs less to start."""

_one = threading.Lock()

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
            for _ in range(WARM_UPS):
                step()
        # Other threads may use the device meanwhile, but not capture as well.
        with _one, torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            step()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        logger.warning("steps start one kernel at a time, since they cannot be captured: %s", error)
        return step
    finally:
        torch.cuda.current_stream().wait_stream(stream)
    return graph.replay


def waits(function: Callable[..., Tensor], *shapes: tuple[int, ...]) -> bool:
    """True if a function of tensors of these shapes, or its way back, brings values to the host.

    It is tried with tensors that have no values, on the device "meta".
    """
    arguments = [torch.empty(shape, device="meta", requires_grad=True) for shape in shapes]
    try:
        result = function(*arguments)
        if result.requires_grad:
            torch.autograd.grad(result.sum(), arguments, allow_unused=True)
    except Exception:
        # Whatever it stumbles over without values: it cannot be recorded.
        return True
    return False
