"""Checkpoints as bytes: one safetensors block whose header carries a strict JSON manifest.

Nothing in it is ever run, as a pickle would be. A SHA-256 over manifest and numbers finds
every damage, and everything is checked against what a checkpoint can be.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from kanstudio import functions
from kanstudio.errors import FileError, KanStudioError
from kanstudio.network.network import FloatArray, Layer, Network, Node, frozen
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.choice import make_optimizer
from kanstudio.training.packing import packing
from kanstudio.training.schedule import Best, Plateau
from kanstudio.training.settings import TrainingSettings

SCHEMA = 1
KIND = "kanstudio training checkpoint"
_LAYER_ARRAYS = tuple(item.name for item in dataclasses.fields(Layer) if item.name != "functions")
Arrays = dict[str, FloatArray]


def checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as the content of a file."""
    arrays: Arrays = {
        "params": checkpoint.params,
        "safe": checkpoint.safe,
        # As binary numbers, since JSON has no infinity.
        "plateau": np.array([checkpoint.plateau.loss, checkpoint.slowdown]),
        **{f"memory.{name}": array for name, array in checkpoint.memory.items()},
    }
    manifest: dict[str, Any] = {
        "kind": KIND,
        "schema": SCHEMA,
        "settings": dataclasses.asdict(checkpoint.settings),
        "n_steps": checkpoint.n_steps,
        "plateau": [checkpoint.plateau.waited, checkpoint.plateau.cuts],
        "network": _take_network("network", checkpoint.network, arrays),
        "best": None,
    }
    best = checkpoint.best
    if best is not None:
        arrays |= {"best.params": best.params, "best.loss": np.array(best.loss)}
        own = best.network is not checkpoint.network
        manifest["best"] = {
            "step": best.step,
            "waited": best.waited,
            "network": _take_network("best", best.network, arrays) if own else None,
        }
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(manifest, allow_nan=False, sort_keys=True)
    # One entry only: safetensors writes several in any order.
    header = json.dumps({"manifest": text, "sha256": _digest(text, arrays)})
    content: bytes = safetensors.numpy.save(arrays, {"kanstudio": header})
    return content


