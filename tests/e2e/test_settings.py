"""The settings of a run in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from visits import LONG, button, fact, perturb, setting, until


def test_what_does_not_count_is_off_and_says_why(studio_page: Page) -> None:
    page = studio_page
    optimizer = page.get_by_label("Optimizer", exact=True)
    optimizer.select_option("auto")
    expect(optimizer.locator("option:checked")).to_have_text("Auto: LM", timeout=LONG)
    expect(page.get_by_label("Learning rate", exact=True)).to_be_disabled()
    button(page, "More settings").click()
    card = page.get_by_role("dialog", name="More settings")
    expect(card.get_by_label("Schedule")).to_be_disabled()
    expect(card.get_by_label("Patience")).to_have_attribute("placeholder", "10")
    card.get_by_label("Clip the gradient").fill("1")
    card.get_by_label("Clip the gradient").press("Tab")
    expect(optimizer.locator("option:checked")).to_have_text("Auto: Adam", timeout=LONG)
    schedule = card.get_by_label("Schedule")
    schedule.select_option("cosine")
    expect(card.get_by_label("Share at the end")).to_be_enabled(timeout=LONG)
    expect(card.get_by_label("Factor", exact=True)).to_be_disabled()
    expect(card.locator("label", has_text="Factor")).to_have_attribute(
        "title", re.compile("stepwise")
    )


def test_a_run_that_stops_early_says_so(studio_page: Page) -> None:
    page = studio_page
    perturb(page, "All")
    page.get_by_label("Optimizer", exact=True).select_option("LM")
    button(page, "More settings").click()
    card = page.get_by_role("dialog", name="More settings")
    for name, value in (("Patience", "2"), ("Least gain", "10")):
        card.get_by_label(name).fill(value)
        card.get_by_label(name).press("Tab")
    page.keyboard.press("Escape")
    setting(page, "Steps", "300")
    button(page, "Train").click()
    until(page, "step", re.compile("[1-9]"))
    until(page, "state", "idle")
    assert int(fact(page, "step")) < 10
    expect(page.get_by_role("status", name="Message")).to_contain_text("stopped early")
    expect(page.get_by_role("region", name="Training")).to_contain_text("steps · stopped early")
    assert float(fact(page, "train-loss")) > 0
