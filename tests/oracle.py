"""pykan as the oracle: its networks as ours, to compare numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kanstudio.network.network import Layer, Network, Node, frozen


def from_pykan(model: Any) -> Network:
    """A pykan MultKAN as a Network with the same values."""
    levels, next_id = [], 0
    for (n_sum, n_mult), arity in zip(model.width, _arities(model), strict=True):
        kinds = [1] * n_sum + list(arity)
        assert len(kinds) == n_sum + n_mult
        levels.append(tuple(Node(next_id + i, k) for i, k in enumerate(kinds)))
        next_id += len(kinds)
    return Network(
        levels=tuple(levels),
        layers=tuple(_layer(model, index) for index in range(model.depth)),
        input_names=tuple(f"x{i}" for i in range(len(levels[0]))),
        output_names=tuple(f"y{i}" for i in range(len(levels[-1]))),
        degree=model.k,
        next_id=next_id,
    )


def _arities(model: Any) -> list[list[int]]:
    if isinstance(model.mult_arity, int):
        return [[model.mult_arity] * n_mult for _, n_mult in model.width]
    return [list(map(int, row)) for row in model.mult_arity]


def _numpy(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def _layer(model: Any, index: int) -> Layer:
    spline, symbolic = model.act_fun[index], model.symbolic_fun[index]
    shape = (symbolic.out_dim, symbolic.in_dim)
    return Layer(
        knots=frozen(_numpy(spline.grid)),
        coef=frozen(_numpy(spline.coef).transpose(1, 0, 2)),
        scale_base=frozen(_numpy(spline.scale_base).T),
        scale_sp=frozen(_numpy(spline.scale_sp).T),
        spline_mask=frozen(_numpy(spline.mask).T),
        symbolic_mask=frozen(_numpy(symbolic.mask)),
        functions=tuple(tuple(map(str, row)) for row in symbolic.funs_name),
        affine=frozen(_numpy(symbolic.affine).reshape(*shape, 4)),
        subnode_scale=frozen(_numpy(model.subnode_scale[index])),
        subnode_bias=frozen(_numpy(model.subnode_bias[index])),
        node_scale=frozen(_numpy(model.node_scale[index])),
        node_bias=frozen(_numpy(model.node_bias[index])),
    )
