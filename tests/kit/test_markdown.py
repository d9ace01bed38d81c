"""Markdown that people wrote becomes harmless HTML."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.markdown import to_html

HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://example.org/x.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    '<a href="https://x" onclick="alert(1)">x</a>',
    '[x](https://example.org "title\\" onmouseover=alert(1)")',
    "<style>body{display:none}</style>",
    '<iframe src="https://example.org"></iframe>',
    "<svg/onload=alert(1)>",
    "<javascript:alert(1)>",
    "`<script>`",
    "```html onload=x\n<script>alert(1)</script>\n```",
    "| <img src=x> |\n|---|\n| [x](javascript:1) |",
]
_TAG = re.compile(r"<\s*/?\s*([a-zA-Z0-9]+)([^>]*)>")
_ALLOWED = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def harmless(html: str) -> None:
    for tag, attributes in _TAG.findall(html):
        assert tag in _ALLOWED, html
        for name, value in re.findall(r'([a-zA-Z-]+)="([^"]*)"', attributes):
            assert name in {"href", "rel"}, html
            assert name != "href" or re.match(r"(https?:|mailto:|[^:]*$)", value), html


@pytest.mark.feature("L10")
@pytest.mark.parametrize("text", HARMFUL)
def test_nothing_harmful_is_left(text: str) -> None:
    harmless(str(to_html(text)))


@given(
    st.lists(st.sampled_from([*HARMFUL, "**b**", "\n\n", "> q", "- l", "<", ">", '"', "](", "&#106;"]), max_size=8).map("".join)
)
def test_nothing_harmful_is_left_of_any_mixture(text: str) -> None:
    harmless(str(to_html(text)))


def test_what_people_need_stays() -> None:
    html = str(to_html("**bold** _soft_ `code` [link](https://example.org/a?b=c)\n\n- one\n- two\n\nline\nbreak"))
    for part in ("<strong>bold</strong>", "<em>soft</em>", "<code>code</code>", "<li>one</li>", "line<br>"):
        assert part in html
    assert '<a href="https://example.org/a?b=c" rel="noopener noreferrer">link</a>' in html


@pytest.mark.feature("L10")
@pytest.mark.parametrize(
    "text",
    ["[a" * 6000 + "](b)" * 2000, ">" * 100 + "a\n" + "b\n" * 9000, "[" * 299 + "*" * 19_000, "|a|b\n|-|-\n" + "|\n" * 9000],
)
def test_what_would_take_long_is_shown_as_it_is(text: str) -> None:
    html = to_html(text)
    harmless(html)
    shown = re.sub(r"</?p>|<br>", "", html)
    assert unescape(shown) == text


def test_a_long_description_is_still_rendered() -> None:
    text = "".join(f"- **{n}**: see [the page](https://example.org/{n}) of that\n" for n in range(60))
    assert to_html(text).count("<a href") == 60
