"""Where one is led whose way ended: signed out under an open page, or at an address that only takes forms."""

import httpx
import pytest

from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML, Browser


@pytest.mark.feature("O1")
async def test_who_was_signed_out_under_an_open_page_comes_back_to_it(
    muster: RunningMuster, browser: Browser, org: Organization
) -> None:
    await org.report("Queue grows")
    here = f"/{org.slug}/incidents/INC-1"
    async with httpx.AsyncClient(
        base_url=muster.base_url, timeout=PATIENCE, headers=HTML, cookies=browser.client.cookies
    ) as kept:
        await browser.send(f"/{org.slug}", f"/{org.slug}/sign-out")
        for referer, then in (
            (
                f"{muster.base_url}{here}?tab=channel",
                f"/{org.slug}/sign-in?next=%2F{org.slug}%2Fincidents%2FINC-1%3Ftab%3Dchannel",
            ),
            (f"{muster.base_url}/another/incidents/INC-1", f"/{org.slug}/sign-in?next=%2F{org.slug}"),
            ("", f"/{org.slug}/sign-in"),
        ):
            answer = await kept.post(f"{here}/messages", data={"text": "x"}, headers={"Referer": referer})
            assert (answer.status_code, answer.headers["location"]) == (303, then)
        assert "You were signed out. Sign in to go on." in (await kept.get(answer.headers["location"])).text
        assert "You were signed out" not in (await browser.get(f"/{org.slug}/sign-in")).text


@pytest.mark.feature("C9")
async def test_an_address_that_only_takes_forms_leads_to_its_page(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows")
    incident = f"/{org.slug}/incidents/INC-1"
    project = f"/{org.slug}/settings/projects/{(await org.get('/projects'))['data'][0]['id']}"
    for address, page in (
        (f"{incident}/participants", incident),
        (f"{incident}/participants/someone/remove", incident),
        (f"{project}/delete", project),
        (f"{project}/members/someone/remove", project),
        (f"/{org.slug}/preferences/sessions/end", f"/{org.slug}/preferences"),
        (f"/{org.slug}/sign-out", f"/{org.slug}"),
        (f"/{org.slug}/incidents", f"/{org.slug}"),
    ):
        answer = await browser.get(address)
        assert (answer.status_code, answer.headers.get("location")) == (303, page), address
        assert (await browser.get(page)).status_code == 200
    refused = await browser.client.get(f"{incident}/participants", headers={"Accept": "application/json"})
    assert refused.status_code == 405
