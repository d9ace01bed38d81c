"""The editors of rules and role policies, as they are open in a browser without scripts."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.web.browser import Browser


class Form(HTMLParser):
    """The fields of the form with this id, as a browser without scripts would send them."""

    def __init__(self, page: str, identity: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._identity = identity
        self._inside = False
        self._select: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("id") == self._identity
        if not self._inside:
            return
        if tag == "input" and (given.get("type") not in {"checkbox", "radio"} or "checked" in given):
            self.fields.append((given["name"], given.get("value", "")))
        if tag == "select":
            self._select = [given["name"]]
        if tag == "option" and ("selected" in given or len(self._select) == 1):
            self._select[1:] = [given["value"]]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and len(self._select) == 2:
            self.fields.append((self._select[0], self._select[1]))
            self._select = []


class Editor:
    """An editor: its form has the id ``identity``."""

    def __init__(self, browser: Browser, path: str, identity: str, answer: httpx.Response) -> None:
        self._browser = browser
        self._identity = identity
        self.path = path
        self.answer = answer

    @property
    def sentence(self) -> str:
        found = re.search(r'aria-label="The \w+ as a sentence"><p>(.*?)</p>', self.answer.text)
        assert found, self.answer.text
        return unescape(found.group(1))

    @property
    def errors(self) -> dict[str, str]:
        found = re.findall(r'<span class="error" id="error-(\w+)">(.*?)</span>', self.answer.text)
        return {name: unescape(said) for name, said in found}

    async def press(self, do: str, **typed: str | list[str]) -> None:
        """Press one of the buttons, with something typed or chosen before."""
        await self._send(f"{self.path}/draft", typed, [("do", do)])

    async def save(self, **typed: str | list[str]) -> None:
        """Press the button that saves."""
        await self._send(self.path, typed, [])

    async def _send(self, to: str, typed: dict[str, Any], more: list[tuple[str, str]]) -> None:
        kept = Form(self.answer.text, self._identity).fields
        fields = [(name, value) for name, value in kept if name not in typed] + more
        fields += [(name, value) for name, given in typed.items() for value in ([given] if isinstance(given, str) else given)]
        data: dict[str, list[str]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        self.answer = await self._browser.client.post(to, data=data)
