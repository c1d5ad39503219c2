"""A network as a file and back, every bit of it.

The manifest has the network under a key of its own, and its arrays have names that start
with it: whoever saves more than a network puts it beside.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from kanstudio import functions
from kanstudio.errors import EditError, FileError, KanStudioError
from kanstudio.files.container import Manifest, pack, read_bytes, unpack, write_bytes
from kanstudio.network import checks
from kanstudio.network.network import ABSENT, FloatArray, Layer, Network, Node, frozen

KEY = "network"
MAX_LEVELS = 20_000
MAX_DEGREE = 20
MAX_NAME = 200
_KEYS = {"degree", "functions", "inputs", "levels", "next_id", "outputs"}

Source = str | os.PathLike[str] | bytes


def save_network(
    network: Network, path: str | os.PathLike[str], extra: Mapping[str, Any] | None = None
) -> None:
    """Write a network to a file; an old file stays whole until the new one is.

    extra: more entries for the manifest, anything that JSON can say. Raises FileError.
    """
    write_bytes(path, network_bytes(network, extra))


def network_bytes(network: Network, extra: Mapping[str, Any] | None = None) -> bytes:
    """What ``save_network`` writes. Raises FileError for what would not load again."""
    described, arrays = network_parts(network)
    _network(described, arrays)
    return pack({**(extra or {}), KEY: described}, arrays)


def network_parts(network: Network, key: str = KEY) -> tuple[Manifest, dict[str, FloatArray]]:
    """What to put under ``key`` in a manifest, and the arrays that belong to it."""
    arrays = {
        f"{key}.{index}.{name}": array
        for index, layer in enumerate(network.layers)
        for name, array in layer.arrays()
    }
    return _described(network), arrays


def network_from_parts(
    described: object, arrays: Mapping[str, FloatArray], key: str = KEY
) -> Network:
    """The reverse; arrays of other keys are left alone. Raises FileError."""
    start = f"{key}."
    own = {
        f"{KEY}.{name.removeprefix(start)}": array
        for name, array in arrays.items()
        if name.startswith(start)
    }
    return _network(described, own)


def load_network(source: Source) -> Network:
    """The network in a file, given by its path or its bytes.

    Raises FileError for a file that is damaged, of a newer version, or not of this kind,
    and for a function that is not known here.
    """
    return read_network(source)[0]


def read_network(source: Source) -> tuple[Network, Manifest]:
    """The network in a file, and the whole manifest; errors as in ``load_network``."""
    data = source if isinstance(source, bytes) else read_bytes(source)
    manifest, arrays = unpack(data)
    return network_from_parts(manifest.get(KEY), arrays), manifest


def _described(network: Network) -> Manifest:
    return {
        "degree": network.degree,
        "inputs": list(network.input_names),
        "outputs": list(network.output_names),
        "levels": [[[node.node_id, node.arity] for node in level] for level in network.levels],
        "next_id": network.next_id,
        "functions": [
            [
                [subnode, source, name]
                for subnode, row in enumerate(layer.functions)
                for source, name in enumerate(row)
                if name != ABSENT
            ]
            for layer in network.layers
        ],
    }


# Reading: nothing is believed.


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise FileError(f"the model is not valid: {what}")


def _whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _network(described: object, arrays: Mapping[str, FloatArray]) -> Network:
    _require(isinstance(described, dict), "there is no network in it")
    assert isinstance(described, dict)
    _require(set(described) == _KEYS, f"a network has {', '.join(sorted(_KEYS))}")
    _require(_whole(described["degree"], 0, MAX_DEGREE), "the degree of the splines")
    levels = _levels(described["levels"])
    largest = max(node.node_id for level in levels for node in level)
    _require(_whole(described["next_id"], largest + 1, 2**62), "the next id of a node")
    rows = described["functions"]
    _require(isinstance(rows, list) and len(rows) == len(levels) - 1, "a list per layer")
    left = dict(arrays)
    layers = tuple(
        _layer(index, levels, described["degree"], entries, left)
        for index, entries in enumerate(rows)
    )
    _require(not left, f"it has arrays of no layer: {', '.join(sorted(left)[:3])}")
    return Network(
        levels=levels,
        layers=layers,
        input_names=_names(described["inputs"], len(levels[0])),
        output_names=_names(described["outputs"], len(levels[-1])),
        degree=described["degree"],
        next_id=described["next_id"],
    )


def _names(value: object, count: int) -> tuple[str, ...]:
    _require(isinstance(value, list) and len(value) == count, f"{count} names")
    assert isinstance(value, list)
    for name in value:
        _require(
            isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable(),
            "the name of an input or output",
        )
    _require(len(set(value)) == count, "two inputs or outputs have the same name")
    return tuple(value)


def _levels(value: object) -> tuple[tuple[Node, ...], ...]:
    _require(isinstance(value, list) and 2 <= len(value) <= MAX_LEVELS, "its levels")
    assert isinstance(value, list)
    levels = tuple(_level(level) for level in value)
    _require(all(not node.is_mult for node in levels[0]), "inputs are no mult nodes")
    ids = [node.node_id for level in levels for node in level]
    _require(len(set(ids)) == len(ids), "two nodes have the same id")
    return levels


def _level(value: object) -> tuple[Node, ...]:
    _require(isinstance(value, list) and len(value) > 0, "a level without nodes")
    assert isinstance(value, list)
    for pair in value:
        _require(isinstance(pair, list) and len(pair) == 2, "a node")
        _require(_whole(pair[0], 0, 2**62) and _whole(pair[1], 1, 2**31), "a node")
    nodes = tuple(Node(node_id, arity) for node_id, arity in value)
    kinds = [node.is_mult for node in nodes]
    _require(kinds == sorted(kinds), "sum nodes come before mult nodes")
    return nodes


def _layer(
    index: int,
    levels: tuple[tuple[Node, ...], ...],
    degree: int,
    entries: object,
    left: dict[str, FloatArray],
) -> Layer:
    """One layer; its arrays are taken out of those that are left."""
    sources, targets = len(levels[index]), levels[index + 1]
    subnodes = sum(node.arity for node in targets)
    knots = left.get(f"{KEY}.{index}.knots")
    _require(knots is not None and knots.ndim == 2, f"the knots of layer {index}")
    assert knots is not None
    n_knots = knots.shape[1]
    _require(n_knots >= 2 * degree + 2, f"the knots of layer {index} are too few")
    n_basis = n_knots - degree - 1
    try:
        checks.layer_size(sources, subnodes, n_basis)
    except EditError as error:
        raise FileError(f"the model is not valid: {error}") from None
    edges = (subnodes, sources)
    shapes = {
        "knots": (sources, n_knots), "coef": (*edges, n_basis), "affine": (*edges, 4),
        **dict.fromkeys(("scale_base", "scale_sp", "spline_mask", "symbolic_mask"), edges),
        **dict.fromkeys(("subnode_scale", "subnode_bias"), (subnodes,)),
        **dict.fromkeys(("node_scale", "node_bias"), (len(targets),)),
    }  # fmt: skip
    arrays: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        key = f"{KEY}.{index}.{name}"
        array = left.pop(key, None)
        _require(array is not None and array.shape == shape, f"the shape of {key}")
        assert array is not None
        _require(bool(np.isfinite(array).all()), f"{key} has values that are not finite")
        arrays[name] = frozen(array)
    _require(bool((np.diff(arrays["knots"], axis=1) >= 0).all()), "knots that decrease")
    return Layer(functions=_functions(entries, subnodes, sources), **arrays)


def _functions(entries: object, subnodes: int, sources: int) -> tuple[tuple[str, ...], ...]:
    _require(isinstance(entries, list), "the functions of a layer")
    assert isinstance(entries, list)
    rows = [[ABSENT] * sources for _ in range(subnodes)]
    for entry in entries:
        _require(isinstance(entry, list) and len(entry) == 3, "the function of an edge")
        subnode, source, name = entry
        inside = _whole(subnode, 0, subnodes - 1) and _whole(source, 0, sources - 1)
        _require(inside and isinstance(name, str) and name != ABSENT, "the function of an edge")
        _require(rows[subnode][source] == ABSENT, "an edge has two functions")
        rows[subnode][source] = _known(name)
    return tuple(tuple(row) for row in rows)


def _known(name: str) -> str:
    try:
        functions.get(name)
    except KanStudioError as error:
        raise FileError(
            f"the model uses the function {name[:80]!r}, which is not known here ({error}): "
            "add it to the function table, then load the model"
        ) from None
    return name
