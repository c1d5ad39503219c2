"""The guided tour in a real browser: offered once, led through, left."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect
from visits import LONG, button, perturb, type_formula, until

if TYPE_CHECKING:
    from conftest import Visit

POINTED = """() => {
  const seek = (root) => [...root.querySelectorAll('*')].flatMap((node) => [
    ...(node.hasAttribute('data-tour') ? [node.getAttribute('aria-label') || node.innerText] : []),
    ...(node.shadowRoot ? seek(node.shadowRoot) : [])]);
  return seek(document);
}"""


def test_the_tour_points_at_controls_and_follows_what_is_done(studio_page: Page) -> None:
    page = studio_page
    page.set_viewport_size({"width": 1280, "height": 720})
    tour = page.get_by_role("region", name="Guided tour")
    button(page, "Start the tour").click()
    expect(tour).to_contain_text("Step 1 of 7", timeout=LONG)
    page.wait_for_function(f"({POINTED})().includes('Formula')")
    type_formula(page, "exp(sin(pi*x) + y^2)")
    expect(tour).to_contain_text("Step 2 of 7", timeout=LONG)
    page.wait_for_function(f"({POINTED})().includes('Layer 1')")
    tour.get_by_role("button", name="Go there").click()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add sum nodes").click()
    expect(tour).to_contain_text("Step 3 of 7", timeout=LONG)
    page.wait_for_function(f"({POINTED})().includes('Perturb')")
    perturb(page, "All")
    expect(tour).to_contain_text("Step 4 of 7", timeout=LONG)
    page.get_by_label("Optimizer", exact=True).select_option("LM")
    page.get_by_label("Steps", exact=True).fill("10")
    page.get_by_label("Steps", exact=True).press("Tab")
    for index in (5, 6, 7):
        tour.get_by_role("button", name="Next").click()
        expect(tour).to_contain_text(f"Step {index} of 7", timeout=LONG)
    until(page, "edges-spline", "0")
    expect(page.get_by_role("region", name="Inspector")).to_contain_text("Formula now")
    tour.get_by_role("button", name="Finish").click()
    expect(tour).to_be_hidden(timeout=LONG)
    assert page.evaluate(POINTED) == []


def test_the_offer_covers_nothing_and_does_not_come_again(visit: Callable[[], Visit]) -> None:
    page = visit().open()
    page.set_viewport_size({"width": 1280, "height": 720})
    tour = page.get_by_role("region", name="Guided tour")
    expect(tour).to_be_visible(timeout=LONG)
    card, inspector = tour.bounding_box(), page.locator(".place.inspector").bounding_box()
    assert card is not None and inspector is not None
    assert card["y"] + card["height"] <= inspector["y"] + 1
    tour.get_by_role("button", name="No tour").click()
    expect(tour).to_be_hidden(timeout=LONG)
    page.reload()
    until(page, "state", "idle")
    again = button(page, "Tour")
    expect(again).to_be_visible(timeout=LONG)
    expect(tour).to_be_hidden()
    again.press("Enter")
    expect(tour).to_contain_text(re.compile("Step 1 of 7"), timeout=LONG)
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden(timeout=LONG)
