"""The story of E2 and E4 by API: who is engaged by the words of an incident, and nobody twice."""

import asyncio
from collections import Counter

import pytest

from tests.support.running import Organization

FIRST = ("Credential", "Leak", "Credential Leak")
LATER = ("System", "Compromise", "System Compromise")


@pytest.mark.feature("E2", "E4", "E5", "N1", "N6")
async def test_words_engage_people_once(org: Organization) -> None:
    for phrase in FIRST + LATER:
        await org.individual(f"{phrase} Person", phrase)
    incident = (await org.report("credential-leak!"))["id"]

    people = await org.participants(incident)
    by_term = {name for name, person in people.items() if person["evidence"][0]["kind"] == "term"}
    assert by_term == {f"{phrase} Person" for phrase in FIRST}
    evidence = people["Credential Leak Person"]["evidence"][0]
    assert (evidence["attribute"], evidence["start"], evidence["end"], evidence["text"]) == ("title", 0, 15, "credential-leak")
    await org.until(lambda: org.all_sent(incident))

    await org.patch(f"/incidents/{incident}", {"title": "System Compromise", "description": "A system compromise."})
    await org.until(lambda: _count(org, incident, 7))

    leaver = people["Leak Person"]["individual"]["id"]
    assert (await org.api.delete(f"/incidents/{incident}/participants/{leaver}")).status_code == 204
    await org.patch(f"/incidents/{incident}", {"title": "Credential leak after the system compromise"})
    await asyncio.sleep(1)
    assert (await org.participants(incident))["Leak Person"]["state"] == "removed"
    await org.until(lambda: org.all_sent(incident))
    sent = Counter((delivery["recipient"]["name"], delivery["channel"]) for delivery in await org.deliveries(incident))
    assert set(sent.values()) == {1}
    assert len(sent) == 14


async def _count(org: Organization, incident: str, wanted: int) -> bool:
    return len(await org.participants(incident)) == wanted
