"""The command line: what it prints, and how it says what is wrong."""

from __future__ import annotations

import csv
import json
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kanstudio import KAN, cli
from kanstudio.errors import KanStudioError
from kanstudio.training import Progress, TrainingRun


def run(*argv: str) -> int:
    return cli.main(argv)


def test_compile_tells_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "exp(sin(pi*x)+y^2)", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["width"] == [[2, 0], [1, 0], [1, 0]]
    assert facts["mult_arity"] == [[], [], []]
    assert facts["inputs"] == ["x", "y"]
    assert (facts["depth"], facts["edges"], facts["parameters"]) == (2, 3, 12)


def test_compile_compares_the_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "x*y + x*z", "--strategy", "tree", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["strategy"], facts["edges"]) == ("tree", facts["costs"]["tree"]["edges"])
    assert facts["costs"]["shared"]["edges"] < facts["edges"]
    assert facts["costs"]["tree"]["checked"] == ""
    assert run("compile", "x*y + x*z") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["shared", "compact", "tree"]


def test_compile_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "x*y", "--inputs", "y,x") == 0
    printed = capsys.readouterr().out
    assert "inputs      y, x" in printed
    assert "[[], [2]]" in printed


def test_compile_says_where_the_network_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    needed = "x >= 0 (x^y is computed as exp(y*log(x)))"
    assert run("compile", "x^y", "--json") == 0
    assert json.loads(capsys.readouterr().out)["requires"] == [needed]
    assert run("compile", "x^y") == 0
    assert f"requires    {needed}" in capsys.readouterr().out
    assert run("compile", "x^2") == 0
    assert "requires" not in capsys.readouterr().out


def test_formula_error_is_marked_in_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = "sin(x) + frob(y)"
    assert run("compile", text) == cli.EXIT_ERROR
    out, err = capsys.readouterr()
    assert out == ""
    message, line, marks = err.splitlines()
    assert message.startswith("kanstudio: ") and "frob" in message
    assert line == "  " + text
    assert marks.index("^") == line.index("frob")
    assert marks.count("^") == len("frob")


@pytest.mark.parametrize("text", ["", "(", "1 +", "x**", "2 3", "__import__('os')", "x\t)", "\n)"])
def test_no_text_ends_in_a_traceback(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", text) == cli.EXIT_ERROR
    assert capsys.readouterr().err.startswith("kanstudio: ")


def test_other_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ("export", "x^2"),
        ("export", "Si(x)", "--format", "c"),
        ("export", "x^2", "--out", "net.pdf"),
        ("export", "x^2", "--out", "no/such/folder/net.svg"),
        ("train", "x^2", "--data", "no such file.csv"),
        ("train", "x^2", "--steps", "0"),
        ("train", "x^2", "--expand", "depth:3"),
        ("train", "x^2", "--expand", "sum:9:1"),
        ("train", "x^2", "--range", "z=0:1"),
        ("train", "x^2", "--range", "x=1:0"),
        ("train", "x^2", "--samples", "0"),
        ("train", "x^2", "--lr", "nan"),
        ("train", "x^2", "--perturb", "all", "--magnitude", "-1"),
        ("train", "x^2", "--device", "toaster"),
    ):
        assert run(*argv) == cli.EXIT_ERROR, argv
        assert len(capsys.readouterr().err.splitlines()) == 1, argv


def test_interrupt_is_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_compile", interrupted)
    assert run("compile", "x") == cli.EXIT_INTERRUPTED
    assert "interrupted" in capsys.readouterr().err


def losses(printed: str) -> list[tuple[float, float]]:
    rows = [line.split() for line in printed.splitlines() if line.startswith("step ")]
    return [(float(row[3]), float(row[5])) for row in rows]


