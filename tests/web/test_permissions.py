"""A page offers what the policy allows its reader, and nothing that would be refused (O4)."""

import re

import httpx
import pytest
from sqlalchemy import update

from services.store.deliveries import Delivery
from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("O4", "R7")

WORK = {"timeline", "messages", "transitions", "participants", "edit"}
"""What is offered to whoever may work on an incident in which nobody but its commander is."""


async def get(muster: RunningMuster, org: Organization, person: Member, path: str) -> httpx.Response:
    return await person.api.get(f"{muster.base_url}/{org.slug}/incidents/{path}", headers=HTML)


async def offered(muster: RunningMuster, org: Organization, person: Member, incident: str) -> set[str]:
    """What the incident's page lets its reader do: by the last word of its forms' and links' addresses."""
    found: set[str] = set()
    for tab in ("timeline", "channel"):
        answer = await get(muster, org, person, f"{incident}?tab={tab}")
        assert answer.status_code == 200
        found |= set(re.findall(rf'(?:action|href)="/{org.slug}/incidents/{incident}/(?:[\w-]+/)*([\w-]+)', answer.text))
    return found - {"why", "record"}


async def test_who_is_in_neither_may_join_and_is_offered_nothing_else(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        incident = (await org.report("Disk"))["reference"]
        assert await offered(muster, org, nora, incident) == {"join", "subscribe"}
        for path in ("edit", "transitions?to=closed"):
            answer = await get(muster, org, nora, f"{incident}/{path}")
            assert answer.status_code == 403
            assert "Ask one of them to add you." in answer.text
        await nora.api.post(f"/incidents/{incident}/join")
        assert await offered(muster, org, nora, incident) == WORK | {"commander", "leave", "not-relevant"}


@pytest.mark.parametrize(
    ("role", "in_project", "mode"),
    [(Role.MEMBER, True, "standard"), (Role.ADMIN, False, "standard"), (Role.MEMBER, False, "practice")],
)
async def test_who_may_work_is_offered_it(
    muster: RunningMuster, org: Organization, role: Role, in_project: bool, mode: str
) -> None:
    async with member(muster, org, "Mia", role, in_project=in_project) as mia:
        incident = (await org.report("Disk", mode=mode))["reference"]
        assert await offered(muster, org, mia, incident) == WORK | {"join", "subscribe"}
        ben = await org.individual("Ben")
        await org.post(f"/incidents/{incident}/participants", {"individual": ben["id"]})
        assert await offered(muster, org, mia, incident) == WORK | {"join", "subscribe", "commander", "remove"}


async def test_what_an_old_page_still_offers_is_refused_in_words(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        incident = (await org.report("Disk"))["reference"]
        here = f"{muster.base_url}/{org.slug}/incidents/{incident}"
        for form, fields in (
            ("timeline", {"text": "x"}),
            ("messages", {"text": "x"}),
            ("transitions", {"to": "fixing"}),
            ("transitions", {"to": "closed"}),
            ("commander", {"individual": nora.individual}),
            ("edit", {"title": "Changed", "was_title": "Disk"}),
        ):
            refused = await nora.api.post(f"{here}/{form}", data=fields, headers=HTML)
            assert refused.status_code == 403, form
            assert "Ask one of them to add you." in refused.text, form
        assert (await org.get(f"/incidents/{incident}"))["title"] == "Disk"


@pytest.mark.feature("N6")
async def test_only_who_may_work_tries_a_delivery_again(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora, member(muster, org, "Mia") as mia:
        incident = await org.report("Disk")
        await org.until(lambda: org.all_sent(incident["id"]))
        delivery = (await org.deliveries(incident["id"]))[0]["id"]
        organization = (await org.get("/me"))["organization"]["id"]
        async with muster.muster.database.write(organization) as session:
            await session.execute(update(Delivery).where(Delivery.id == delivery).values(state="failed"))
        again = f'action="/{org.slug}/deliveries/{delivery}/retry"'
        for person, offered_to_them in ((nora, False), (mia, True)):
            for page in ("deliveries", f"incidents/{incident['reference']}?tab=deliveries"):
                answer = await person.api.get(f"{muster.base_url}/{org.slug}/{page}", headers=HTML)
                assert f"delivery-{delivery}" in answer.text
                assert (again in answer.text) == offered_to_them
        problem(await nora.api.post(f"/deliveries/{delivery}/retry"), 403, "not_in_incident")
        assert (await mia.api.post(f"/deliveries/{delivery}/retry")).is_success


@pytest.mark.feature("R7")
async def test_who_takes_part_restricts_an_incident_and_opens_it_on_its_page(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Mia") as mia:
        incident = (await org.report("Disk"))["reference"]
        edit = f"{muster.base_url}/{org.slug}/incidents/{incident}/edit"
        assert 'name="visibility"' not in (await get(muster, org, mia, f"{incident}/edit")).text
        restricted = {"visibility": "restricted", "was_visibility": "public"}
        refused = await mia.api.post(edit, data=restricted, headers=HTML)
        assert (refused.status_code, "Join it first." in refused.text) == (403, True)
        await mia.api.post(f"/incidents/{incident}/join")
        form = (await get(muster, org, mia, f"{incident}/edit")).text
        assert 'value="public" checked' in form
        assert "all that was said in it so far" not in form
        assert (await mia.api.post(edit, data=restricted, headers=HTML)).status_code == 303
        assert (await org.get(f"/incidents/{incident}"))["visibility"] == "restricted"
        assert "all that was said in it so far" in (await get(muster, org, mia, f"{incident}/edit")).text
        late = await mia.api.post(edit, data={"visibility": "public", "was_visibility": ""}, headers=HTML)
        assert (late.status_code, "Meanwhile it became “Restricted”" in late.text) == (412, True)
        opened = {"visibility": "public", "was_visibility": "restricted"}
        assert (await mia.api.post(edit, data=opened, headers=HTML)).status_code == 303
        assert (await org.get(f"/incidents/{incident}"))["visibility"] == "public"


async def test_why_one_cannot_join_is_not_said_at_the_field_for_another(muster: RunningMuster, org: Organization) -> None:
    project = (await org.get("/projects"))["data"][0]
    await org.patch(f"/projects/{project['id']}", {"self_join": False})
    async with member(muster, org, "Mia") as mia:
        page = (await get(muster, org, mia, (await org.report("Disk"))["reference"])).text
        assert 0 < page.index("nobody joins without being asked") < page.index("Add a person")
        # That somebody reported it is said once, as the reason.
        people = page[page.index('id="people"') : page.index('id="people-add"')]
        assert people.count("reporter") == 1
