"""A layer's part of the flat vector as its tensors, on any device and for many networks at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kanstudio.network.forward import LayerTensors
from kanstudio.training.packing import AFFINE_FIELDS, IntArray, LayerPacking


class Placement:
    """Writes the parameters of one layer into its tensors.

    base: the layer's tensors; what is not trained is taken from them. Where everything
    stands is worked out once: placing itself copies nothing to a device.
    """

    def __init__(self, base: LayerTensors, plan: LayerPacking) -> None:
        self.base = base
        self._n_basis = plan.n_basis
        self._n_splines, self._n_symbolic = len(plan.spline_edges), len(plan.symbolic_edges)
        self._splines = self._index(plan.spline_edges)
        self._symbolic = self._index(plan.symbolic_edges)
        maps = [getattr(base, name).shape[-1] for name in AFFINE_FIELDS] if plan.affine_maps else []
        self._sizes = [self._n_splines * (plan.n_basis + 2), 4 * self._n_symbolic, *maps]

    def _index(self, edges: IntArray) -> tuple[Tensor, Tensor] | None:
        """(subnodes, sources) of these edges; None if they are all edges, in order."""
        subnodes, sources = self.base.spline_mask.shape[-2:]
        if len(edges) == subnodes * sources:
            return None
        device = self.base.spline_mask.device
        rows, columns = torch.tensor(np.ascontiguousarray(edges.T), device=device)
        return rows, columns

    def place(self, part: Tensor) -> LayerTensors:
        """The layer with these parameters (..., P of the layer)."""
        splines, symbolic, *maps = part.split_with_sizes(self._sizes, dim=-1)
        changes = dict(zip(AFFINE_FIELDS, maps, strict=False))
        if self._n_splines:
            block = self._splines_of(splines)
            coef, base, sp = block.split_with_sizes([self._n_basis, 1, 1], dim=-1)
            changes["coef"] = _written(self.base.coef, self._splines, coef, 1)
            for name, values in (("scale_base", base), ("scale_sp", sp)):
                old = getattr(self.base, name)
                changes[name] = _written(old, self._splines, values.squeeze(-1), 0)
        if self._n_symbolic:
            values = symbolic.reshape(*symbolic.shape[:-1], self._n_symbolic, 4)
            changes["affine"] = _written(self.base.affine, self._symbolic, values, 1)
        return self.base._replace(**changes)

    def coefficients(self, part: Tensor) -> Tensor:
        """(..., E, B): the coefficients of the active splines."""
        return self._splines_of(part[..., : self._sizes[0]])[..., :-2]

    def _splines_of(self, values: Tensor) -> Tensor:
        """(..., E, B + 2): coefficients, scale_base, scale_sp of the active splines."""
        return values.reshape(*values.shape[:-1], self._n_splines, self._n_basis + 2)


def _written(base: Tensor, at: tuple[Tensor, Tensor] | None, values: Tensor, inner: int) -> Tensor:
    """base (..., J, S, ...) with the values of these edges (..., E, ...), or of all in order.

    inner: how many axes follow those of the edges, 0 or 1.
    """
    shape = base.shape[base.ndim - 2 - inner :]
    lead = values.shape[: values.ndim - 1 - inner]
    if at is None:
        return values.reshape(*lead, *shape)
    rows, columns = at
    outer = base.shape[: base.ndim - 2 - inner]
    lead = torch.broadcast_shapes(lead, outer)  # type: ignore[no-untyped-call]
    result = base.expand(*lead, *shape).clone()
    if inner:
        result[..., rows, columns, :] = values
    else:
        result[..., rows, columns] = values
    return result