def checkpoint_from_bytes(content: bytes) -> Checkpoint:
    """The reverse; raises FileError for everything that is not a whole checkpoint."""
    try:
        arrays = {name: frozen(a) for name, a in safetensors.numpy.load(content).items()}
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["kanstudio"])
        text, digest = header["manifest"], header["sha256"]
        if _digest(text, arrays) != digest:
            raise FileError("this checkpoint is damaged: its checksum does not fit")
        return _checked(json.loads(text), arrays)
    except FileError:
        raise
    except (
        safetensors.SafetensorError, KanStudioError, ArithmeticError, AttributeError, LookupError,
        RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise FileError(f"this is not a training checkpoint that can be read: {error}") from error


def save_checkpoint(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write a file; it is there as a whole or, if anything fails, as it was before."""
    path = Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(checkpoint_bytes(checkpoint))
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from error


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file that save_checkpoint wrote. Raises FileError."""
    try:
        return checkpoint_from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error


def _digest(text: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def _take_network(prefix: str, network: Network, arrays: Arrays) -> dict[str, Any]:
    """The manifest of a network; its arrays are added to the others."""
    for index, layer in enumerate(network.layers):
        arrays |= {f"{prefix}.{index}.{name}": array for name, array in layer.arrays()}
    return {
        "levels": [[[node.node_id, node.arity] for node in level] for level in network.levels],
        "functions": [layer.functions for layer in network.layers],
        "inputs": network.input_names,
        "outputs": network.output_names,
        "degree": network.degree,
        "next_id": network.next_id,
    }


def _network(prefix: str, manifest: dict[str, Any], arrays: Arrays) -> Network:
    levels = tuple(
        tuple(Node(_whole(node_id), _whole(arity, 1)) for node_id, arity in level)
        for level in manifest["levels"]
    )
    layers = []
    for index, rows in enumerate(manifest["functions"]):
        names = tuple(tuple(functions.get(name).name for name in row) for row in rows)
        values = {name: arrays[f"{prefix}.{index}.{name}"] for name in _LAYER_ARRAYS}
        layers.append(Layer(functions=names, **values))
    network = Network(
        levels=levels,
        layers=tuple(layers),
        input_names=tuple(map(str, manifest["inputs"])),
        output_names=tuple(map(str, manifest["outputs"])),
        degree=_whole(manifest["degree"]),
        next_id=_whole(manifest["next_id"]),
    )
    _check_shapes(network)
    return network


def _check_shapes(network: Network) -> None:
    levels, layers = network.levels, network.layers
    if len(levels) != len(layers) + 1 or not layers or not all(levels):
        raise FileError("the levels and layers of this checkpoint's network do not fit together")
    if (len(network.input_names), len(network.output_names)) != (len(levels[0]), len(levels[-1])):
        raise FileError("the names in this checkpoint do not fit its network")
    n_knots = layers[0].knots.shape[-1]
    for layer, below, above in zip(layers, levels, levels[1:], strict=False):
        n_sources, n_subnodes = len(below), sum(node.arity for node in above)
        edges = (n_subnodes, n_sources)
        expected = {
            "knots": (n_sources, n_knots),
            "coef": (*edges, n_knots - network.degree - 1),
            "affine": (*edges, 4),
            "subnode_scale": edges[:1],
            "subnode_bias": edges[:1],
            "node_scale": (len(above),),
            "node_bias": (len(above),),
        }
        for name, array in layer.arrays():
            if array.shape != expected.get(name, edges):
                raise FileError(f"{name} in this checkpoint has the shape {array.shape}")
        if [len(row) for row in layer.functions] != [n_sources] * n_subnodes:
            raise FileError("the functions in this checkpoint do not fit its network")


def _checked(manifest: dict[str, Any], arrays: Arrays) -> Checkpoint:
    if manifest["kind"] != KIND or manifest["schema"] != SCHEMA:
        raise FileError(
            f"this file is {manifest['kind']!r}, schema {manifest['schema']!r}; "
            f"a {KIND} of schema {SCHEMA} is wanted"
        )
    settings = TrainingSettings(**manifest["settings"])
    network = _network("network", manifest["network"], arrays)
    best, found = None, manifest["best"]
    if found is not None:
        shown = found["network"]
        best = Best(
            network if shown is None else _network("best", shown, arrays),
            arrays["best.params"],
            float(arrays["best.loss"]),
            _whole(found["step"]),
            _whole(found["waited"]),
        )
    loss, slowdown = map(float, arrays["plateau"])
    waited, cuts = map(_whole, manifest["plateau"])
    memory = {
        name.removeprefix("memory."): array
        for name, array in arrays.items()
        if name.startswith("memory.")
    }
    _check_params(settings, network, arrays["params"], arrays["safe"])
    if best is not None:
        _check_params(settings, best.network, best.params)
    _check_memory(settings, memory, len(arrays["params"]))
    return Checkpoint(
        settings=settings,
        n_steps=_whole(manifest["n_steps"]),
        network=network,
        params=arrays["params"],
        safe=arrays["safe"],
        memory=memory,
        slowdown=slowdown,
        plateau=Plateau(loss, waited, cuts),
        best=best,
    )


def _check_params(settings: TrainingSettings, network: Network, *vectors: FloatArray) -> None:
    size = packing(network, affine_trainable=settings.affine_trainable).size
    for vector in vectors:
        if vector.shape != (size,) or not np.isfinite(vector).all():
            raise FileError(f"this checkpoint needs {size} finite parameters")


def _check_memory(settings: TrainingSettings, memory: Arrays, size: int) -> None:
    fresh = make_optimizer(settings).start(size)
    fits = fresh.keys() == memory.keys() and all(
        memory[name].ndim == array.ndim and memory[name].shape[1:] == array.shape[1:]
        and (array.shape[:1] in ((0,), memory[name].shape[:1]))
        for name, array in fresh.items()
    )  # fmt: skip
    if not fits:
        raise FileError(f"the memory in this checkpoint is not that of {settings.optimizer}")


def _whole(value: object, low: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < math.inf:
        raise FileError(f"a whole number of at least {low} is wanted, not {value!r}")
    return value
