"""Checkpoints as files: the container of every KAN Studio file, with more than a network."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from kanstudio.errors import FileError, KanStudioError
from kanstudio.files.container import Manifest, pack, read_bytes, unpack, write_bytes
from kanstudio.files.model import network_from_parts, network_parts
from kanstudio.network.network import FloatArray, Network
from kanstudio.training.checkpoint import Checkpoint
from kanstudio.training.choice import make_optimizer
from kanstudio.training.packing import packing
from kanstudio.training.schedule import Best, Plateau
from kanstudio.training.settings import TrainingSettings

KIND = "training checkpoint"
_MEMORY = "memory."
Arrays = dict[str, FloatArray]


def checkpoint_bytes(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as the content of a file."""
    described, arrays = network_parts(checkpoint.network)
    arrays |= {
        "params": checkpoint.params,
        "safe": checkpoint.safe,
        # As binary numbers: JSON has no infinity.
        "plateau": np.array([checkpoint.plateau.loss, checkpoint.slowdown]),
        **{f"{_MEMORY}{name}": array for name, array in checkpoint.memory.items()},
    }
    manifest: Manifest = {
        "kind": KIND,
        "settings": dataclasses.asdict(checkpoint.settings),
        "n_steps": checkpoint.n_steps,
        "stream": [checkpoint.n_read, checkpoint.n_used],
        "plateau": [checkpoint.plateau.waited, checkpoint.plateau.cuts],
        "network": described,
        "best": None,
    }
    if checkpoint.best is not None:
        manifest["best"] = _take_best(checkpoint.best, checkpoint.network, arrays)
    return pack(manifest, arrays)


def checkpoint_from_bytes(content: bytes) -> Checkpoint:
    """The reverse; raises FileError for everything that is not a whole checkpoint."""
    manifest, arrays = unpack(content)
    if manifest.get("kind") != KIND:
        raise FileError("this file is no training checkpoint")
    try:
        # Not read-only: compiled code would be compiled again for such arrays, and differ.
        return _checked(manifest, {name: array.copy() for name, array in arrays.items()})
    except FileError:
        raise
    except (KanStudioError, LookupError, TypeError, ValueError) as error:
        raise FileError(f"this training checkpoint is not valid: {error}") from error


def save_checkpoint(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> None:
    """Write a file; an old one stays whole until the new one is. Raises FileError."""
    write_bytes(path, checkpoint_bytes(checkpoint))


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a file that save_checkpoint wrote. Raises FileError."""
    return checkpoint_from_bytes(read_bytes(path))


def _take_best(best: Best, network: Network, arrays: Arrays) -> dict[str, Any]:
    """The manifest of the best step; its arrays are added to the others."""
    described = None
    if best.network is not network:
        described, own = network_parts(best.network, "best")
        arrays |= own
    arrays |= {"best_params": best.params, "best_loss": np.array([best.loss])}
    return {"step": best.step, "waited": best.waited, "network": described}


def _checked(manifest: Manifest, arrays: Arrays) -> Checkpoint:
    settings = TrainingSettings(**manifest["settings"])
    network = network_from_parts(manifest["network"], arrays)
    loss, slowdown = map(float, arrays["plateau"])
    waited, cuts = map(_whole, manifest["plateau"])
    n_read, n_used = map(_whole, manifest["stream"])
    _check_params(settings, network, arrays["params"], arrays["safe"])
    return Checkpoint(
        settings=settings,
        n_steps=_whole(manifest["n_steps"]),
        network=network,
        params=arrays["params"],
        safe=arrays["safe"],
        memory=_memory(settings, arrays),
        slowdown=slowdown,
        plateau=Plateau(loss, waited, cuts),
        best=_best(manifest["best"], settings, network, arrays),
        n_read=n_read,
        n_used=n_used,
    )


def _best(found: Any, settings: TrainingSettings, network: Network, arrays: Arrays) -> Best | None:
    if found is None:
        return None
    if found["network"] is not None:
        network = network_from_parts(found["network"], arrays, "best")
    params = arrays["best_params"]
    _check_params(settings, network, params)
    (loss,) = map(float, arrays["best_loss"])
    return Best(network, params, loss, _whole(found["step"]), _whole(found["waited"]))


def _check_params(settings: TrainingSettings, network: Network, *vectors: FloatArray) -> None:
    size = packing(network, affine_trainable=settings.affine_trainable).size
    for vector in vectors:
        if vector.shape != (size,) or not np.isfinite(vector).all():
            raise FileError(f"this checkpoint needs {size} finite parameters")


def _memory(settings: TrainingSettings, arrays: Arrays) -> Arrays:
    """The optimiser's memory, of the shapes that a fresh one has; lists may be longer."""
    fresh = make_optimizer(settings).start(len(arrays["params"]))
    found = {
        name.removeprefix(_MEMORY): array
        for name, array in arrays.items()
        if name.startswith(_MEMORY)
    }
    wrong = FileError(f"the memory in this checkpoint is not that of {settings.optimizer}")
    if fresh.keys() != found.keys():
        raise wrong
    for name, array in fresh.items():
        if array.ndim == 0 and found[name].size == 1:
            found[name] = found[name].reshape(())
        same = found[name].shape == array.shape
        longer = array.shape[:1] == (0,) and found[name].shape[1:] == array.shape[1:]
        if not (same or longer):
            raise wrong
    return found


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FileError(f"a whole number of at least 0 is wanted, not {value!r}")
    return value
