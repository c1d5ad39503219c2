"""Loss and gradient of a whole network in one call, compiled by Numba for the CPU.

- plan: a network as arrays of numbers that compiled code can read.
- univariate: the functions of symbolic edges, with derivatives.
- splines: B-splines of a tile of samples.
- sweep: forward and backward through all layers for a tile of samples.
- weights, rows: from parameters to factors; sums over rows of samples.
- entry: the two functions that Python calls.
- objective: the same interface as TorchObjective.
"""

from __future__ import annotations

from kanstudio.training.kernel.objective import KernelObjective, supports, warm_up

__all__ = ["KernelObjective", "supports", "warm_up"]
