"""Loss and gradient of a whole network in one call, compiled by Numba for the CPU.

One source, compiled for float64 and for float32: what the arrays are, the arithmetic is.

- plan, knots: a network as arrays of numbers that compiled code can read.
- rows, panels: arithmetic on rows of samples; products of matrices.
- elementary, single, either: exp, log, sin, cos in float64, in float32, in what is asked for.
- univariate, fronts: the functions of symbolic edges, with derivatives.
- splines, blocks: B-splines of a tile of samples, and sums over the edges of a layer.
- weights: from parameters to the factors of B-splines and back.
- sweep: forward and backward through all layers for a tile of samples.
- entry, adam, lbfgs: what Python calls: an evaluation, Adam's update, L-BFGS's direction.
- objective: the same interface as TorchObjective.
"""

from __future__ import annotations

from kanstudio.training.kernel.objective import KernelObjective, supports, warm_up

__all__ = ["KernelObjective", "supports", "warm_up"]
