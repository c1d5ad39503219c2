"""Promises about the project as a whole: its names, its papers, its files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import kanstudio
from kanstudio.cli import parser
from kanstudio.errors import KanStudioError

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

ERRORS = {
    "CompileError",
    "DataError",
    "EditError",
    "FileError",
    "FormulaError",
    "KanStudioError",
    "TrainingError",
}
PUBLIC = ERRORS | {
    "KAN",
    "Sweep",
    "add_function",
    "compile",
    "cost_report",
    "create_dataset",
    "create_dataset_from_data",
    "get_feynman_dataset",
    "kanpiler",
    "load_functions",
    "remove_function",
    "studio",
}


def test_public_names_are_pinned() -> None:
    assert set(kanstudio.__all__) == PUBLIC
    assert all(getattr(kanstudio, name) is not None for name in PUBLIC)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="kanfusion"):
        _ = kanstudio.kanfusion


def test_every_error_is_a_kanstudio_error() -> None:
    assert all(issubclass(getattr(kanstudio, name), KanStudioError) for name in ERRORS)


def test_import_is_light() -> None:
    """`import kanstudio` alone loads neither torch nor Panel."""
    code = "import sys, kanstudio; print(sorted({'torch', 'panel', 'sympy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_core_runs_without_the_user_interface() -> None:
    """Compile, edit, train and draw with Panel and its family out of reach."""
    code = """
import sys
for name in ("panel", "bokeh", "holoviews", "param"):
    sys.modules[name] = None
import torch, kanstudio
torch.set_num_threads(1)
model = kanstudio.compile("sin(x)+y^2")
model.expand_depth().expand_width(1, 1).perturb(mag=0.1, mode="all")
data = kanstudio.create_dataset(lambda x: x[:, [0]] * x[:, [1]], n_var=2, train_num=50, test_num=50)
model.fit(data, steps=1)
assert "svg" in model.plot()._repr_svg_()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_versions_agree() -> None:
    assert kanstudio.__version__ == PROJECT["project"]["version"]
    assert f"## {kanstudio.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def commands() -> dict[str, set[str]]:
    """Every command of the command line with its long options."""
    (subparsers,) = (a for a in parser()._actions if a.dest == "==SUPPRESS==" or a.choices)
    assert isinstance(subparsers.choices, dict)
    return {
        name: {
            option
            for action in command._actions
            for option in action.option_strings
            if option.startswith("--") and option != "--help"
        }
        for name, command in subparsers.choices.items()
    }


@pytest.mark.parametrize("name", sorted(commands()))
def test_readme_documents_command(name: str) -> None:
    (row,) = re.findall(rf"^\| `kanstudio {name}.*$", README, flags=re.MULTILINE)
    assert set(re.findall(r"`(--[a-z-]+)`", row)) == commands()[name]


def test_readme_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "network.svg").read_text("utf-8").startswith("<svg")


def test_readme_has_the_two_commands() -> None:
    assert "\n    make run " in README
    assert "\n    make test " in README


@pytest.mark.parametrize("paper", ["README.md", "ARCHITECTURE.md", "examples/data/README.md"])
def test_links_lead_somewhere(paper: str) -> None:
    path = ROOT / paper
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def test_architecture_names_every_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = {path.parent.name for path in (ROOT / "kanstudio").glob("*/__init__.py")}
    assert {name for name in packages if f"`{name}/`" not in text} == set()


def tracked() -> list[Path]:
    """Text files under version control; all files where there is no git."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    binary = {".ico", ".parquet", ".png", ".safetensors", ".ttf", ".woff2"}
    return [path for path in paths if path.suffix not in binary and path.is_file()]


def test_no_file_names_a_machine() -> None:
    """No path of one machine, no registry other than the default one."""
    words = ("/" + "work/", "/" + "root/", "/" + "home/", "/" + "opt/", "extra-" + "index-url")
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked()
        for word in words
        if word in path.read_text("utf-8")
    ]
    assert found == []


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith(("#", "-r "))]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[A-Za-z0-9.]+", line) for line in pins)
    return dict(line.split("==") for line in pins)


def test_locks_pin_everything_that_is_needed() -> None:
    runtime = locked("requirements.txt")
    test = runtime | locked("requirements-test.txt")
    project = PROJECT["project"]
    for wanted, pins in (
        (project["dependencies"], runtime),
        (project["optional-dependencies"]["test"], test),
    ):
        for text in wanted:
            requirement = Requirement(text)
            assert pins[canonicalize_name(requirement.name)] in requirement.specifier


def imported() -> set[str]:
    """Top-level modules of other projects that kanstudio imports."""
    names: set[str] = set()
    for path in (ROOT / "kanstudio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"kanstudio"}


def test_dependencies_are_what_is_imported() -> None:
    declared = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
    distributions = metadata.packages_distributions()
    needed = {canonicalize_name(distributions[name][0]) for name in imported()}
    assert needed == declared


def test_locks_are_what_is_installed() -> None:
    pins = locked("requirements.txt") | locked("requirements-test.txt")
    other = {
        name: metadata.version(name)
        for name, version in pins.items()
        if metadata.version(name).partition("+")[0] != version
    }
    assert other == {}


def test_runtime_is_free_of_the_oracle() -> None:
    assert not {"pykan", "matplotlib", "scikit-learn"} & set(locked("requirements.txt"))
