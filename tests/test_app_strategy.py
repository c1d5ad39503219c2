"""How formulas are laid out: chosen, priced, kept in the history and in links."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from kanstudio.app.costs import Prospect, prospect, prospect_of, same_prospect
from kanstudio.app.session import Session
from kanstudio.app.share import link_query, shared_document
from kanstudio.compiler import STRATEGIES, cost_of
from kanstudio.editor.document import new_document
from kanstudio.editor.rename import Rename

TWICE = "u = sin(x*y) + x; v = exp(sin(x*y))"


def test_costs_are_those_of_the_compiled_networks() -> None:
    found = prospect((TWICE, ("x", "y"))).costs
    for strategy in STRATEGIES:
        assert found[strategy] == cost_of(new_document(TWICE, strategy=strategy).network)
    assert found["shared"].edges < found["tree"].edges


@pytest.mark.parametrize("text", ["sin(", "", "x; q(z)"])
def test_what_has_no_network_has_no_costs(text: str) -> None:
    assert prospect((text, ("x",))) == Prospect()


def test_conditions_are_said_in_sentences() -> None:
    (condition,) = prospect(("x^y", ("x", "y"))).conditions
    assert condition.startswith("Exact where x >= 0: ")
    assert prospect(("sqrt(x)*y", ("x", "y"))).conditions == ()


def test_conditions_are_held_against_the_samples() -> None:
    document = new_document("x^y", ranges={"x": (0.5, 2.0), "y": (1.0, 3.0)})
    (free,) = prospect_of(document).conditions
    assert "samples" not in free
    x = document.dataset.train_x.copy()
    x[: len(x) // 4, 0] *= -1
    outside = replace(document, dataset=replace(document.dataset, train_x=x))
    (condition,) = prospect_of(outside).conditions
    assert condition == f"{free}; 25% of the samples lie elsewhere"
    assert same_prospect(document, replace(document, trained=3))
    assert not same_prospect(document, outside)


def test_another_strategy_is_one_undoable_step() -> None:
    session = Session(new_document(TWICE))
    before, source = session.document, session.document.source
    session.choose("tree")
    after = session.document
    assert after.strategy == session.strategy == "tree" and after.source == source
    assert cost_of(after.network).edges > cost_of(before.network).edges
    assert session.history.entries[-1].label.startswith("compile (tree) u = ")
    assert "(tree)" in session.notice.text
    session.undo()
    assert session.document is before and session.strategy == "shared"


def test_a_strategy_waits_for_the_text_that_is_being_typed() -> None:
    session = Session(new_document("x*y"))
    session.type("x*y + sin(x*y)")
    session.choose("tree")
    assert session.version == 1
    session.compile("x*y + sin(x*y)")
    assert session.document.strategy == "tree" and session.version == 2


def test_links_and_renaming_keep_the_strategy() -> None:
    document = new_document(TWICE, strategy="tree")
    query = parse_qs(link_query(document).removeprefix("?"))
    again = shared_document({name: [v.encode() for v in values] for name, values in query.items()})
    assert again is not None and again.strategy == "tree"
    assert again.network.same_values(document.network)
    assert Rename("x", "t").applied_to(document).strategy == "tree"
    assert "strategy" not in link_query(new_document("x"))
