"""The pages while Temporal is down: a report is kept, and whatever is refused is kept in its form."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.kit.database import Database
from services.kit.settings import Settings
from services.kit.temporal import Target
from tests.support.running import running_muster
from tests.web.browser import HTML, Browser


@pytest.fixture
async def browser(database: Database, tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser at a Muster whose Temporal is at a port where nothing listens."""
    async with running_muster(database, Target("127.0.0.1:1"), Settings(data_dir=tmp_path)) as running:
        org = await running.organization()
        async with httpx.AsyncClient(base_url=running.base_url, headers=HTML, timeout=30) as client, org.api:
            link = await running.muster.accounts.issue_link(org.slug)
            await client.post("/sign-in", data={"link": link})
            yield Browser(client, org.slug)


@pytest.mark.feature("R3", "R4")
async def test_a_report_is_kept_and_an_entry_can_be_sent_again(browser: Browser) -> None:
    form = f"/{browser.slug}/incidents/report"
    receipt = (await browser.send(form, form, title="Queue grows")).headers["location"]
    assert "Your report is kept." in (await browser.get(receipt)).text

    here = f"/{browser.slug}/incidents/INC-1"
    refused = await browser.send(here, f"{here}/timeline", text="It <hangs>.", command_id="the-first-try")
    assert refused.status_code == 503
    assert "Temporal, which drives incidents, does not answer" in refused.text
    assert ">It &lt;hangs&gt;.</textarea>" in refused.text
    assert 'name="command_id" value="the-first-try"' in refused.text
    edit = await browser.send(f"{here}/edit", f"{here}/edit", title="Queue stands")
    assert edit.status_code == 503
    assert 'value="Queue stands"' in edit.text
