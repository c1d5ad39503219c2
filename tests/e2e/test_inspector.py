"""The inspector of an edge in a real browser: its numbers and its removal."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect
from visits import LONG, button, fact, until

CURVE = "canvas => canvas.kan.locate('edge', '1-4.1')"


def squared(page: Page) -> Locator:
    """Select the edge from v to its square; gives the inspector."""
    canvas = page.get_by_test_id("kan-canvas")
    page.wait_for_function(
        "canvas => canvas.kan.still && canvas.dataset.sequence", arg=canvas.element_handle()
    )
    at = canvas.evaluate(CURVE)
    page.mouse.click(at["x"], at["y"])
    inspector = page.get_by_role("region", name="Inspector")
    expect(inspector).to_contain_text("v → 1.2, factor 2", timeout=LONG)
    return inspector


def test_a_slider_is_one_edit_and_keeps_the_focus(studio_page: Page) -> None:
    page = studio_page
    inspector = squared(page)
    slider = inspector.get_by_role("slider", name="Slide c")
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    until(page, "version", "2")
    expect(slider).to_be_focused()
    shown = float(inspector.get_by_role("spinbutton", name="c", exact=True).input_value())
    assert shown > 1
    expect(page.get_by_role("region", name="History")).to_contain_text(f"set c = {shown:.4g}")
    assert float(fact(page, "max-error")) > 1e-3
    button(page, "Undo").click()
    until(page, "version", "3")
    expect(inspector.get_by_role("spinbutton", name="c", exact=True)).to_have_value("1")


def test_a_number_is_refused_or_taken(studio_page: Page) -> None:
    page = studio_page
    inspector = squared(page)
    field = inspector.get_by_role("spinbutton", name="a", exact=True)
    field.fill("")
    field.press("Tab")
    expect(field).to_have_attribute("aria-invalid", "true", timeout=LONG)
    expect(inspector.get_by_role("alert")).to_have_text("a is a number")
    field.fill("-1")
    field.press("Enter")
    until(page, "version", "2")
    expect(field).to_have_attribute("aria-invalid", "false")
    assert float(fact(page, "max-error")) < 1e-12


def test_an_edge_is_removed(studio_page: Page) -> None:
    page = studio_page
    inspector = squared(page)
    inspector.get_by_role("button", name="Remove edge").click()
    until(page, "edges-symbolic", "7")
    expect(inspector).to_contain_text("Formula now")
    expect(page.get_by_role("status", name="Message")).to_contain_text("output changed by up to")


def test_a_hidden_node_is_removed_and_an_output_is_not(studio_page: Page) -> None:
    page = studio_page
    canvas = page.get_by_test_id("kan-canvas")
    canvas.get_by_role("button", name="Output y", exact=True).click()
    inspector = page.get_by_role("region", name="Inspector")
    expect(inspector).to_contain_text("Mult node", timeout=LONG)
    expect(inspector.get_by_role("button", name="Remove node")).to_be_hidden()
    canvas.get_by_role("button", name="Node 1.1", exact=True).click()
    inspector.get_by_role("button", name="Remove node").click()
    until(page, "widths", "[[3, 0], [0, 2], [0, 1]]")
    button(page, "Undo").click()
    until(page, "widths", "[[3, 0], [1, 2], [0, 1]]")
