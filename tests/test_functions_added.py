"""Functions that users add: checked, found everywhere, saved by name only."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch

import kanstudio
from kanstudio import formula, functions
from kanstudio.compiler import compile_network, sympy_function
from kanstudio.errors import EditError, FileError, FormulaError, KanStudioError
from kanstudio.functions import Domain, UnknownFunctionError
from kanstudio.functions.registry import added
from kanstudio.network.build import empty_network
from kanstudio.network.edits import set_function
from kanstudio.network.forward import evaluate
from kanstudio.network.network import EdgeRef
from kanstudio.training import Dataset, TrainingSettings
from kanstudio.training.worker import Start, Worker

X = sp.Symbol("x")
LEAST = torch.finfo(torch.float64).tiny


def well(x: torch.Tensor) -> torch.Tensor:
    return (1 - torch.exp(-x)) ** 2


def well_form(x: sp.Expr) -> sp.Expr:
    return (1 - sp.exp(-x)) ** 2


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    """Other tests see the table as it comes."""
    yield
    for name in tuple(added.now.rows):
        functions.remove_function(name)


@pytest.fixture(params=[None, well_form], ids=["by name", "with sympy"])
def morse(request: pytest.FixtureRequest) -> functions.Function:
    return kanstudio.add_function("morse", well, request.param)


def test_it_is_a_row_like_all_others(morse: functions.Function) -> None:
    assert functions.names()[-1] == "morse"
    assert functions.get("morse") is morse
    assert functions.match(morse.sympy(2 * X)) == ("morse", 2 * X)
    assert functions.from_sympy(morse.sympy(X)) == "morse"
    assert morse.to_latex("a+b") == r"\operatorname{morse}\left(a+b\right)"
    kanstudio.remove_function("morse")
    assert "morse" not in functions.names()
    assert functions.match(morse.sympy(X)) is None
    with pytest.raises(UnknownFunctionError, match="unknown function morse"):
        functions.get("morse")


@pytest.mark.usefixtures("morse")
def test_formulas_know_it_while_it_is_there() -> None:
    text = "1 + 2*morse(3*x)"
    (output,) = formula.parse(text).outputs
    assert formula.format_text(output.expr) == text
    assert output.latex == r"1 + 2 \, \operatorname{morse}\left(3 x\right)"
    assert math.isclose(formula.parse("morse(2)*x").outputs[0].expr.coeff(X), well_at(2.0))
    with pytest.raises(FormulaError, match="cannot name a variable"):
        formula.parse("x", ["morse"])
    kanstudio.remove_function("morse")
    with pytest.raises(FormulaError, match="unknown function morse"):
        formula.parse(text)


def well_at(x: float) -> float:
    return (1 - math.exp(-x)) ** 2


@pytest.mark.usefixtures("morse")
def test_a_formula_with_it_compiles_and_reads_back() -> None:
    model = kanstudio.compile("y*morse(2*x) + 1", dtype=torch.float64)
    x = torch.tensor([[2.0, 0.5], [1.0, -0.2]], dtype=torch.float64)
    expected = x[:, [0]] * well(2 * x[:, [1]]) + 1
    torch.testing.assert_close(model(x), expected)
    (read_back,), _ = model.symbolic_formula()
    assert formula.format_text(read_back) == "1 + y*morse(2*x)"
    expression = formula.parse("morse(2*x)").outputs[0].expr
    network = compile_network([expression], ["x"])
    assert network.n_edge == 1
    points = np.linspace(-1, 1, 5)[:, None]
    np.testing.assert_allclose(
        evaluate(network, points), sympy_function([expression], ["x"])(points), rtol=1e-13
    )


@pytest.mark.usefixtures("morse")
def test_a_composed_function_may_hold_it() -> None:
    name = functions.compose(formula.parse("exp(morse(x))").outputs[0].expr, X)
    assert name == "exp(morse(x))"
    assert math.isclose(float(functions.get(name).torch(torch.tensor(0.5))), math.exp(well_at(0.5)),
                        rel_tol=1e-6)  # fmt: skip
    kanstudio.remove_function("morse")
    with pytest.raises(UnknownFunctionError, match="unknown function morse"):
        functions.get(name)


@pytest.mark.usefixtures("morse")
def test_a_model_with_it_trains_in_this_process() -> None:
    model = kanstudio.compile("morse(2*x)")
    law = kanstudio.create_dataset(lambda x: well(2.2 * x), n_var=1, train_num=50, test_num=50)
    losses = model.fit(law, steps=5)["train_loss"]
    assert losses[-1] < losses[0] / 10


def test_with_a_sympy_form_it_has_derivative_and_numbers() -> None:
    row = kanstudio.add_function("morse", well, well_form)
    expr = row.sympy(X)
    assert sp.simplify(expr.diff(X) - well_form(X).diff(X)) == 0
    assert expr.doit() == well_form(X)
    assert math.isclose(float(expr.subs(X, sp.Float(0.7))), well_at(0.7), rel_tol=1e-14)
    assert math.isclose(float(sp.lambdify(X, expr)(0.7)), well_at(0.7), rel_tol=1e-14)


def test_a_file_has_its_name_only(tmp_path: Path) -> None:
    kanstudio.add_function("morse", well)
    model = kanstudio.compile("morse(2*x)")
    path = tmp_path / "model.kan"
    model.save(path)
    x = torch.tensor([[0.3]])
    torch.testing.assert_close(kanstudio.KAN.load(path)(x), model(x))
    state = model.state_dict()
    other = kanstudio.compile("sin(2*x)")
    kanstudio.remove_function("morse")
    with pytest.raises(FileError, match="morse"):
        kanstudio.KAN.load(path)
    with pytest.raises(FileError, match="unknown function morse"):
        other.load_state_dict(state)
    with pytest.raises(EditError, match="unknown function morse"):
        set_function(empty_network([1, 1]), EdgeRef(0, 0, 0), "morse")


class Mailbox:
    """A worker's connection that only remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    def send(self, message: tuple[object, ...]) -> None:
        self.sent.append(message)


