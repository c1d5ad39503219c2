"""Model files: every bit comes back, and nothing damaged loads."""

from __future__ import annotations

import json
import os
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from strategies import networks

import kanstudio
from kanstudio.errors import FileError
from kanstudio.files import load_network, network_bytes, read_network, save_network
from kanstudio.files.container import SCHEMA, pack, unpack
from kanstudio.kan import KAN
from kanstudio.network import edits
from kanstudio.network.network import Network
from kanstudio.symbolic.formula import symbolic_formula


def small() -> Network:
    network = kanstudio.compile("sin(x)*y + x^2.5", dtype=torch.float64).network()
    return edits.perturb(edits.expand_depth(network), "all", 0.1)


DATA = network_bytes(small())


@given(networks())
def test_network_comes_back_bit_for_bit(network):
    again = load_network(network_bytes(network))
    assert again.same_values(network)
    assert again.next_id == network.next_id


def test_file_comes_back_from_a_path_and_the_formula_with_it(tmp_path):
    path = tmp_path / "model.safetensors"
    save_network(small(), path, {"note": "anything"})
    again, manifest = read_network(path)
    assert again.same_values(small())
    assert manifest["note"] == "anything"
    assert symbolic_formula(again).expressions == symbolic_formula(small()).expressions


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_module_comes_back_with_its_dtype(tmp_path, dtype):
    model = kanstudio.compile("exp(sin(pi*x) + y^2)", dtype=dtype)
    x = torch.rand(20, 2, dtype=dtype)
    model.save(tmp_path / "model.safetensors")
    again = KAN.load(tmp_path / "model.safetensors")
    assert again.dtype == dtype
    assert torch.equal(again(x), model(x))
    assert again.network().same_values(model.network())
    assert KAN.load(tmp_path / "model.safetensors", dtype=torch.float64).dtype == torch.float64


def test_file_is_plain_safetensors_without_code():
    arrays = load(DATA)
    assert set(arrays) == {
        f"network.{index}.{name}"
        for index, layer in enumerate(small().layers)
        for name, _ in layer.arrays()
    }
    assert unpack(DATA)[0]["schema"] == SCHEMA


# Damage


def refused_or_equal(data: bytes) -> None:
    try:
        network = load_network(data)
    except FileError:
        return
    assert network.same_values(small())
    assert network.next_id == small().next_id


@settings(max_examples=500)
@given(st.data())
def test_damaged_bytes_never_load_as_another_model(data):
    damaged = bytearray(DATA)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] ^= data.draw(st.integers(1, 255))
    refused_or_equal(bytes(damaged))


def test_every_flip_of_a_bit_in_the_header_is_noticed():
    size = 8 + int.from_bytes(DATA[:8], "little")
    for position in range(size):
        damaged = bytearray(DATA)
        damaged[position] ^= 1 << (position % 8)
        refused_or_equal(bytes(damaged))


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=20))
def test_shortened_and_lengthened_files_are_refused(length, tail):
    with pytest.raises(FileError):
        load_network(DATA[:length])
    if tail:
        with pytest.raises(FileError):
            load_network(DATA + tail)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data):
    with pytest.raises(FileError):
        load_network(data)


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b'{"__metadata__": {}, "__metadata__": {}}',
        b'{"__metadata__": 1}',
        b"{}",
        b"null",
        b'{"__metadata__": {"kanstudio": "{}", "sha256": ""}, "a": {"dtype": "F64"}}',
    ],
)
def test_strange_headers_are_refused(header):
    with pytest.raises(FileError):
        load_network(struct.pack("<Q", len(header)) + header)


# Files with a right checksum that are wrong all the same


def changed(**entries: object) -> bytes:
    manifest, arrays = unpack(DATA)
    return pack({**manifest, "network": {**manifest["network"], **entries}}, arrays)


