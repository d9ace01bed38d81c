"""Markdown that people wrote, as HTML that is safe to show, in bounded time."""

import re
from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

MAX_LENGTH: Final = 20_000
MAX_LINES: Final = 400
MAX_LOOKS: Final = 400_000
"""How many characters the parser may look at for links: for each ``[``, it looks through what follows."""
MAX_MARKS: Final = 2_000
"""How many characters may be neither letters, digits nor white space."""
_MARK: Final = re.compile(r"[^\w\s]|_")
# Every level of quotes and lists goes through all lines below it again.
_PARSER: Final = MarkdownIt("js-default", {"html": False, "linkify": False, "breaks": True, "maxNesting": 12}).disable("image")
_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


@lru_cache(maxsize=500)
def to_html(text: str) -> Markup:
    """The text rendered and sanitised: no images, scripts, styles or attributes but links'.

    A text with more markup than people write is shown as it is: rendering it could take seconds, and nothing else runs then.
    """
    if not _quickly_rendered(text):
        return Markup("<p>{}</p>").format(Markup(str(escape(text)).replace("\n", "<br>\n")))  # noqa: S704  (escaped)
    clean = nh3.clean(
        _PARSER.render(text),
        tags=_TAGS,
        attributes={"*": set(), "a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
    )
    return Markup(clean)  # noqa: S704  (sanitised on the line above)


def _quickly_rendered(text: str) -> bool:
    return (
        len(text) <= MAX_LENGTH
        and text.count("\n") < MAX_LINES
        and text.count("[") * len(text) <= MAX_LOOKS
        and sum(1 for _ in _MARK.finditer(text)) <= MAX_MARKS
    )
