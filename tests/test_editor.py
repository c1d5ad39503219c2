"""The document: commands, history, and what the person is told about the output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kanstudio.editor.commands import (
    ApplyTraining,
    Command,
    Compile,
    ExpandDepth,
    ExpandWidth,
    Perturb,
    SetData,
    UseTable,
    apply,
    output_change,
)
from kanstudio.editor.document import Document, LossRecord, new_document
from kanstudio.editor.history import MAX_ENTRIES, History
from kanstudio.editor.rename import Rename
from kanstudio.errors import EditError, FormulaError, KanStudioError
from kanstudio.network.network import Network
from kanstudio.training.data import Dataset, FormulaData


@pytest.fixture(scope="module")
def doppler() -> Document:
    return new_document(
        "omega_0*(1+v/c)/sqrt(1-v^2/c^2)",
        ranges={"omega_0": (0, 1), "v": (0, 1), "c": (1.5, 2)},
    )


def jolted(network: Network) -> Network:
    """Stand-in for training: the same structure, other values."""
    layers = tuple(
        layer.with_arrays(coef=layer.coef + 0.1, scale_sp=layer.scale_sp + 0.1)
        for layer in network.layers
    )
    return network.with_layers(layers)


def trained(document: Document, steps: int = 3) -> ApplyTraining:
    losses = tuple(LossRecord(step, 1 / step, 2 / step) for step in range(1, steps + 1))
    return ApplyTraining(jolted(document.network), losses)


def test_a_compiled_document_is_exact_and_has_data(doppler: Document) -> None:
    assert doppler.network.width == [[3, 0], [1, 2], [0, 1]]
    assert doppler.max_error is not None and doppler.max_error < 1e-12
    assert doppler.dataset.train_x.shape[1] == 3
    assert doppler.source is not None and doppler.source.ranges[2] == (1.5, 2)


@pytest.mark.parametrize(
    "text", ["log(x)", "1/x", "sqrt(x-1)", "asin(x)", "tan(x)", "x^-3 + y", "acosh(x)", "x^y"]
)
def test_guessed_ranges_keep_the_formula_tame(text: str) -> None:
    document = new_document(text)
    assert np.isfinite(document.dataset.train_y).all()
    assert np.abs(document.dataset.train_y).max() < 1e5
    assert document.max_error is not None and document.max_error < 1e-9


def test_a_constant_gets_an_input() -> None:
    document = new_document("1 + 2")
    assert document.network.input_names == ("x",)
    assert document.max_error == 0 and (document.dataset.train_y == 3).all()


def test_expanding_keeps_the_output_and_says_so(doppler: Document) -> None:
    wide = apply(doppler, ExpandWidth(1, 2, (2, 3)))
    deep = apply(wide, ExpandDepth())
    assert output_change(doppler, wide) == 0 == output_change(wide, deep)
    assert deep.network.mult_arity[1] == [2, 2, 2, 3]


def test_perturbation_can_be_switched_off_again(doppler: Document) -> None:
    on = apply(doppler, Perturb("all", 0.1))
    assert (output_change(doppler, on) or 0) > 0
    off = apply(on, Perturb("off"))
    assert off.network.same_values(doppler.network)
    assert off.perturbation.mode == "off" and off.unperturbed is None


def test_choosing_another_perturbation_replaces_the_first(doppler: Document) -> None:
    direct = apply(doppler, Perturb("minimal", 0.2, seed=3))
    detour = apply(apply(doppler, Perturb("all", 0.1)), Perturb("minimal", 0.2, seed=3))
    assert detour.network.same_values(direct.network)


def test_perturbing_after_training_keeps_what_was_learned(doppler: Document) -> None:
    on = apply(doppler, Perturb("non-intrusive", 0.1))
    learned = apply(on, trained(on))
    again = apply(learned, Perturb("non-intrusive", 0.1))
    assert output_change(learned, again) == pytest.approx(0, abs=1e-12)


def test_expanding_while_perturbed_survives_switching_off(doppler: Document) -> None:
    on = apply(apply(doppler, Perturb("all", 0.1)), ExpandWidth(1, 1))
    off = apply(on, Perturb("off"))
    assert off.network.levels == on.network.levels
    assert off.network.same_values(apply(doppler, ExpandWidth(1, 1)).network)


def test_compiling_keeps_the_ranges_of_known_inputs(doppler: Document) -> None:
    after = apply(doppler, Compile("v^2 + t"))
    assert after.source is not None
    assert dict(zip(after.network.input_names, after.source.ranges, strict=True))["v"] == (0, 1)
    assert after.losses == () and after.unperturbed is None


def test_a_command_that_fails_changes_nothing(doppler: Document) -> None:
    history = History.start(doppler)
    bad: list[Command] = [
        Compile("sin("),
        Compile("foo(x)"),
        Compile("x", ranges=((0, 1), (0, 1))),
        ExpandWidth(0, 1),
        ExpandWidth(1, 1, 1),
        Perturb("all", float("nan")),
        SetData(FormulaData(ranges=((0, 1),))),
        UseTable("t", Dataset([[1.0]], [[1.0]], [[1.0]], [[1.0]])),
        ApplyTraining(new_document("x").network, ()),
    ]
    for command in bad:
        with pytest.raises(KanStudioError):
            history.do(command)
    assert history.document is doppler and len(history.entries) == 1
    with pytest.raises(FormulaError):
        history.do(bad[0])


def test_training_counts_steps_over_all_runs(doppler: Document) -> None:
    once = apply(doppler, trained(doppler))
    twice = apply(once, trained(once, 2))
    assert [record.step for record in twice.losses] == [1, 2, 3, 4, 5]
    assert twice.steps == 5


def test_table_data_replaces_the_samples(doppler: Document) -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (8, 3))
    table = Dataset(x, x[:, :1], x, x[:, :1])
    after = apply(doppler, UseTable("rows.csv", table))
    assert after.dataset is table and after.table_name == "rows.csv"
    assert apply(after, SetData(doppler.source)).table_name == ""  # type: ignore[arg-type]


commands = st.one_of(
    st.builds(ExpandDepth, st.sampled_from([None, 0, 1, 2])),
    st.builds(ExpandWidth, st.integers(1, 3), st.integers(1, 2), st.sampled_from([None, 2, 3])),
    st.builds(Perturb, st.sampled_from(["off", "all", "minimal", "non-intrusive"])),
    st.sampled_from([Compile("x + sin(y)"), Compile("x*y"), Compile("exp(x)")]),
    st.builds(lambda n: SetData(FormulaData(((-1, 1), (0, 1)), n_train=n)), st.integers(5, 9)),
    st.just("train"),
)


@given(st.lists(st.tuples(commands, st.integers(0, 2)), max_size=12))
@settings(max_examples=40)
def test_undoing_random_commands_restores_document(steps: list[tuple[object, int]]) -> None:
    start = new_document("x*y", source=FormulaData((), n_train=20, n_test=10))
    history = History.start(start)
    documents = [start]
    for command, undos in steps:
        action = trained(history.document) if command == "train" else command
        try:
            history = history.do(action)  # type: ignore[arg-type]
        except KanStudioError:
            assert history.document is documents[-1]
            continue
        documents = [*documents, history.document]
        for _ in range(min(undos, len(documents) - 1)):
            history = history.undo()
            documents.pop()
        assert history.document is documents[-1]
    while history.can_undo:
        history = history.undo()
    assert history.document is start
    fresh = new_document("x*y", source=FormulaData((), n_train=20, n_test=10))
    assert start.network.same_values(fresh.network)
    assert start.dataset.same_values(fresh.dataset)


def test_perturb_off_takes_the_losses_of_its_training_along(doppler: Document) -> None:
    before = apply(doppler, trained(doppler, 2))
    on = apply(before, Perturb("all", 0.1))
    off = apply(apply(on, trained(on, 5)), Perturb("off"))
    assert off.losses == before.losses and off.network.same_values(before.network)


def test_a_new_law_keeps_the_measurements(doppler: Document) -> None:
    x = np.random.default_rng(0).uniform(0.1, 0.9, (8, 3))
    table = UseTable("rows.csv", Dataset(x, x[:, :1], x, x[:, :1]))
    measured = apply(doppler, table)
    again = apply(measured, Compile("omega_0*(1 + v/c)", ("omega_0", "v", "c")))
    assert again.table_name == "rows.csv" and again.dataset is table.dataset
    other = apply(measured, Compile("omega_0*v"))
    assert other.table_name == ""


def test_redo_and_jump_go_where_they_say(doppler: Document) -> None:
    history = History.start(doppler).do(ExpandDepth()).do(ExpandWidth(1, 1))
    assert [entry.label for entry in history.entries] == ["compile", "add layer", "layer 1 + 1 sum"]
    assert history.jump(0).document is doppler
    assert history.undo().redo() == history
    assert history.redo() == history and not history.can_redo
    with pytest.raises(EditError):
        history.jump(7)
    branch = history.jump(0).do(Perturb("all", 0.1))
    assert [entry.label for entry in branch.entries] == ["compile", "perturb all 0.1"]


def test_long_histories_keep_their_beginning(doppler: Document) -> None:
    history = History.start(doppler)
    same = replace(doppler)
    entries = tuple(replace(history.entries[0], document=same) for _ in range(MAX_ENTRIES))
    full = History((history.entries[0], *entries[1:]), MAX_ENTRIES - 1).do(Perturb("off"))
    assert len(full.entries) == MAX_ENTRIES
    assert full.entries[0].document is doppler


def renamed(text: str, old: str, new: str, inputs: tuple[str, ...] | None = None) -> Document:
    return apply(new_document(text, inputs=inputs), Rename(old, new))


@pytest.mark.parametrize(
    ("text", "old", "new", "after"),
    [
        ("2x sin x + y # why", "x", "theta", "2theta sin theta + y # why"),
        ("f(x, y) = x*y", "x", "t", "f(t, y) = t*y"),
        (r"\frac{x}{\sqrt{y}} + |x|", "x", "θ", r"\frac{theta}{\sqrt{y}} + |theta|"),
        ("a*x; b", "y2", "force", "a*x; force = b"),
        ("omega = a*x", "omega", "w", "w = a*x"),
        ("omega = a*x", "omega", "", "a*x"),
        ("f(a, x) = a*x", "f", "", "a*x"),
    ],
)
def test_renaming_rewrites_the_text_and_nothing_else(
    text: str, old: str, new: str, after: str
) -> None:
    before = new_document(text)
    document = apply(before, Rename(old, new))
    assert document.text == after
    assert document.dataset is before.dataset and document.source == before.source
    assert document.max_error == before.max_error
    again = new_document(document.text, inputs=document.network.input_names)
    assert again.network.output_names == document.network.output_names


def test_renaming_writes_the_formula_anew_where_words_are_glued() -> None:
    document = renamed("2x + ax", "x", "e3", inputs=("a", "x"))
    assert document.network.input_names == ("a", "e3")
    assert document.max_error < 1e-14 and "e3" in document.text


@pytest.mark.parametrize(
    "new", ["sin", "pi", "e", "2a", "y", "omega", "a b", "<b>", "x;z", "", "  ", "x" * 99, "a\nb"]
)
def test_a_bad_name_is_refused(new: str) -> None:
    with pytest.raises(EditError):
        renamed("omega = x*y", "x", new)


def test_renaming_follows_perturbation_and_undo(doppler: Document) -> None:
    on = apply(doppler, Perturb("all", 0.1))
    off = apply(apply(on, Rename("c", "k")), Perturb("off"))
    assert off.network.input_names == ("omega_0", "v", "k")
    assert off.max_error == doppler.max_error
    history = History.start(on).do(Rename("c", "k"))
    assert history.entries[-1].label == "rename c to k"
    assert history.undo().document is on


@given(st.text(max_size=8))
@settings(max_examples=200)
def test_any_new_name_is_taken_or_refused(new: str) -> None:
    try:
        document = renamed("u = x*y", "x", new)
    except EditError:
        return
    assert document.max_error == 0
    assert new_document(document.text).network.output_names == ("u",)


def test_samples_outside_the_domain_are_counted() -> None:
    document = apply(new_document("sqrt(x)"), SetData(FormulaData(((-1, 3),), 4000, 4000)))
    assert document.dataset.left_out == pytest.approx(0.25, abs=0.03)
    assert new_document("x^2").dataset.left_out == 0
