"""The browser of this machine, and tabs in which nothing goes wrong unseen."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from tests.support.running import PATIENCE, Organization, RunningMuster

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_AXE: Final = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_STILL = """Promise.allSettled(document.getAnimations()
  .filter(each => each.effect?.getComputedTiming().endTime !== Infinity).map(each => each.finished))"""
_RUN_AXE: Final = """async () => {
  const found = await axe.run(document, { iframes: false });
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.failureSummary + node.html).join("; ")}`);
}"""


def program() -> str | None:
    """Where the browser is; None if this machine has none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@asynccontextmanager
async def chromium(executable: str) -> AsyncIterator[Browser]:
    """A running browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        yield browser
        await browser.close()


@dataclass
class Tab:
    """A page whose every stop is checked by axe."""

    page: Page
    base_url: str
    faults: list[str]

    async def open(self, path: str) -> None:
        """Go to a path of this Muster."""
        await self.page.goto(self.base_url + path)
        await self.check()

    async def arrive(self, path: str) -> None:
        """Wait until the page is at a path, which is given as a regular expression."""
        await self.page.wait_for_url(re.compile(f"^{re.escape(self.base_url)}{path}$"))
        await self.check()

    async def check(self) -> None:
        """Have axe look at the page as it is now, once its colours have stopped changing."""
        await self.page.evaluate(_STILL)
        await self.page.evaluate(_AXE.read_text())
        found = await self.page.evaluate(_RUN_AXE)
        self.faults += [f"axe at {self.page.url}: {fault}" for fault in found]

    async def overflows(self) -> bool:
        """Whether one has to scroll sideways to see all of the page."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@dataclass
class Visitor:
    """Someone with a browser, signed in to an organization as its owner.

    ``faults`` gathers what must not be: errors in the console (also violations of the content security policy), errors of pages,
    requests to elsewhere, and what axe finds. ``expected`` are the HTTP statuses a test provokes, which browsers report too;
    ``friends`` are the origins beside this Muster that it goes to.
    """

    browser: Browser
    muster: RunningMuster
    org: Organization
    faults: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)
    friends: set[str] = field(default_factory=set)
    _contexts: list[BrowserContext] = field(default_factory=list)

    async def window(self, signed_in: bool = True, **options: Any) -> BrowserContext:
        """A window with its own cookies. The options are the browser context's."""
        context = await self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE * 1000)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"page error: {error.error}"))
        context.on("request", self._request)
        self._contexts.append(context)
        if signed_in:
            page = await context.new_page()
            link = await self.muster.muster.accounts.issue_link(self.org.slug)
            await page.goto(f"{self.muster.base_url}/sign-in?link={link}")
            await page.click("button")
            await page.wait_for_url(f"{self.muster.base_url}/{self.org.slug}")
            await page.close()
        return context

    async def tab(self, window: BrowserContext | None = None, **options: Any) -> Tab:
        """A tab in a window, or in a new one."""
        context = window or await self.window(**options)
        return Tab(await context.new_page(), self.muster.base_url, self.faults)

    async def leave(self) -> None:
        """Close everything."""
        for context in self._contexts:
            await context.close()

    def _console(self, message: ConsoleMessage) -> None:
        refused = re.search(r"the server responded with a status of (\d+)", message.text)
        if message.type == "error" and not (refused and int(refused.group(1)) in self.expected):
            self.faults.append(f"console: {message.text} {json.dumps(message.location)}")

    def _request(self, request: Request) -> None:
        own = (f"{self.muster.base_url}/", "data:", *(f"{origin}/" for origin in self.friends))
        if not request.url.startswith(own):
            self.faults.append(f"a request to elsewhere: {request.url}")
