"""What the page may do: run our scripts, talk to our server, and nothing else."""

from __future__ import annotations

import secrets

NONCE_BYTES = 18

_POLICY = {
    "default-src": "'none'",
    # The page's scripts carry the nonce and may load their modules from blobs; what found its
    # way into the page as text does neither: no tag, no handler and no javascript: link runs.
    # Eval stays: Bokeh makes functions of the code in its models (CustomJS), and browser tests
    # wait with it.
    "script-src": "'nonce-{nonce}' 'strict-dynamic' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
}
"""Content-Security-Policy, level 3. Styles in line are how Bokeh lays a page out."""


def new_nonce() -> str:
    """A nonce for one page, never for two."""
    return secrets.token_urlsafe(NONCE_BYTES)


def policy(nonce: str) -> str:
    """The policy of a page whose scripts carry this nonce."""
    return "; ".join(f"{name} {value.format(nonce=nonce)}" for name, value in _POLICY.items())


def signed(nonce: str, html: str) -> str:
    """The HTML of Bokeh with the nonce on every script.

    html: tags that Bokeh wrote from its own files and a session's token: nothing in it comes
    from a person.
    """
    return html.replace("<script", f'<script nonce="{nonce}"')