def test_a_training_process_that_lacks_it_says_so() -> None:
    base = empty_network([1, 1])
    network = base.with_layers((replace(base.layers[0], functions=(("morse",),)),))
    data = Dataset(*(np.ones((3, 1)) for _ in range(4)))
    mailbox = Mailbox()
    Worker(mailbox)._start(7, Start(network, data, TrainingSettings()))
    ((_, run_id, update),) = mailbox.sent
    assert (run_id, update.state) == (7, "error")
    assert update.message.startswith("unknown function morse")
    assert "add_function" in update.message


@pytest.mark.parametrize(
    "name",
    ["sin", "x", "s", "theta", "theta_2", "tg", "9a", "a b", "pi", "e", "if", "and", "where",
     "Gamma", "log_cosh", "max", "f(x)", "", "é", "a" * 65],
)  # fmt: skip
def test_a_name_must_be_free(name: str) -> None:
    with pytest.raises(KanStudioError, match="cannot be added"):
        kanstudio.add_function(name, well)
    assert not added.now.rows


@pytest.mark.parametrize(
    ("torch_map", "reason"),
    [
        (3, "not 3"),
        (lambda x: None, "gives NoneType"),
        (lambda x: x.sum(), r"of shape \(\)"),
        (lambda x: x.double(), "gives torch.float64"),
        (lambda x: x.cumsum(0), "not elementwise"),
        (lambda x: x - x.mean(), "not elementwise"),
        (lambda x: x.flatten()[:24].reshape(4, 6), "shape|elementwise|raises"),
        (torch.log, "no finite value at -2"),
        (lambda x: torch.sqrt(0 * x), "no finite derivative at -2"),
        (lambda x: x.add_(1.0), "in-place"),
        (lambda x: torch.tensor(np.sin(x.numpy())), "raises RuntimeError"),
        (lambda x: 1 / 0, "raises ZeroDivisionError"),
    ],
)
def test_what_is_no_function_of_a_tensor_is_refused(
    torch_map: Callable[..., object], reason: str
) -> None:
    with pytest.raises(KanStudioError, match=reason):
        kanstudio.add_function("morse", torch_map)
    assert not added.now.rows


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"sympy": sp.cos}, "sympy gives .* but torch"),
        ({"sympy": lambda x: x + sp.Symbol("a")}, "no expression of its argument alone"),
        ({"sympy": lambda x: "x**2"}, "raises SympifyError"),
        ({"sympy": 3}, "not 3"),
        ({"domain": (2, 1)}, "empty"),
        ({"domain": "x > 0"}, "not 'x > 0'"),
        ({"complexity": -1}, "at least 0"),
        ({"latex": 5}, "latex is a text"),
    ],
)
def test_options_are_checked(options: dict[str, object], reason: str) -> None:
    with pytest.raises(KanStudioError, match=reason):
        kanstudio.add_function("morse", well, **options)


