"""What is worked out beside the server: newest first, and nobody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kanstudio.app.aside import Aside
from kanstudio.app.formula_now import FormulaNow, LiveFormula, formula_now, symbolic_share
from kanstudio.app.session import Session
from kanstudio.editor.commands import Perturb, apply
from kanstudio.editor.document import Document, new_document
from kanstudio.network.network import Network


def wait_for(tick: Callable[[], None], done: Callable[[], object]) -> None:
    for _ in range(3_000):
        tick()
        if done():
            return
        time.sleep(0.01)
    pytest.fail("nothing came back")


def test_only_the_newest_key_is_worked_on_while_one_is_under_way() -> None:
    seen: list[int] = []
    gate = threading.Event()

    def work(key: int) -> int:
        seen.append(key)
        gate.wait(30)
        return -key

    told: list[int | None] = []
    aside = Aside(work, lambda: told.append(aside.latest))
    for key in (1, 2, 3, 4):
        aside.want(key)
        aside.tick()
    assert aside.value is None and aside.latest is None
    gate.set()
    wait_for(aside.tick, lambda: aside.value == -4)
    assert seen == [1, 4] and told == [-1, -4]
    aside.want(5)
    assert aside.value is None and aside.latest == -4
    aside.want(None)
    assert aside.value is None and aside.latest is None
    aside.close()


def test_work_waits_until_the_key_rests() -> None:
    seen: list[int] = []
    aside = Aside(seen.append, lambda: None, rest_s=1e6)
    aside.want(2)
    for _ in range(20):
        aside.tick()
    assert seen == []


def test_work_that_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken(key: int) -> int:
        raise ZeroDivisionError(key)

    aside = Aside(broken, lambda: None)
    aside.want(1)
    wait_for(aside.tick, lambda: caplog.records)
    for _ in range(20):
        aside.tick()
    assert aside.value is None and len(caplog.records) == 1


def test_the_formula_of_a_run_is_worked_out_now_and_then() -> None:
    one, other = new_document("x + y"), new_document("x*y")
    live = LiveFormula()
    first = live.of(one.network, one.dataset.train_x)
    assert first.lines and live.of(other.network, other.dataset.train_x) is first


def shown(document: Document, network: Network | None = None) -> FormulaNow:
    return formula_now((network or document.network, document.dataset.test_x[:200]))


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("x*y_1", "x y_{1}"),
        ("u = 2.71*x; v = 1e-7*exp(x)", "2.71 x"),
        ("sin(2.7*x)/3", "2.7 x"),
    ],
)
def test_the_formula_of_a_compiled_network_is_short(text: str, latex: str) -> None:
    now = shown(new_document(text))
    assert now.note == "" and latex in now.lines[0]
    assert len(now.lines) == text.count(";") + 1
    assert all(" = " in line and line[-4:] != " = 0" for line in now.lines)


def test_rounded_numbers_are_only_nearly_equal() -> None:
    assert shown(new_document("1.23456*x")).lines == (r"y \approx 1.23 x",)


def test_few_splines_are_named_and_many_left_out() -> None:
    document = new_document("omega_0*(1+v/c)/sqrt(1-v^2/c^2)", ranges={"c": (3, 20)})
    one = shown(new_document("exp(x)"), apply(new_document("exp(x)"), Perturb("all", 0.1)).network)
    assert r"\varphi_{1}" in one.lines[0] and "splines" in one.note
    many = shown(document, apply(document, Perturb("all", 0.1)).network)
    assert many.lines[0].endswith(r"+ \varphi") and "24 splines" in many.note
    assert "variance is symbolic" in many.note


def test_symbolic_share_is_what_is_left_without_splines() -> None:
    document = new_document("x*y")
    x = document.dataset.test_x[:100]
    assert symbolic_share(document.network, x) == pytest.approx(1)
    assert symbolic_share(new_document("3 + 0*x").network, x[:, :1]) is None
    silent = document.network.with_layers(
        tuple(
            layer.with_arrays(
                symbolic_mask=np.zeros_like(layer.symbolic_mask),
                spline_mask=np.ones_like(layer.spline_mask),
            )
            for layer in document.network.layers
        )
    )
    assert symbolic_share(silent, x) == pytest.approx(0, abs=1e-9)


def test_formulas_without_end_are_not_written_out() -> None:
    text = "+".join(f"sin(x{i}*x{i + 1})" for i in range(1, 30))
    document = new_document(text)
    perturbed = apply(document, Perturb("all", 0.1))
    assert shown(document, perturbed.network).note != ""


def test_names_of_models_never_reach_the_typesetter() -> None:

    hostile = replace(
        new_document("x*y").network,
        input_names=(r"\\href{javascript:alert(1)}{x}", "y"),
        output_names=("}$<b>",),
    )
    (line,) = formula_now((hostile, np.ones((3, 2)))).lines
    assert "href" not in line and "<b>" not in line


def test_the_session_follows_the_network() -> None:
    session = Session(new_document("x + y"))
    insight = session.insight
    wait_for(insight.tick, lambda: insight.formula)
    before = insight.formula
    session.do(Perturb("all", 0.1))
    assert insight.formula is before
    wait_for(insight.tick, lambda: insight.formula is not before)
    session.close()


def test_costs_of_the_typed_text_come_without_waiting() -> None:
    session = Session(new_document("x*y"))
    insight = session.insight
    wait_for(insight.tick, lambda: insight.compiled and insight.typed)
    session.type("+".join(f"sin(x{i})" for i in range(60)))
    assert insight.typed is None
    wait_for(insight.tick, lambda: insight.typed)
    assert insight.typed is not None and len(insight.typed.rows) == 3
    session.type("sin(")
    assert insight.typed is None
    session.close()


def test_the_compiled_text_is_read_with_its_inputs() -> None:
    session = Session(new_document("ax", inputs=("a", "x")))
    assert session.check.variables == ("a", "x")
    session.type("ax + 1")
    session.type("ax")
    assert session.check.variables == ("a", "x")
