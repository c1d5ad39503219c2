"""What a person does and sees in the Studio, for tests to call."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, Page, expect

LONG = 60_000
"""Milliseconds that a busy machine may take; nothing here measures time."""


def status(page: Page) -> Locator:
    return page.locator("#kanstudio-status")


def fact(page: Page, name: str) -> str:
    return status(page).get_attribute(f"data-{name}") or ""


def until(page: Page, name: str, value: str | re.Pattern[str]) -> None:
    expect(status(page)).to_have_attribute(f"data-{name}", value, timeout=LONG)


def until_changed(page: Page, name: str, old: str) -> None:
    expect(status(page)).not_to_have_attribute(f"data-{name}", old, timeout=LONG)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def type_formula(page: Page, text: str) -> None:
    field = page.get_by_role("textbox", name="Formula")
    field.fill(text)
    field.press("Enter")


def compiled(page: Page, text: str, n_inputs: int) -> None:
    """Compile and wait for the network."""
    version = fact(page, "version")
    type_formula(page, text)
    until_changed(page, "version", version)
    assert json.loads(fact(page, "widths"))[0] == [n_inputs, 0]


def perturb(page: Page, mode: str) -> None:
    version = fact(page, "version")
    page.get_by_role("radiogroup", name="Perturb").get_by_role("radio", name=mode).click()
    until_changed(page, "version", version)


def setting(page: Page, name: str, value: str) -> None:
    field = page.get_by_role("region", name="Training").get_by_label(name, exact=True)
    field.fill(value)
    field.press("Tab")
