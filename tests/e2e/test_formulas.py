"""Long formulas in a real browser: typed, read, enlarged."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from visits import LONG, button, compiled, until

PASTED = (
    r"\frac{\omega_0 \left(1 + \frac{v}{c}\right)}{\sqrt{1 - \frac{v^2}{c^2}}}"
    r" + \frac{1}{2}\sin\left(\pi x\right)^2"
)
SUM = " + ".join(f"x_{i}*x_{i + 1}" for i in range(1, 20))


def test_a_long_line_is_seen_whole_while_it_is_typed(studio_page: Page) -> None:
    page = studio_page
    field = page.get_by_role("textbox", name="Formula")
    assert field.evaluate("el => el.rows") == 1
    field.fill(PASTED)
    expect(page.locator(".sheet .lines svg").first).to_be_visible(timeout=LONG)
    assert field.evaluate("el => el.rows > 1 && el.scrollHeight <= el.clientHeight")
    assert field.evaluate("el => el.scrollWidth <= el.clientWidth")
    field.press("Enter")
    until(page, "version", "2")
    expect(field).to_have_js_property("rows", 1)


def test_the_first_formula_stands_beside_its_reading(studio_page: Page) -> None:
    page = studio_page
    page.set_viewport_size({"width": 1280, "height": 720})
    reading = page.locator(".reading svg")
    expect(reading).to_be_visible(timeout=LONG)
    field = page.get_by_role("textbox", name="Formula")
    expect(field).to_have_js_property("scrollWidth", field.evaluate("el => el.clientWidth"))


def test_a_long_formula_breaks_and_can_be_enlarged(studio_page: Page) -> None:
    page = studio_page
    compiled(page, SUM, n_inputs=20)
    inspector = page.get_by_role("region", name="Inspector")
    box = inspector.locator(".math").first
    expect(box.locator("span > mjx-container")).to_have_count(19, timeout=LONG)
    assert box.evaluate("el => el.scrollWidth <= el.clientWidth + 1")
    button(page, "Enlarge: Typed formula").click()
    card = page.get_by_role("dialog", name="Typed formula")
    expect(card.locator("svg").first).to_be_visible(timeout=LONG)
    inside = card.bounding_box()
    window = page.viewport_size
    assert inside is not None and window is not None
    assert inside["x"] >= 0 and inside["x"] + inside["width"] <= window["width"]
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_a_suggestion_is_taken_by_a_click(studio_page: Page) -> None:
    page = studio_page
    field = page.get_by_role("textbox", name="Formula")
    field.fill("2*α + sine(x) + 1")
    page.get_by_role("button", name="Write sin", exact=True).click(timeout=LONG)
    expect(field).to_have_value("2*α + sin(x) + 1")
    expect(field).to_be_focused()
    expect(page.locator(".formula-box.wrong")).to_have_count(0, timeout=LONG)
    field.press("Enter")
    until(page, "version", "2")
