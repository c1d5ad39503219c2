"""The page's Content-Security-Policy."""

from __future__ import annotations

from kanstudio.app.policy import new_nonce, policy, signed


def test_every_page_has_a_nonce_of_its_own() -> None:
    nonces = {new_nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert all(len(nonce) >= 22 and '"' not in nonce for nonce in nonces)


def test_scripts_need_the_nonce_and_nothing_leaves_the_server() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy("abc").split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == "'nonce-abc' 'strict-dynamic' 'unsafe-eval'"
    assert "unsafe-inline" not in rules["script-src"]
    assert all("http" not in rule and "*" not in rule for rule in rules.values())


def test_every_script_is_signed() -> None:
    html = '<script>1</script>\n<script type="module" src="a.js"></script>'
    assert signed("abc", html) == (
        '<script nonce="abc">1</script>\n<script nonce="abc" type="module" src="a.js"></script>'
    )
