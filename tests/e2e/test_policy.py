"""The page's Content-Security-Policy in a real browser: our scripts run, no others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page
from visits import until

if TYPE_CHECKING:
    from conftest import Server

INSERT = """() => {
  window.violations = [];
  addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
  const box = document.body.appendChild(document.createElement('div'));
  box.innerHTML = `<img src="data:," onerror="window.ran = 1"><a href="javascript:ran=1">x</a>
    <iframe srcdoc="<script>parent.ran = 1</script>"></iframe>`;
  box.querySelector('a').click();
}"""


def nonces(page: Page) -> set[str]:
    found: list[str] = page.eval_on_selector_all("script", "all => all.map(one => one.nonce)")
    return set(found)


def test_text_that_became_html_runs_nothing(browser: Browser, studio_server: Server) -> None:
    page = browser.new_page()
    page.goto(studio_server.address)
    until(page, "state", "idle")
    page.evaluate(INSERT)
    page.wait_for_function("window.violations.length >= 2")
    assert page.evaluate("window.ran") is None
    first = nonces(page)
    page.reload()
    until(page, "state", "idle")
    assert len(first) == 1 and "" not in first
    assert first.isdisjoint(nonces(page))
    page.close()
