"""The Studio in a real browser: from a typed formula to a trained network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import Browser, Dialog, Page, expect
from visits import (
    LONG,
    button,
    compiled,
    fact,
    perturb,
    setting,
    status,
    type_formula,
    until,
    until_changed,
)

if TYPE_CHECKING:
    from conftest import Server

LAW = "exp(sin(pi*x) + y^2)"


def frame_number(page: Page) -> int:
    return int(page.get_by_test_id("kan-canvas").evaluate("el => el.kan.sequence"))


def test_first_visit_shows_a_compiled_example(studio_page: Page) -> None:
    until(studio_page, "state", "idle")
    assert json.loads(fact(studio_page, "widths")) == [[3, 0], [1, 2], [0, 1]]
    assert json.loads(fact(studio_page, "arities")) == [[], [2, 2], [3]]
    assert float(fact(studio_page, "max-error")) < 1e-12
    for name in ("Network", "Inspector", "Training", "History"):
        expect(studio_page.get_by_role("region", name=name)).to_be_visible()


def test_page_fits_the_window(studio_page: Page) -> None:
    for width, height in ((1280, 720), (1920, 1080)):
        studio_page.set_viewport_size({"width": width, "height": height})
        page_size = (
            "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
        )
        assert studio_page.evaluate(page_size) == [width, height]


def test_small_window_scrolls(studio_page: Page) -> None:
    studio_page.set_viewport_size({"width": 1024, "height": 600})
    for locator in (button(studio_page, "Light or dark"), button(studio_page, "Keys")):
        locator.click()
        studio_page.keyboard.press("Escape")
    places = studio_page.locator(".place").evaluate_all(
        "all => all.map(el => el.getBoundingClientRect()).map(r => [r.x, r.y, r.right, r.bottom])"
    )
    for one, (left, top, right, bottom) in enumerate(places):
        for other in places[one + 1 :]:
            apart = other[0] >= right - 1 or other[2] <= left + 1
            assert apart or other[1] >= bottom - 1 or other[3] <= top + 1


def test_menu_is_closed_by_its_button(studio_page: Page) -> None:
    for name in ("Examples", "Export", "More settings", "Share"):
        for expanded in ("true", "false", "true", "false"):
            button(studio_page, name).click(delay=90)
            expect(button(studio_page, name)).to_have_attribute("aria-expanded", expanded)


def test_typed_formula_becomes_a_network(studio_page: Page) -> None:
    compiled(studio_page, LAW, n_inputs=2)
    assert float(fact(studio_page, "max-error")) < 1e-12
    expect(studio_page.get_by_role("region", name="History")).to_contain_text("compile")
    expect(studio_page.locator(".reading svg")).to_be_visible(timeout=LONG)
    inspector = studio_page.get_by_role("region", name="Inspector")
    expect(inspector).to_contain_text("Formula now")
    expect(inspector.locator(".math svg")).to_have_count(2, timeout=LONG)


def test_syntax_error_stands_under_its_character(studio_page: Page) -> None:
    version = fact(studio_page, "version")
    field = studio_page.get_by_role("textbox", name="Formula")
    field.fill("sin(x) + * y")
    message = studio_page.locator("#formula-error")
    expect(message).to_contain_text("column 10", timeout=LONG)
    lines = (message.locator("pre").text_content() or "").split("\n")
    assert lines[0][lines[1].index("^")] == "*"
    expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Enter")
    field.fill("sin(x) + y")
    expect(message).to_be_hidden(timeout=LONG)
    assert fact(studio_page, "version") == version


def test_unknown_function_is_named(studio_page: Page) -> None:
    type_formula(studio_page, "sin(x) + frobnicate(x)")
    expect(studio_page.locator("#formula-error")).to_contain_text("frobnicate", timeout=LONG)


def test_expand_width_with_a_mult_node_of_arity_3(studio_page: Page) -> None:
    button(studio_page, "Layer 1").click()
    card = studio_page.get_by_role("dialog", name="Layer 1")
    card.get_by_label("Count").fill("1")
    card.get_by_label("Arity").fill("3")
    card.get_by_role("button", name="Add mult nodes").click()
    until(studio_page, "arities", "[[], [2, 2, 3], [3]]")
    assert float(fact(studio_page, "max-error")) < 1e-12
    expect(studio_page.get_by_text("output unchanged, max difference 0")).to_be_visible()


def test_level_card_says_what_is_wrong(studio_page: Page) -> None:
    button(studio_page, "Layer 1").click()
    card = studio_page.get_by_role("dialog", name="Layer 1")
    card.get_by_label("Arity").fill("1")
    card.get_by_role("button", name="Add mult nodes").click()
    expect(card.get_by_role("alert")).to_contain_text("at least 2", timeout=LONG)
    assert fact(studio_page, "version") == "1"


def band(page: Page, level: int) -> tuple[float, float]:
    at = page.get_by_test_id("kan-canvas").evaluate("(el, l) => el.kan.locate('level', l)", level)
    return at["x"], at["y"]


def test_double_click_on_a_band_opens_no_card(studio_page: Page) -> None:
    page = studio_page
    page.mouse.dblclick(*band(page, 1))
    # The next answer of the server comes after those to the two clicks.
    perturb(page, "All")
    expect(page.locator(".level-card")).to_be_hidden()
    page.mouse.click(*band(page, 1))
    page.mouse.click(*band(page, 2))
    expect(page.get_by_role("dialog", name="Output")).to_be_visible(timeout=LONG)


def test_depth_is_added_above_the_outputs(studio_page: Page) -> None:
    studio_page.get_by_role("button", name=re.compile("^Layer 2, output$")).click()
    button(studio_page, "Add layer above").click()
    until(studio_page, "widths", "[[3, 0], [1, 2], [0, 1], [1, 0]]")


def test_edge_that_is_clicked_is_inspected(studio_page: Page) -> None:
    place = studio_page.get_by_test_id("kan-canvas").evaluate(
        "el => el.kan.locate('edge', '0-3.0')"
    )
    studio_page.mouse.click(place["x"], place["y"])
    inspector = studio_page.get_by_role("region", name="Inspector")
    expect(inspector).to_contain_text("Symbolic mask", timeout=LONG)
    studio_page.keyboard.press("Escape")
    expect(inspector).to_contain_text("Typed formula", timeout=LONG)


def test_train_pause_and_undo_to_the_beginning(studio_page: Page) -> None:
    page = studio_page
    perturb(page, "All")
    assert fact(page, "edges-both") != "0"
    before = float(fact(page, "test-loss"))
    first_frame = frame_number(page)
    setting(page, "Steps", "100000")
    button(page, "Train").click()
    until(page, "state", "training")
    until(page, "step", re.compile(r"^\d{2,}$"))

    # The page answers while the run goes on.
    page.get_by_role("radiogroup", name="Colour by").get_by_role("radio", name="Forward").click()
    field = page.get_by_role("textbox", name="Formula")
    field.fill("x +")
    expect(page.locator("#formula-error")).to_be_visible(timeout=LONG)
    field.fill("x")
    assert fact(page, "state") == "training"

    button(page, "Pause").click()
    until(page, "state", "paused")
    assert float(fact(page, "test-loss")) < before
    assert frame_number(page) > first_frame
    button(page, "Stop").click()
    until(page, "state", "idle")
    history = page.get_by_role("region", name="History")
    expect(history).to_contain_text("train ·")
    assert float(fact(page, "test-loss")) < before

    for _ in range(2):
        version = fact(page, "version")
        button(page, "Undo").click()
        until_changed(page, "version", version)
    expect(button(page, "Undo")).to_be_disabled()
    assert fact(page, "edges-both") == "0"
    assert fact(page, "step") == "0"
    assert float(fact(page, "max-error")) < 1e-12


def test_a_layer_above_a_hidden_level_keeps_the_output(studio_page: Page) -> None:
    page = studio_page
    button(page, "Layer 1").click()
    page.get_by_role("dialog", name="Layer 1").get_by_role("button", name="Add layer above").click()
    until(page, "widths", "[[3, 0], [1, 2], [3, 0], [0, 1]]")
    expect(page.get_by_text("output unchanged, max difference 0")).to_be_visible()


def test_a_layer_that_only_hands_on_is_removed(studio_page: Page) -> None:
    page = studio_page
    button(page, "Layer 2, output").click()
    button(page, "Add layer above").click()
    until(page, "widths", "[[3, 0], [1, 2], [0, 1], [1, 0]]")
    button(page, "Layer 1").click()
    card = page.get_by_role("dialog", name="Layer 1")
    expect(card).to_contain_text("Layer 1 is needed: 1.2 multiplies.", timeout=LONG)
    expect(card.get_by_role("button", name="Remove layer")).to_be_disabled()
    page.keyboard.press("Escape")
    button(page, "Layer 2").click()
    button(page, "Remove layer").click()
    until(page, "widths", "[[3, 0], [1, 2], [0, 1]]")
    expect(page.get_by_text("Remove layer 2 · output unchanged, max difference 0")).to_be_visible()


def test_a_shared_link_opens_the_formula(studio_page: Page) -> None:
    page = studio_page
    field = page.get_by_role("textbox", name="Formula")
    field.fill("u = x*y; w = sin(x)")
    field.press("Enter")
    until(page, "widths", re.compile(r"\[2, 0\]\]$"))
    shape = fact(page, "widths")
    button(page, "Share").click()
    link = page.get_by_role("textbox", name="Link").input_value()
    page.goto(link)
    until(page, "widths", shape)
    expect(page.get_by_role("textbox", name="Formula")).to_have_value("u = x*y; w = sin(x)")
    page.goto(link.split("?")[0] + "?formula=sin(")
    expect(page.get_by_text("The link's formula could not be opened")).to_be_visible(timeout=LONG)


def test_a_reload_comes_back_to_the_same_work(studio_page: Page) -> None:
    page = studio_page
    perturb(page, "All")
    setting(page, "Steps", "100000")
    button(page, "Train").click()
    until(page, "step", re.compile(r"^\d{2,}$"))
    page.reload()
    expect(page.get_by_text("Back where you were")).to_be_visible(timeout=LONG)
    assert fact(page, "edges-both") == "8"
    assert int(fact(page, "step")) >= 10
    history = page.get_by_role("region", name="History")
    expect(history).to_contain_text("train ·")
    button(page, "Undo").click()
    until(page, "step", "0")


def test_leaving_asks_only_where_something_is_lost(studio_page: Page) -> None:
    page = studio_page
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", answer)
    expect(status(page)).to_contain_text("No changes")
    perturb(page, "All")
    expect(status(page)).to_contain_text("Not saved")
    with page.expect_event("dialog"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    page.keyboard.press("F5")
    page.reload()
    expect(page.get_by_text("Back where you were")).to_be_visible(timeout=LONG)
    button(page, "Export").click()
    with page.expect_download():
        page.get_by_role("menuitem", name=re.compile("Model file")).click()
    until(page, "kept", "saved")
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"]


def test_edit_during_training_keeps_what_was_learned(studio_page: Page) -> None:
    page = studio_page
    perturb(page, "All")
    setting(page, "Steps", "100000")
    button(page, "Train").click()
    until(page, "step", re.compile(r"^\d{2,}$"))
    button(page, "Layer 1").click()
    card = page.get_by_role("dialog", name="Layer 1")
    card.get_by_role("button", name="Add sum nodes").click()
    until(page, "widths", "[[3, 0], [2, 2], [0, 1]]")
    until(page, "state", "idle")
    history = page.get_by_role("region", name="History")
    expect(history).to_contain_text("train ·")
    expect(history).to_contain_text("layer 1 + 1 sum")


def test_step_and_keys(studio_page: Page) -> None:
    page = studio_page
    perturb(page, "Minimal")
    button(page, "Step").click()
    until(page, "state", "paused")
    until(page, "step", "1")
    button(page, "Step").click()
    until(page, "step", "2")
    button(page, "Stop").click()
    until(page, "state", "idle")
    page.get_by_role("heading", name="KAN Studio").click()
    page.keyboard.press("Control+z")
    until(page, "step", "0")
    page.keyboard.press("Control+Shift+z")
    until(page, "step", "2")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_strategies_show_their_costs_and_are_one_click_away(studio_page: Page) -> None:
    page = studio_page
    text = "u = sin(x*y) + 1/2x\nv = exp(sin(x*y))"
    page.get_by_role("textbox", name="Formula").fill(text)
    typed = page.locator(".sheet").get_by_role("table", name="Cost of each strategy")
    expect(typed.get_by_role("row", name=re.compile("^Tree"))).to_be_visible(timeout=LONG)
    expect(page.locator(".sheet")).to_contain_text("is read as")
    expect(page.locator(".sheet .lines svg")).to_have_count(2)
    page.keyboard.press("Enter")
    until(page, "version", "2")
    expect(page.get_by_role("combobox", name="Strategy")).to_have_value("shared")
    costs = page.get_by_role("region", name="Inspector").get_by_role("table")
    costs.get_by_role("link", name="Tree").click(timeout=LONG)
    until(page, "version", "3")
    expect(page.get_by_role("combobox", name="Strategy")).to_have_value("tree")
    expect(page.get_by_role("region", name="History")).to_contain_text("compile (tree)")
    page.get_by_role("combobox", name="Strategy").select_option("Shared")
    until(page, "version", "4")
    assert float(fact(page, "max-error")) < 1e-12


def test_names_and_ranges_belong_to_each_input_and_output(studio_page: Page) -> None:
    page = studio_page
    compiled(page, "omega = sqrt(x)*t", n_inputs=2)
    page.get_by_role("button", name=re.compile("^Data: ")).click()
    card = page.get_by_role("dialog", name="Data")
    card.get_by_label("Range of x, from").fill("-1")
    card.get_by_label("Range of t, to").fill("2*tau")
    card.get_by_role("button", name="Draw samples").click()
    expect(card.get_by_role("alert")).to_contain_text("Range of t, to", timeout=LONG)
    card.get_by_label("Range of t, to").fill("2*pi")
    version = fact(page, "version")
    page.keyboard.press("Enter")
    until_changed(page, "version", version)
    expect(page.get_by_role("status", name="Message")).to_contain_text("outside the formula")
    inspector = page.get_by_role("region", name="Inspector")
    field = inspector.get_by_role("textbox", name="Name")
    for node, old, new in (("Input t", "t", "θ"), ("Output ω", "omega", "force")):
        version = fact(page, "version")
        page.get_by_role("button", name=node, exact=True).click()
        expect(field).to_have_value(old, timeout=LONG)
        field.fill(new)
        page.keyboard.press("Enter")
        until_changed(page, "version", version)
    formula = page.get_by_role("textbox", name="Formula")
    expect(formula).to_have_value("force = sqrt(x)*theta")
    expect(page.get_by_role("button", name="Output force", exact=True)).to_be_visible()


def test_csv_is_trained_on(studio_page: Page) -> None:
    page = studio_page
    compiled(page, "a*x^2", n_inputs=2)
    perturb(page, "All")
    button(page, "Open").click()
    x = np.linspace(0.1, 2, 80)
    a = np.tile([0.5, 1.0], 40)
    rows = "\n".join(
        f"{p:.6f},{q:.6f},{p * q**2 + 0.1 * np.sin(q):.6f}" for p, q in zip(a, x, strict=True)
    )
    page.get_by_label("Data file").set_input_files(
        {"name": "run.csv", "mimeType": "text/csv", "buffer": f"a,x,measured\n{rows}\n".encode()}
    )
    card = page.get_by_role("dialog", name="Data")
    expect(card).to_contain_text("80 rows", timeout=LONG)
    expect(card.get_by_label("Output y")).to_have_value("measured")
    version = fact(page, "version")
    card.get_by_role("button", name="Use this file").click()
    until_changed(page, "version", version)
    before = float(fact(page, "test-loss"))
    page.get_by_label("Optimizer").select_option("LBFGS")
    setting(page, "Steps", "10")
    button(page, "Train").click()
    until(page, "step", "10")
    until(page, "state", "idle")
    assert float(fact(page, "test-loss")) < before
    expect(page.get_by_role("region", name="History")).to_contain_text("run.csv")


def test_no_column_is_chosen_twice(studio_page: Page) -> None:
    page = studio_page
    compiled(page, "y = x*z", n_inputs=2)
    button(page, "Open").click()
    page.get_by_label("Data file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"y,z,w\n1,2,3\n2,3,4\n"}
    )
    card = page.get_by_role("dialog", name="Data")
    expect(card.get_by_label("Input x")).to_have_value("w", timeout=LONG)
    expect(card.get_by_label("Input z")).to_have_value("z")
    expect(card.get_by_label("Output y")).to_have_value("y")


def test_refused_value_leaves_its_field(studio_page: Page) -> None:
    page = studio_page
    for name, wrong, value in (("Magnitude", "-1", "0.1"), ("Contrast β", "", "3")):
        field = page.get_by_label(name, exact=True)
        field.fill(wrong)
        field.press("Enter")
        expect(field).to_have_value(value, timeout=LONG)
        expect(page.get_by_role("status", name="Message")).to_contain_text(name)
    setting(page, "Steps", "0")
    steps = page.get_by_label("Steps", exact=True)
    expect(steps).to_have_attribute("aria-invalid", "true", timeout=LONG)
    setting(page, "Steps", "10")
    expect(steps).to_have_attribute("aria-invalid", "false", timeout=LONG)
    expect(page.get_by_role("status", name="Message")).to_be_hidden()


def test_lost_server_is_said(browser: Browser, new_server: Server) -> None:
    page = browser.new_page()
    page.goto(new_server.address)
    until(page, "state", "idle")
    new_server.stop()
    expect(status(page)).to_contain_text("Offline", timeout=LONG)
    assert fact(page, "state") == "error"
    expect(button(page, "Compile")).to_be_disabled()
    expect(page.locator(".place.dock")).to_have_js_property("inert", True)
    page.close()


def test_bad_csv_is_explained(studio_page: Page) -> None:
    button(studio_page, "Open").click()
    studio_page.get_by_label("Data file").set_input_files(
        {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n3,oops\n"}
    )
    card = studio_page.get_by_role("dialog", name="Data")
    expect(card.get_by_role("alert")).to_contain_text("line 3", timeout=LONG)


def test_example_is_found_and_opened(studio_page: Page) -> None:
    button(studio_page, "Examples").click()
    studio_page.get_by_label("Search examples").fill("tutorial")
    studio_page.get_by_role("button", name=re.compile("Compiler tutorial")).click()
    until(studio_page, "version", "2")
    expect(studio_page.get_by_role("textbox", name="Formula")).to_have_value(LAW)


def test_pictures_and_models_leave_and_models_come_back(studio_page: Page) -> None:
    page = studio_page
    perturb(page, "All")
    saved = []
    for name in ("Network as SVG", "Model file"):
        button(page, "Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=re.compile(name)).click()
        saved.append(download.value.path().read_bytes())
    assert saved[0].startswith(b"<svg")
    compiled(page, "x*y", n_inputs=2)
    button(page, "Open").click()
    page.get_by_label("Data file").set_input_files(
        {"name": "a.safetensors", "mimeType": "application/octet-stream", "buffer": saved[1]}
    )
    until(page, "edges-both", "8")
    expect(page.get_by_role("textbox", name="Formula")).to_have_value(re.compile("omega_0"))
    expect(page.get_by_role("region", name="History")).to_contain_text("open a.safetensors")


def test_light_and_dark(studio_page: Page) -> None:
    canvas = studio_page.get_by_test_id("kan-canvas")
    expect(canvas).to_have_attribute("data-theme", "light")
    button(studio_page, "Light or dark").click()
    expect(canvas).to_have_attribute("data-theme", "dark", timeout=LONG)


def test_two_sessions_share_nothing(visit: Callable[[], Any]) -> None:
    one, other = visit().open(), visit().open()
    compiled(one, "x*y", n_inputs=2)
    perturb(one, "All")
    button(one, "Train").click()
    until(one, "step", re.compile(r"^[1-9]"))
    assert fact(other, "version") == "1"
    assert fact(other, "state") == "idle"
    assert json.loads(fact(other, "widths"))[0] == [3, 0]
    expect(other.get_by_role("textbox", name="Formula")).to_have_value(re.compile("omega_0"))
