"""Take the README's pictures: the Studio in training, light and dark, and a plot.

    python tools/screenshots.py

Needs the test extra and a browser (tests/browser.py finds it).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
ASSETS = ROOT / "assets"
sys.path.insert(0, str(ROOT / "tests"))
from browser import find  # noqa: E402 - it stands with the tests


def main() -> None:
    command = [sys.executable, "-m", "kanstudio", "serve", "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=find(), args=["--no-sandbox", "--disable-gpu"]
            )
            for theme in ("light", "dark"):
                take(browser, address, theme)
            browser.close()
    finally:
        server.terminate()


def take(browser: Browser, address: str, theme: Literal["light", "dark"]) -> None:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, device_scale_factor=1.5, color_scheme=theme
    )
    # No first visit: the tour is not offered.
    context.add_init_script("localStorage.setItem('kanstudio-tour', '1')")
    page = context.new_page()
    page.goto(address)
    train(page)
    page.screenshot(path=ASSETS / f"studio-{theme}.png")
    context.close()


def train(page: Page) -> None:
    """Expand, perturb and train the first example; wait until the losses have fallen."""
    status = page.locator("#kanstudio-status")
    expect(status).to_have_attribute("data-widths", re.compile("3, 0"), timeout=30_000)
    page.get_by_role("button", name="Layer 1", exact=True).click()
    page.get_by_role("spinbutton", name="Count").fill("1")
    page.get_by_role("button", name="Add sum nodes").click()
    expect(status).to_have_attribute("data-version", "2")
    page.get_by_role("radio", name="All", exact=True).click()
    expect(status).to_have_attribute("data-version", "3")
    page.get_by_role("spinbutton", name="Steps").fill("3000")
    page.get_by_role("combobox", name="Optimizer").select_option("LBFGS")
    select_edge(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(status).to_have_attribute("data-step", re.compile(r"^\d{3}$"), timeout=60_000)


def select_edge(page: Page) -> None:
    """Click the edge from v to the second factor of the first mult node."""
    canvas = page.get_by_test_id("kan-canvas")
    at = canvas.evaluate("node => node.kan.locate('edge', '1-4.1')")
    page.mouse.click(at["x"], at["y"])
    expect(page.get_by_role("region", name="Inspector")).to_contain_text("1.3, factor 2")
    page.mouse.move(720, 840)


if __name__ == "__main__":
    main()