def test_training_lowers_the_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A law with a wrong constant, expanded and perturbed, learns the data of a file."""
    rng = np.random.default_rng(0)
    table = tmp_path / "data.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("a", "b", "out"))
        for a, b in rng.uniform(-1, 1, (200, 2)):
            writer.writerow((a, b, a * a + 1.5 * np.sin(b)))
    picture = tmp_path / "net.svg"
    argv = ["train", "a^2 + sin(b)", "--data", str(table), "--outputs", "out", "--steps", "10"]
    argv += ["--expand", "depth", "--expand", "sum:1:1", "--expand", "mult:1:2,3"]
    argv += ["--perturb", "all", "--magnitude", "0.1", "--out", str(picture)]
    assert run(*argv) == 0
    found = losses(capsys.readouterr().out)
    assert len(found) == 10
    assert found[-1][0] < 0.5 * found[0][0]
    assert found[-1][1] < 0.05
    assert picture.read_text("utf-8").startswith("<svg")


def test_train_keeps_the_model_and_says_its_formula(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    assert run("train", "y = x^2", "--perturb", "all", "--steps", "3", "--out", str(file)) == 0
    *_, law, wrote = capsys.readouterr().out.splitlines()
    assert law.startswith("y = ") and "spline_1(x)" in law
    assert wrote == f"wrote {file}"
    model = KAN.load(file)
    assert "spline_1(x)" in str(model.symbolic_formula())
    # A wrong name is refused before the work.
    assert run("train", "x^2", "--steps", "100000000", "--out", str(tmp_path / "net.pdf")) == 2
    assert "a model ends in .safetensors" in capsys.readouterr().err


def test_training_goes_on_where_it_was_interrupted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["train", "sin(x)*y", "--samples", "64", "--noise", "0.1", "--perturb", "all"]
    argv += ["--optimizer", "Adam", "--steps", "20", "--schedule", "cosine"]
    assert run(*argv) == 0
    whole = losses(capsys.readouterr().out)
    step, file = TrainingRun.step, tmp_path / "run.kan"

    def interrupted(self: TrainingRun) -> Progress:
        if self.n_steps == 8:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "step", interrupted)
        assert run(*argv, "--checkpoint", str(file)) == cli.EXIT_INTERRUPTED
    assert run(*argv, "--checkpoint", str(file)) == 0
    assert losses(capsys.readouterr().out) == whole
    assert run(*argv, "--checkpoint", str(tmp_path / "no" / "run.kan")) == cli.EXIT_ERROR


def test_the_losses_before_the_first_step_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "x^2", "--optimizer", "LM", "--steps", "2", "--noise", "0.1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["start", "step"]
    assert float(lines[0].split()[2]) >= float(lines[1].split()[3]) > 0


def test_training_on_the_formula_itself(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["train", "sin(x)*y", "--samples", "64", "--noise", "0.01", "--range", "x=-3:3"]
    argv += ["--optimizer", "Adam", "--lr", "0.01", "--steps", "40", "--seed", "3"]
    assert run(*argv) == 0
    first = capsys.readouterr().out
    assert len(losses(first)) == 20
    assert run(*argv) == 0
    assert capsys.readouterr().out == first


def test_missing_column_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = tmp_path / "data.csv"
    table.write_text("x,z\n1,2\n3,4\n5,6\n")
    assert run("train", "x^2", "--data", str(table)) == cli.EXIT_ERROR
    message = capsys.readouterr().err
    assert "'y'" in message and "z" in message


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_export_draws(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / f"net.{ending}"
    assert run("export", "exp(sin(pi*x)+y^2)", "--out", str(out), "--theme", "dark") == 0
    start = {"svg": b"<svg", "png": b"\x89PNG"}[ending]
    assert out.read_bytes().startswith(start)
    assert capsys.readouterr().out == f"wrote {out}\n"


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("python", "import numpy as np\n"),
        ("torch", "import torch\n"),
        ("c", "#define _XOPEN_SOURCE 600\n#include <math.h>\n"),
        ("latex", "y = \\sin\\left(x\\right)\n"),
        ("text", "y = sin(x)\n"),
    ],
)
def test_export_writes_code(
    kind: str, start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", "y = sin(x)", "--format", kind) == 0
    text = capsys.readouterr().out
    assert text.startswith(start)
    out = tmp_path / "formula.txt"
    assert run("export", "y = sin(x)", "--format", kind, "--out", str(out)) == 0
    assert out.read_text(encoding="utf-8") == text


def test_serve_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from kanstudio.app import serve

    seen: list[object] = []
    monkeypatch.setattr(serve, "serve", lambda *a, **options: seen.extend([*a, options]))
    assert run("serve", "--port", "0", "--host", "0.0.0.0", "--no-browser",
               "--allow-origin", "hall.example", "--scheduler", "tcp://lab:8786",
               "--max-sessions", "7") == 0  # fmt: skip
    options = {"show": False, "num_procs": 1, "allow_origin": ["hall.example"],
               "scheduler": "tcp://lab:8786", "max_sessions": 7}  # fmt: skip
    assert seen == [0, "0.0.0.0", options]


def test_serve_without_its_scheduler_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kanstudio.sweep import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 0.2)
    argv = ("serve", "--port", "0", "--no-browser", "--scheduler", "tcp://127.0.0.1:1")
    assert run(*argv) == cli.EXIT_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is no Dask scheduler at tcp://127.0.0.1:1" in line


def test_origins_of_other_machines_are_allowed_by_name() -> None:
    from kanstudio.app.serve import origins

    assert origins([], 0) is None
    local = ["127.0.0.1:5006", "localhost:5006"]
    assert origins(["hall", "hall.example:80"], 5006) == [*local, "hall:5006", "hall.example:80"]
    with pytest.raises(KanStudioError, match="fixed port"):
        origins(["hall"], 0)


def test_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "kanstudio", "serve", "--no-browser", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == cli.EXIT_ERROR
    (line,) = done.stderr.splitlines()
    assert port in line


@pytest.mark.parametrize(
    "option",
    [("--port", "-1"), ("--port", "70000"), ("--num-procs", "0"), ("--max-sessions", "0")],
)
def test_serve_refuses_impossible_numbers(option: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("serve", *option)
    assert ended.value.code == cli.EXIT_ERROR


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m kanstudio train x --steps 40 | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("start")
    assert done.stderr == ""


def test_the_readmes_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).resolve().parent.parent
    text = (root / "README.md").read_text("utf-8").replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("    kanstudio ")]
    assert [line[1] for line in lines] == ["compile", "train", "export"]
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert run(*line[1:]) == 0
    # The stopwatch alone makes 0.0113 s.
    assert losses(capsys.readouterr().out)[-1][1] < 0.015


def test_complaint_of_any_error_is_text() -> None:
    assert cli.complaint(KanStudioError("no")) == "kanstudio: no"


def test_compile_says_how_a_smaller_form_was_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("compile", "x y + x z") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("shared"))
    assert line.endswith("checked symbolically and with numbers")


def test_compile_uses_the_ranges_that_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "sqrt(x*y)", "--range", "x=0:2", "--range", "y=0:inf", "--json") == 0
    assert json.loads(capsys.readouterr().out)["edges"] == 2
    assert run("compile", "sqrt(x*y)", "--json") == 0
    assert json.loads(capsys.readouterr().out)["edges"] == 3
    assert run("compile", "x", "--range", "t=0:2") != 0
    assert "the inputs are x" in capsys.readouterr().err
