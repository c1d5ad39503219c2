"""The last two steps in a real browser: prune, and fix splines as functions."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from visits import LONG, button, compiled, fact, perturb, setting, until, until_changed


@pytest.fixture
def trained(studio_page: Page) -> Page:
    page = studio_page
    compiled(page, "x*sin(y) + x", n_inputs=2)
    perturb(page, "All")
    page.get_by_label("Optimizer", exact=True).select_option("LM")
    setting(page, "Steps", "15")
    button(page, "Train").click()
    until(page, "step", "15")
    until(page, "state", "idle")
    return page


def test_pruning_is_shown_before_it_is_done(trained: Page) -> None:
    page = trained
    version, splines = fact(page, "version"), int(fact(page, "edges-spline"))
    assert splines > 0
    page.get_by_role("link", name="Prune, next").click()
    card = page.get_by_role("dialog", name="Prune")
    expect(card).to_contain_text("Output changes by up to", timeout=LONG)
    field = card.get_by_label("Edge threshold", exact=True)
    field.fill("-1")
    field.press("Tab")
    expect(field).to_have_attribute("aria-invalid", "true", timeout=LONG)
    field.fill("0.000000001")
    field.press("Tab")
    expect(card).to_contain_text(re.compile("Edges0 of"), timeout=LONG)
    expect(card.get_by_role("button", name="Prune")).to_be_disabled()
    field.fill("0.03")
    field.press("Tab")
    expect(card.get_by_role("button", name="Prune")).to_be_enabled(timeout=LONG)
    assert fact(page, "version") == version
    card.get_by_role("button", name="Prune").click()
    until_changed(page, "version", version)
    expect(card).to_be_hidden()
    assert int(fact(page, "edges-spline")) < splines
    expect(page.get_by_role("region", name="History")).to_contain_text("prune ·")
    expect(page.get_by_role("link", name="Prune, done")).to_be_visible()


def test_the_card_of_a_step_covers_nothing(studio_page: Page) -> None:
    page = studio_page
    for size in ({"width": 1280, "height": 720}, {"width": 1920, "height": 1080}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for name in ("Prune", "Symbolify"):
            page.get_by_role("link", name=re.compile(f"^{name}")).click()
            card = page.get_by_role("dialog", name=name)
            expect(card).to_be_visible(timeout=LONG)
            apart(card, *page.locator(".place:not(.simplify)").all())
    page.get_by_role("button", name="Input v", exact=True).click()
    expect(page.get_by_role("region", name="Inspector")).to_contain_text("Node", timeout=LONG)
    expect(card).to_be_visible()
    # The first Escape is for the selection.
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Inspector")).to_contain_text("Model", timeout=LONG)
    page.keyboard.press("Escape")
    expect(card).to_be_hidden(timeout=LONG)


def apart(one: Locator, *others: Locator) -> None:
    """Nothing of the one lies over the others."""
    box = one.bounding_box()
    assert box is not None
    for other in others:
        place = other.bounding_box()
        assert place is not None
        beside = (
            min(box["x"] + box["width"], place["x"] + place["width"])
            <= max(box["x"], place["x"]) + 1
        )
        above = (
            min(box["y"] + box["height"], place["y"] + place["height"])
            <= max(box["y"], place["y"]) + 1
        )
        assert beside or above


def test_an_edge_is_fixed_as_what_it_looks_like(trained: Page) -> None:
    page = trained
    both = int(fact(page, "edges-both"))
    canvas = page.get_by_test_id("kan-canvas")
    canvas.get_by_role("button", name="Edge ").focus()
    page.keyboard.press("Enter")
    looks = page.get_by_role("region", name="Inspector").locator(".looks")
    expect(looks.get_by_role("row")).to_have_count(6, timeout=LONG)
    version = fact(page, "version")
    looks.get_by_role("button", name=re.compile("^Fix as ")).first.click()
    until_changed(page, "version", version)
    assert int(fact(page, "edges-both")) == both - 1
    expect(looks).to_be_hidden()
    expect(page.get_by_role("region", name="History")).to_contain_text(re.compile("fix .* as "))


def test_all_splines_are_fixed_at_once(trained: Page) -> None:
    page = trained
    page.get_by_role("link", name=re.compile("^Symbolify")).click()
    card = page.get_by_role("dialog", name="Symbolify")
    fix = card.get_by_role("button", name=re.compile(r"^Fix \d+ edges?$"))
    expect(fix).to_be_enabled(timeout=LONG)
    limit = card.get_by_label("R² at least")
    limit.fill("-1000")
    limit.press("Tab")
    expect(card.locator("tr.low")).to_have_count(0, timeout=LONG)
    version = fact(page, "version")
    fix.click()
    until_changed(page, "version", version)
    assert (fact(page, "edges-spline"), fact(page, "edges-both")) == ("0", "0")
    expect(page.get_by_role("link", name="Symbolify, done")).to_be_visible()
    button(page, "Undo").click()
    until(page, "edges-spline", re.compile("[1-9]"))