def test_a_name_is_taken_until_it_is_replaced_or_removed() -> None:
    kanstudio.add_function("morse", well)
    kept = functions.get("morse")
    with pytest.raises(KanStudioError, match="replace=True"):
        kanstudio.add_function("morse", torch.sin)
    assert functions.get("morse") is kept
    kanstudio.add_function("morse", torch.sin, sp.sin, replace=True)
    assert functions.get("morse").torch(torch.tensor(0.5)) == torch.sin(torch.tensor(0.5))
    assert formula.parse("morse(x)").outputs[0].expr.doit() == sp.sin(X)
    kanstudio.remove_function("morse")
    with pytest.raises(KanStudioError, match="the functions added are none"):
        kanstudio.remove_function("morse")
    with pytest.raises(KanStudioError, match="cannot remove sin"):
        kanstudio.remove_function("sin")


@pytest.mark.parametrize(
    ("domain", "torch_map", "outside", "value"),
    [
        ((0.0, math.inf), torch.sqrt, -1.0, 0.0),
        ((-1.0, 1.0), torch.asin, 2.0, math.pi / 2),
        (Domain(low=0.0, low_open=True), torch.log, -3.0, math.log(LEAST)),
        (Domain(hole="zero"), torch.reciprocal, 0.0, 0.0),
        (None, lambda x: torch.exp(x) ** 3, 1e6, torch.finfo(torch.float64).max),
    ],
)  # fmt: skip
def test_beyond_the_domain_value_and_slope_stay_finite(
    domain: object, torch_map: Callable[..., torch.Tensor], outside: float, value: float
) -> None:
    row = kanstudio.add_function("own", torch_map, domain=domain)
    x = torch.tensor([outside, 0.5, math.nan], dtype=torch.float64, requires_grad=True)
    y = row.torch(x)
    (slope,) = torch.autograd.grad(y[:2].sum(), x)
    assert y[0] == value
    assert slope[0] == 0
    assert y[1] == torch_map(torch.tensor(0.5, dtype=torch.float64))
    assert y[2].isnan()
    assert row.inside(x).tolist() == [False, True, False]


def test_names_with_an_underscore_are_words() -> None:
    kanstudio.add_function("my_well2", well, latex="W")
    expr = formula.parse("2*my_well2(x)^2 + my_well2 x").outputs[0].expr
    assert {part.func.__name__ for part in expr.atoms(sp.Function)} == {"my_well2"}
    with pytest.raises(FormulaError, match="has no reading"):
        formula.parse("my_well2^(-1)(x)")
    assert functions.get("my_well2").to_latex() == r"W\left(x\right)"


def test_threads_never_see_half_a_change() -> None:
    """Each adds, uses and removes its own, while the others do."""
    errors: list[Exception] = []

    def work(number: int) -> None:
        name = f"own{number}"
        try:
            for _ in range(5):
                kanstudio.add_function(name, well)
                assert formula.parse(f"{name}(x) + sin(x)", ["x"]).outputs[0].expr.has(sp.sin)
                assert functions.get(f"exp({name}(x))").name == f"exp({name}(x))"
                kanstudio.remove_function(name)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not added.now.rows
