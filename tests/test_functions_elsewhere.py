"""Functions that users added: from a file, on the command line, in the processes that train."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kanstudio
from kanstudio import cli, functions
from kanstudio.app import serve as serving
from kanstudio.app.session import Session
from kanstudio.editor.document import new_document
from kanstudio.errors import KanStudioError
from kanstudio.files.model import load_network
from kanstudio.functions import shipping
from kanstudio.functions.registry import added
from kanstudio.network.network import EdgeRef
from kanstudio.snapping.suggest import library, suggestions

FILE = """\
import torch
import kanstudio

DEPTH = 2.0

def well(x):
    return DEPTH * (1 - torch.exp(-x)) ** 2

kanstudio.add_function("morse", well)
"""


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    for name in tuple(added.now.rows):
        functions.remove_function(name)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return str(path)


def test_a_file_adds_functions(file: str) -> None:
    assert kanstudio.load_functions(file) == ("morse",)
    value = functions.get("morse").torch(torch.tensor([1.0]))
    assert float(value) == pytest.approx(2 * (1 - np.exp(-1)) ** 2)


def test_a_module_adds_functions(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(file).parent))
    assert kanstudio.load_functions("mine") == ("morse",)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("\nx = 1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("x = 1\ny = = 2\n", "mine.py, line 2: invalid syntax"),
        ("import torch\ntorch.tensor('a')\n", "mine.py, line 2: TypeError"),
        ("raise SystemExit(3)\n", "mine.py, line 1: SystemExit"),
        ("x = 1\n", "mine.py adds no function"),
        (FILE.replace("morse", "sin"), "mine.py, line 9: the function sin cannot be added"),
        (2 * FILE, "mine.py, line 18: the function morse cannot be added: there is one already"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(
    code: str, words: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(file).write_text(code)
    assert cli.main(["compile", "x", "--functions", file]) == cli.EXIT_ERROR
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("source", ["nowhere.py", "nomodule"])
def test_what_is_not_there_is_named(source: str) -> None:
    with pytest.raises(KanStudioError, match=f"cannot read functions from {source}: "):
        kanstudio.load_functions(source)


def test_commands_know_the_functions_of_a_file(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compile", "morse(x)*y", "--json", "--functions", file]) == 0
    assert json.loads(capsys.readouterr().out)["formula"] == "morse(x)*y"
    functions.remove_function("morse")
    out = str(tmp_path / "model.safetensors")
    options = ["--functions", file, "--range", "x=0:1", "--steps", "2", "--out", out]
    assert cli.main(["train", "2*morse(x)", *options]) == 0
    assert "morse" in capsys.readouterr().out
    # The file has the name, and no code.
    assert b"exp" not in Path(out).read_bytes()
    functions.remove_function("morse")
    with pytest.raises(KanStudioError, match="'morse', which is not known here"):
        load_network(out)


def test_the_studio_knows_the_functions_of_a_file(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def served(*_: object, **__: object) -> None:
        session = Session(new_document("morse(x)"))
        network = session.document.network
        x = session.document.dataset.train_x
        (found,) = suggestions(network, x, [EdgeRef(0, 0, 0)])
        seen.extend([session.document.text, found[0].name, {f.name for f in library()}])

    monkeypatch.setattr(serving, "serve", served)
    assert cli.main(["serve", "--functions", file]) == 0
    assert seen[:2] == ["morse(x)", "morse"]
    assert "morse" in seen[2]


def test_only_what_a_network_needs_is_sent() -> None:
    kanstudio.add_function("morse", lambda x: (1 - torch.exp(-x)) ** 2)
    kanstudio.add_function("other", torch.sin)
    assert set(shipping.packed(["sin", "2*morse(x) + exp(x)"])) == {"morse"}
    assert shipping.packed(["sin"]) == {}


def test_what_cannot_be_sent_is_named() -> None:
    lock = threading.Lock()

    def held(x: torch.Tensor) -> torch.Tensor:
        with lock:
            return torch.sin(x)

    kanstudio.add_function("held", held)
    with pytest.raises(KanStudioError, match="the function held cannot be sent"):
        shipping.packed(["held"])


def test_the_latest_function_of_a_name_counts() -> None:
    kanstudio.add_function("morse", torch.sin)
    first = shipping.packed(["morse"])
    kanstudio.add_function("morse", torch.cos, replace=True)
    second = shipping.packed(["morse"])
    for sent, expected in ((first, 0.0), (first, 0.0), (second, 1.0), (first, 0.0)):
        shipping.take(sent)
        assert float(functions.get("morse").torch(torch.zeros(1))) == expected


def test_what_a_process_cannot_load_is_said() -> None:
    with pytest.raises(KanStudioError, match="the function morse did not reach"):
        shipping.take({"morse": b"cnowhere\nmorse\n."})
