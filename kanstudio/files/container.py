"""One file: named float64 arrays, a JSON manifest, and a checksum over both.

The layout is that of safetensors. Its metadata hold the manifest and the SHA-256; every
array, name and shape counts in the checksum, so that no damage goes unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from kanstudio.errors import FileError
from kanstudio.network.network import FloatArray

SCHEMA = 1
MAX_BYTES = 1 << 30
_MAX_HEADER = 1 << 26
_MANIFEST, _CHECKSUM = "kanstudio", "sha256"

Manifest = dict[str, Any]
_DAMAGED = "this is no KAN Studio model, or it is damaged: {}"


def pack(manifest: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> bytes:
    """The bytes of a file; the manifest is anything that JSON can say."""
    text = json.dumps({**manifest, "schema": SCHEMA}, sort_keys=True, separators=(",", ":"))
    contiguous = {name: np.ascontiguousarray(array, "<f8") for name, array in arrays.items()}
    data: bytes = save(
        contiguous, metadata={_MANIFEST: text, _CHECKSUM: _checksum(text, contiguous)}
    )
    if len(data) > MAX_BYTES:
        raise FileError(f"a model of {len(data):,} bytes is too large: {MAX_BYTES:,} are allowed")
    return data


def unpack(data: bytes) -> tuple[Manifest, dict[str, FloatArray]]:
    """Manifest and arrays of what ``pack`` made; FileError for anything else."""
    text, expected = _metadata(data)
    try:
        arrays: dict[str, FloatArray] = load(data)
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileError(_DAMAGED.format(error)) from None
    if any(array.dtype != np.float64 for array in arrays.values()):
        raise FileError(_DAMAGED.format("its arrays are not all float64"))
    manifest = _json(text)
    schema = manifest.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise FileError(
            f"this model was written by a newer KAN Studio (file schema {schema}; this one "
            f"reads up to {SCHEMA}): update KAN Studio"
        )
    if schema != SCHEMA or _checksum(text, arrays) != expected:
        raise FileError(_DAMAGED.format("the checksum is wrong"))
    return manifest, arrays


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file of allowed size; FileError says why there are none."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {os.fspath(path)}: {_reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise FileError(f"{os.fspath(path)} is larger than {MAX_BYTES:,} bytes")
    return data


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file as a whole: after a crash it holds the old bytes or the new ones.

    A temporary file beside it is written, flushed to the disk, and takes its name. Raises
    FileError.
    """
    try:
        target = Path(path).resolve()  # a link stays a link
        aside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}")
        try:
            with open(aside, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, aside)
            os.replace(aside, target)
        finally:
            aside.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except (OSError, ValueError) as error:
        raise FileError(f"cannot write {os.fspath(path)}: {_reason(error)}") from None


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too; Windows cannot open folders and needs no such step."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _metadata(data: bytes) -> tuple[str, str]:
    """The manifest's text and the checksum, from the header of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_MAX_HEADER, len(data) - 8):
        raise FileError(_DAMAGED.format("it is too short"))
    header = _json(data[8 : 8 + size])
    found = header.get("__metadata__")
    if not isinstance(found, dict) or set(found) != {_MANIFEST, _CHECKSUM}:
        raise FileError(_DAMAGED.format("it has no manifest"))
    text, checksum = found[_MANIFEST], found[_CHECKSUM]
    if not isinstance(text, str) or not isinstance(checksum, str):
        raise FileError(_DAMAGED.format("its manifest is no text"))
    return text, checksum


def _json(text: str | bytes) -> Manifest:
    """A JSON object; FileError for anything else, and for a name that stands twice."""
    try:
        value = json.loads(text, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise FileError(_DAMAGED.format(error)) from None
    if not isinstance(value, dict):
        raise FileError(_DAMAGED.format("its manifest is no object"))
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> Manifest:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _checksum(text: str, arrays: Mapping[str, FloatArray]) -> str:
    digest = hashlib.sha256()

    def count(part: bytes) -> None:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)

    count(text.encode())
    for name in sorted(arrays):
        count(name.encode())
        count(repr(tuple(arrays[name].shape)).encode())
        count(arrays[name].tobytes())
    return digest.hexdigest()
