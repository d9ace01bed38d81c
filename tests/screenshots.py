"""The pictures of the README: a Muster in a folder of its own plays an incident, and a browser looks at it.

Run it with ``make screenshots``; the pictures are written to ``docs/images``.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.async_api import Browser, Page

from services.kit.clock import now
from services.kit.database import Database, sqlite_url
from services.kit.settings import Settings
from services.kit.temporal import Target
from services.kit.temporal_program import find_temporal
from services.kit.temporal_server import EmbeddedTemporal
from services.store import schema
from tests.conftest import DATA
from tests.support import chromium
from tests.support.running import Organization, RunningMuster, running_muster

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
WIDE: Final = {"width": 1280, "height": 860}
TALL: Final = {"width": 1280, "height": 1060}
NARROW: Final = {"width": 390, "height": 844}
PEOPLE: Final = (
    ("Kai Okafor", "credential", "access log"),
    ("Jo Tan", "credential leak", "build logs"),
    ("Ines Roth", "system compromise", "forensics"),
    ("Rui Sousa", "checkout", "payments"),
    ("Mei Lindqvist", "invoice", "ledger"),
)
OTHERS: Final = (
    ("Duplicate invoices after the import", "Data loss", "Low", "closed", timedelta(hours=9)),
    ("Search returns nothing for new products", "Degraded service", "Medium", "stable", timedelta(hours=5)),
    ("Checkout answers slowly from eu-west-1", "Degraded service", "Medium", "fixing", timedelta(hours=2)),
)
"""Title, type, severity, status, and how long ago it began."""
LATER: Final = timedelta(minutes=72)
"""How long after the story the browser looks at it."""


async def main() -> int:
    """Take every picture; answers the exit code."""
    executable = chromium.program()
    if executable is None:
        sys.stderr.write("There is no Chromium on this machine's PATH. Next: install chromium.\n")
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with _muster() as running, chromium.chromium(executable) as browser:
        token = await running.muster.organizations.begin("northwind", "Northwind", ("Ana Moreno", "ana.moreno@northwind.example"))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"{running.base_url}/api/v1/northwind", headers=headers, timeout=30) as api:
            org = Organization("northwind", token or "", running.base_url, api)
            await _play(org)
            await _take(running, browser, org)
    return 0


@asynccontextmanager
async def _muster() -> AsyncIterator[RunningMuster]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = await find_temporal(DATA, lambda _: None)
        async with EmbeddedTemporal(program, folder, lambda _: None, port=0, ui_port=0) as temporal:
            database = Database(sqlite_url(folder / "muster.db"))
            await schema.upgrade(database)
            settings = Settings(data_dir=folder, public_url="https://muster.northwind.example")
            async with running_muster(database, Target(temporal.address), settings) as running:
                yield running
            await database.close()


async def _play(org: Organization) -> None:
    individuals = {}
    for name, *terms in PEOPLE:
        email = f"{name.lower().replace(' ', '.')}@northwind.example"
        individuals[name] = await org.post("/individuals", {"name": name, "email": email, "terms": terms})
    for title, kind, severity, status, ago in OTHERS:
        made = await org.report(title, type=kind, severity=severity, occurred_at=(now() - ago).isoformat())
        await org.post(f"/incidents/{made['id']}/transitions", {"to": status})
    made = await org.report(
        "Credential leak in the build logs",
        description="The deploy key is printed by the cache step of every public build since Tuesday. "
        "Builds of `checkout` and `ledger` are affected.",
        type="Security",
        severity="High",
        tags=["ci", "deploy-key"],
        commander=individuals["Jo Tan"]["id"],
    )
    incident = made["id"]
    await org.until(lambda: org.all_sent(incident))
    await org.post(f"/incidents/{incident}/timeline", {"text": "The token is printed by the **cache step**; rotating it now."})
    await org.post(f"/incidents/{incident}/transitions", {"to": "fixing"})
    await org.patch(f"/incidents/{incident}", {"severity": "Critical"})
    await org.post(f"/incidents/{incident}/messages", {"text": "Two uses since 08:40, both from our own scanner."})


async def _take(running: RunningMuster, browser: Browser, org: Organization) -> None:
    incident = "/northwind/incidents/INC-4"
    kai = next(person for person in (await org.get("/individuals"))["data"] if person["name"] == "Kai Okafor")
    inbox = (await org.get("/inbox", recipient=kai["id"]))["data"]
    mail = next(message["id"] for message in inbox if message["channel"] == "email")
    light = await _page(running, browser, WIDE, "light")
    for name, path in (
        ("list", "/northwind"),
        ("receipt", f"{incident}/receipt"),
        ("why", f"{incident}/why?individual={kai['id']}"),
        ("inbox", f"/northwind/inbox/{mail}"),
    ):
        await _picture(running, light, path, name)
    await light.goto(f"{running.base_url}/northwind/incidents/report")
    await light.get_by_label("Title").fill("Credential leak in the build logs")
    await light.get_by_label("What is happening").fill("The deploy key is printed by the cache step of every public build.")
    await light.get_by_label("Severity").select_option(label="High")
    await light.screenshot(path=IMAGES / "report.png")
    await _picture(running, await _page(running, browser, TALL, "light"), incident, "incident")
    await _picture(running, await _page(running, browser, TALL, "dark"), incident, "incident-dark")
    await _picture(running, await _page(running, browser, NARROW, "light"), incident, "incident-narrow")


async def _page(running: RunningMuster, browser: Browser, viewport: Any, scheme: Any) -> Page:
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, timezone_id="UTC", locale="en-GB")
    await context.clock.set_fixed_time(now() + LATER)
    page = await context.new_page()
    link = await running.muster.accounts.issue_link("northwind")
    await page.goto(f"{running.base_url}/sign-in?link={link}")
    await page.click("button")
    return page


async def _picture(running: RunningMuster, page: Page, path: str, name: str) -> None:
    await page.goto(running.base_url + path)
    await page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    code = asyncio.run(main())
    sys.stderr.flush()
    # The Temporal SDK can crash when the interpreter ends.
    os._exit(code)
