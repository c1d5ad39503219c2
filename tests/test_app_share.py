"""Links that open a formula: they round-trip, and hostile ones are refused."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from kanstudio.app.share import link_query, shared_document
from kanstudio.editor.document import Document, new_document
from kanstudio.errors import KanStudioError


def opened(query: str) -> Document | None:
    fields = parse_qs(query.removeprefix("?"))
    return shared_document({k: [v.encode() for v in vs] for k, vs in fields.items()})


@pytest.mark.parametrize("text", ["x*y", "a = θ + λ^2\nb = |θ|", "sqrt(1 - v^2/c^2) # d&e=f"])
def test_a_link_gives_the_same_document(text: str) -> None:
    document = new_document(text)
    again = opened(link_query(document))
    assert again is not None
    assert again.network.same_values(document.network)
    assert again.dataset.same_values(document.dataset)


def test_no_formula_is_no_document() -> None:
    assert opened("?theme=dark") is None
    assert opened("?formula=%20") is None


@pytest.mark.parametrize(
    "query",
    [
        "?formula=sin(",
        "?formula=x&inputs=y",
        "?formula=x&inputs=x&ranges=a:b",
        "?formula=x&inputs=x&ranges=0:1,0:1",
        "?formula=x&inputs=x&ranges=nan:1",
        "?formula=x&inputs=x&ranges=1:0",
        "?formula=__import__('os')",
        "?formula=x&inputs=<b>",
        "?formula=%ff%00x",
        "?formula=x&strategy=smallest",
    ],
)
def test_a_bad_link_is_an_error_that_the_page_can_show(query: str) -> None:
    with pytest.raises(KanStudioError):
        opened(query)
