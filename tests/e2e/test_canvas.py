"""The network in a real browser: seen, clicked, walked over with keys."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

STILL = "canvas => canvas.kan.still && canvas.dataset.sequence !== undefined"
LOCATE = "(canvas, [kind, id]) => canvas.kan.locate(kind, id)"
COLOURS = """canvas => [...canvas.querySelectorAll('canvas')].map((layer) => {
  const pixels = layer.getContext('2d').getImageData(0, 0, layer.width, layer.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size;
})"""


def network(page: Page) -> Locator:
    """The canvas, once its first frame is painted and nothing moves."""
    canvas = page.get_by_test_id("kan-canvas")
    expect(canvas).to_have_attribute("data-sequence", "1", timeout=20_000)
    settle(canvas)
    return canvas


def settle(canvas: Locator) -> None:
    canvas.page.wait_for_function(STILL, arg=canvas.element_handle())


def place(canvas: Locator, kind: str, target: str | int) -> tuple[float, float]:
    at = canvas.evaluate(LOCATE, [kind, target])
    return at["x"], at["y"]


def first_edge(canvas: Locator) -> Locator:
    return canvas.get_by_role("button", name="Edge ")


def test_the_network_is_a_region_with_levels_and_nodes(studio_page: Page) -> None:
    canvas = network(studio_page)
    expect(studio_page.get_by_role("region", name="Network")).to_be_visible()
    for name in ("Layer 0, inputs", "Layer 1", "Layer 2, output", "Input v", "Input c"):
        expect(canvas.get_by_role("button", name=name, exact=True)).to_be_visible()
    lower, cards, _ = canvas.evaluate(COLOURS)
    assert lower > 20 and cards > 20


def test_a_click_on_an_edge_selects_it_and_escape_clears(studio_page: Page) -> None:
    canvas = network(studio_page)
    edge = first_edge(canvas)
    box = edge.bounding_box()
    assert box is not None
    studio_page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(edge).to_have_attribute("aria-pressed", "true")
    studio_page.keyboard.press("Escape")
    expect(edge).to_have_attribute("aria-pressed", "false")


def test_levels_and_nodes_answer_to_pointer_and_keyboard(studio_page: Page) -> None:
    canvas = network(studio_page)
    node = canvas.get_by_role("button", name="Input v", exact=True)
    node.click()
    expect(node).to_have_attribute("aria-pressed", "true")
    other = canvas.get_by_role("button", name="Input c", exact=True)
    other.focus()
    studio_page.keyboard.press("Enter")
    expect(other).to_have_attribute("aria-pressed", "true")
    expect(node).to_have_attribute("aria-pressed", "false")
    canvas.get_by_role("button", name="Layer 1", exact=True).click()
    expect(studio_page.get_by_role("button", name="Add sum nodes")).to_be_visible()


def test_arrow_keys_walk_over_the_edges(studio_page: Page) -> None:
    canvas = network(studio_page)
    edge = first_edge(canvas)
    edge.focus()
    names = {edge.get_attribute("aria-label")}
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        studio_page.keyboard.press(key)
        names.add(edge.get_attribute("aria-label"))
    assert len(names) == 4
    studio_page.keyboard.press("Enter")
    expect(edge).to_have_attribute("aria-pressed", "true")


def test_drag_pans_wheel_zooms_and_double_click_fits(studio_page: Page) -> None:
    canvas = network(studio_page)
    start = place(canvas, "node", 0), place(canvas, "node", 2)
    box = canvas.bounding_box()
    assert box is not None
    empty = box["x"] + 5, box["y"] + box["height"] - 4
    studio_page.mouse.move(*empty)
    studio_page.mouse.down()
    studio_page.mouse.move(empty[0] + 40, empty[1] - 30, steps=4)
    studio_page.mouse.up()
    settle(canvas)
    x, y = place(canvas, "node", 0)
    assert abs(x - start[0][0] - 40) < 1 and abs(y - start[0][1] + 30) < 1
    studio_page.mouse.move(x, y)
    studio_page.mouse.wheel(0, -300)
    settle(canvas)
    zoomed = place(canvas, "node", 0), place(canvas, "node", 2)
    assert abs(zoomed[0][0] - x) < 1 and abs(zoomed[0][1] - y) < 1
    assert zoomed[1][0] - zoomed[0][0] > 1.2 * (start[1][0] - start[0][0])
    studio_page.mouse.dblclick(*empty)
    settle(canvas)
    assert place(canvas, "node", 0) == start[0]


def test_hover_tells_name_function_and_score(studio_page: Page) -> None:
    canvas = network(studio_page)
    box = first_edge(canvas).bounding_box()
    assert box is not None
    studio_page.mouse.move(box["x"] + 10, box["y"] + 10)
    tip = canvas.locator(".tip")
    expect(tip).to_be_visible()
    for word in ("ω₀ → ", "function", "score"):
        expect(tip).to_contain_text(word)


def test_quick_clicks_on_different_things_all_count(studio_page: Page) -> None:
    canvas = network(studio_page)
    spots = [place(canvas, "node", node) for node in (0, 1, 2, 0, 1, 2)]
    for x, y in spots:
        studio_page.mouse.click(x, y)
    pressed = canvas.get_by_role("button", name="Input c", exact=True)
    expect(pressed).to_have_attribute("aria-pressed", "true")
