"""The page that says why somebody is, or is not, in an incident (E6)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.engagement.test_rules_engage import on_duty
from tests.support.running import Organization
from tests.web.browser import Browser

pytestmark = pytest.mark.feature("E6")


async def test_the_page_tells_each_condition_and_what_it_found(browser: Browser, org: Organization) -> None:
    ana = await org.individual("Ana")
    team = await org.post("/teams", {"name": "Team Payments", "members": [ana["id"]]})
    severe = {"attribute": "severity", "operator": "at_least", "values": ["High"]}
    await org.post("/engagement-rules", {"name": "Severe", "when": {"all": [severe]}, "engage": [{"team": team["id"]}]})
    low, high = [(await org.report("Odd", severity=each))["reference"] for each in ("Low", "High")]
    page = (await browser.get(f"/{org.slug}/incidents/{low}/why?individual={ana['id']}")).text
    assert "Ana is not engaged" in page
    assert "It does not hold: when severity is at least High, engage Team Payments" in page
    assert "It was Low." in page
    page = (await browser.get(f"/{org.slug}/incidents/{high}/why?individual={ana['id']}")).text
    assert "Ana is engaged" in page
    assert "rule “Severe” (Team Payments)" in page
    assert "It was High." in page
    early = await browser.get(f"/{org.slug}/incidents/{high}/why?individual={ana['id']}&at=2020-01-01T00:00")
    assert early.status_code == 422
    assert "The incident was reported later than that." in early.text
    late = await browser.get(f"/{org.slug}/incidents/{high}/why?individual={ana['id']}&at=2999-01-01T00:00")
    assert (late.status_code, "This is yet to come." in late.text) == (422, True)
    this = datetime.now(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%dT%H:%M")
    await org.patch("/me", {"preferences": {"time_zone": "Asia/Tokyo"}})
    minute = await browser.get(f"/{org.slug}/incidents/{high}/why?individual={ana['id']}&at={this}")
    assert "Ana was engaged" in minute.text
    assert "At this time (Asia/Tokyo)" in minute.text
    assert (await browser.get(f"/{org.slug}/incidents/{high}/why?individual=Ana&at=soon")).status_code == 422


async def test_a_rule_that_holds_says_whom_it_engages_instead(browser: Browser, org: Organization) -> None:
    ana, ben, dora = [await org.individual(name) for name in ("Ana", "Ben", "Dora")]
    rotation = {"layers": [on_duty(ana["id"], ben["id"])]}
    await org.post("/oncall-services", {"name": "Ledger", "rotation": rotation})
    team = {"name": "Refunds", "notify": "list", "list_address": "refunds@example.org", "members": [dora["id"]]}
    await org.post("/teams", team)
    severe = {"all": [{"attribute": "severity", "operator": "at_least", "values": ["High"]}]}
    for name, target in (("Duty", {"oncall": "Ledger"}), ("List", {"team": "Refunds"})):
        await org.post("/engagement-rules", {"name": name, "when": severe, "engage": [target]})
    incident = (await org.report("Odd", severity="High"))["reference"]
    here = f"/{org.slug}/incidents/{incident}/why?individual="
    for at in ("", f"&at={datetime.now(UTC):%Y-%m-%dT%H:%M}"):
        page = (await browser.get(f"{here}{ben['id']}{at}")).text
        assert "But it engages whoever is on call for Ledger, which was not Ben." in page
    page = (await browser.get(f"{here}{dora['id']}")).text
    assert "The rule “List” matches, but it engages only the mailing list of Refunds, not Dora." in page


async def test_a_mailing_list_is_no_person_on_the_pages(browser: Browser, org: Organization) -> None:
    team = {"name": "Team Payments", "notify": "list", "list_address": "payments@example.org", "terms": ["refund"]}
    await org.post("/teams", team)
    incident = (await org.report("The refund"))["reference"]
    engaged = (await org.participants(incident))["Team Payments (list)"]["individual"]["id"]
    page = (await browser.get(f"/{org.slug}/incidents/{incident}")).text
    assert "Team Payments (list)" in page
    assert f"/contacts/individuals/{engaged}" not in page
    why = (await browser.get(f"/{org.slug}/incidents/{incident}/why?individual={engaged}")).text
    assert "Team Payments (list) is engaged" in why
    assert f"/contacts/individuals/{engaged}" not in why