@pytest.mark.parametrize(
    "entries",
    [
        {"degree": -1}, {"degree": 3.0}, {"degree": True}, {"degree": 2}, {"next_id": 0},
        {"inputs": ["x"]}, {"inputs": ["x", "x"]}, {"inputs": ["x", 1]}, {"outputs": ["a\n"]},
        {"levels": []}, {"levels": [[[0, 1]]]}, {"levels": "x"}, {"levels": [[], []]},
        {"functions": []}, {"functions": [[[0, 0]], []]}, {"more": 1},
        {"levels": [[[0, 1], [1, 1]], [[2, 10**9]], [[3, 1]]]},
    ],
)  # fmt: skip
def test_wrong_manifests_are_refused(entries):
    with pytest.raises(FileError, match="not valid"):
        load_network(changed(**entries))


@pytest.mark.parametrize(
    "entry",
    [[0, 0, "0"], [99, 0, "x"], [0, -1, "x"], [0, 0, 1], [0, 0], "x", [True, 0, "x"]],
)
def test_wrong_functions_are_refused(entry):
    functions = [[] for _ in small().layers]
    functions[0] = [entry]
    with pytest.raises(FileError, match="edge"):
        load_network(changed(functions=functions))


def test_unknown_function_is_named():
    functions = [[] for _ in small().layers]
    functions[0] = [[0, 0, "frobnicate"]]
    with pytest.raises(FileError, match="frobnicate"):
        load_network(changed(functions=functions))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_neither_saved_nor_loaded(value):
    manifest, arrays = unpack(DATA)
    bad = arrays["network.0.node_bias"] + value
    with pytest.raises(FileError, match="not finite"):
        load_network(pack(manifest, {**arrays, "network.0.node_bias": bad}))
    layer = small().layers[0].with_arrays(node_bias=bad)
    with pytest.raises(FileError, match="not finite"):
        network_bytes(small().with_layers((layer, *small().layers[1:])))


def test_missing_extra_and_misshapen_arrays_are_refused():
    manifest, arrays = unpack(DATA)
    name = "network.0.coef"
    for wrong in (
        {key: array for key, array in arrays.items() if key != name},
        {**arrays, "network.9.coef": arrays[name]},
        {**arrays, name: arrays[name][..., :-1]},
        {**arrays, "network.0.knots": -arrays["network.0.knots"]},
    ):
        with pytest.raises(FileError, match="not valid"):
            load_network(pack(manifest, wrong))


def test_arrays_of_another_type_are_refused():
    header = json.loads(DATA[8 : 8 + int.from_bytes(DATA[:8], "little")])
    arrays = {name: array.astype(np.float32) for name, array in load(DATA).items()}
    with pytest.raises(FileError, match="float64"):
        load_network(save(arrays, metadata=header["__metadata__"]))


def test_newer_schema_asks_for_an_update():
    text = json.dumps({"schema": SCHEMA + 1})
    data = save({"a": np.zeros(1)}, metadata={"kanstudio": text, "sha256": ""})
    with pytest.raises(FileError, match="newer KAN Studio"):
        load_network(data)


# Writing


def test_file_that_cannot_be_read_or_written_says_why(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        load_network(tmp_path / "missing")
    with pytest.raises(FileError, match="cannot read"):
        load_network(tmp_path)
    with pytest.raises(FileError, match="cannot write"):
        save_network(small(), tmp_path / "no" / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_save_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch, step):
    path = tmp_path / "model.safetensors"
    save_network(small(), path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(FileError, match="No space left"):
        save_network(edits.expand_depth(small()), path)
    monkeypatch.undo()
    assert load_network(path).same_values(small())
    assert list(tmp_path.iterdir()) == [path]


def test_link_stays_a_link(tmp_path):
    path, link = tmp_path / "model.safetensors", tmp_path / "link"
    save_network(edits.expand_depth(small()), path)
    link.symlink_to(path)
    save_network(small(), link)
    assert link.is_symlink()
    assert load_network(path).same_values(small())
