"""A measuring stick: the layer of efficient-kan, made anew from its description.

efficient-kan is not on PyPI by itself. Its description says what makes it fast: all activations
of a layer are sums of the same basis functions of its inputs, so the inputs are activated once
and then combined by a matrix product, with no tensor of (sample, output, input). One product is
for silu, one for the B-splines, whose weights have a scale of their own per edge. Its code is
not here; what it does beyond a step of Adam (another regulariser, curves from noise) is not
measured.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu


class EfficientLayer(nn.Module):
    """x (n, inputs) to (n, outputs); cubic by default, a grid over [-1, 1] for all inputs."""

    def __init__(self, n_inputs: int, n_outputs: int, grid: int = 5, degree: int = 3) -> None:
        super().__init__()
        self.degree = degree
        step = 2.0 / grid
        knots = torch.arange(-degree, grid + degree + 1) * step - 1.0
        self.register_buffer("knots", knots.repeat(n_inputs, 1))
        bound = n_inputs**-0.5
        shape = (n_outputs, n_inputs)
        self.base = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.spline = nn.Parameter(0.1 * torch.randn(*shape, grid + degree) / grid)
        self.scale = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

    def bases(self, x: Tensor) -> Tensor:
        """(n, inputs, grid + degree): every B-spline at every sample, by de Boor's recurrence."""
        knots, x = self.knots, x.unsqueeze(-1)
        values = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
        for order in range(1, self.degree + 1):
            rising = (x - knots[:, : -order - 1]) / (knots[:, order:-1] - knots[:, : -order - 1])
            falling = (knots[:, order + 1 :] - x) / (knots[:, order + 1 :] - knots[:, 1:-order])
            values = rising * values[..., :-1] + falling * values[..., 1:]
        return values

    def forward(self, x: Tensor) -> Tensor:
        weights = self.spline * self.scale.unsqueeze(-1)
        splines = linear(self.bases(x).flatten(1), weights.flatten(1))
        return linear(silu(x), self.base) + splines


class EfficientKAN(nn.Sequential):
    """Layers of the given width, one after the other."""

    def __init__(self, width: list[int], grid: int = 5, degree: int = 3) -> None:
        super().__init__(*(EfficientLayer(a, b, grid, degree) for a, b in pairwise(width)))
