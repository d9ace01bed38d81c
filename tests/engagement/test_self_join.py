"""A project can keep people from joining its incidents by themselves; what counts is the setting when they ask (E8)."""

import pytest

from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E8", "O4")

WHY_NOT = "In this project nobody joins without being asked. Ask a participant to add you."


async def set_self_join(org: Organization, *, on: bool) -> None:
    """Of the organization's only project."""
    (project,) = (await org.get("/projects"))["data"]
    assert (await org.patch(f"/projects/{project['id']}", {"self_join": on}))["self_join"] is on


async def page(muster: RunningMuster, org: Organization, person: Member, incident: str) -> str:
    answer = await person.api.get(f"{muster.base_url}/{org.slug}/incidents/{incident}", headers=HTML)
    assert answer.status_code == 200
    return answer.text


def button(org: Organization, incident: str) -> str:
    return f'action="/{org.slug}/incidents/{incident}/join"'


@pytest.mark.parametrize("role", Role)
async def test_nobody_joins_where_self_join_is_off_until_it_is_on(muster: RunningMuster, org: Organization, role: Role) -> None:
    async with member(muster, org, "Jo", role) as jo:
        incident = (await org.report("Disk"))["reference"]
        assert button(org, incident) in await page(muster, org, jo, incident)
        await set_self_join(org, on=False)
        problem(await jo.api.post(f"/incidents/{incident}/join"), 403, "self_join_off")
        # Adding oneself by hand is joining.
        problem(
            await jo.api.post(f"/incidents/{incident}/participants", json={"individual": jo.individual}), 403, "self_join_off"
        )
        assert "Jo" not in await org.participants(incident)
        shown = await page(muster, org, jo, incident)
        assert button(org, incident) not in shown
        # Why not is told before the form for adding others, whose fault it is not.
        before, told, _ = shown.partition(WHY_NOT)
        assert (told, 'id="people-add"' in before) == (WHY_NOT, False)

        await set_self_join(org, on=True)
        shown = await page(muster, org, jo, incident)
        assert button(org, incident) in shown
        assert WHY_NOT not in shown
        for _ in range(2):
            answer = await jo.api.post(f"/incidents/{incident}/join")
            assert (answer.status_code, answer.json()["state"]) == (200, "joined")
        entries = (await org.get(f"/incidents/{incident}/timeline"))["data"]
        assert len([entry for entry in entries if entry["actor"] and entry["actor"]["name"] == "Jo"]) == 1
        shown = await page(muster, org, jo, incident)
        assert button(org, incident) not in shown
        assert WHY_NOT not in shown


async def test_who_is_in_stays_and_is_told_so_whatever_the_setting(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["reference"]
        assert (await jo.api.post(f"/incidents/{incident}/join")).is_success
        await set_self_join(org, on=False)
        assert (await jo.api.post(f"/incidents/{incident}/join")).json()["state"] == "joined"
        assert WHY_NOT not in await page(muster, org, jo, incident)
        assert (await jo.api.post(f"/incidents/{incident}/leave")).is_success
        problem(await jo.api.post(f"/incidents/{incident}/join"), 403, "self_join_off")
        # Being asked is the way in.
        assert (await org.post(f"/incidents/{incident}/participants", {"individual": jo.individual}))["state"] == "engaged"


async def test_an_old_page_s_button_obeys_todays_setting(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["reference"]
        assert button(org, incident) in await page(muster, org, jo, incident)
        await set_self_join(org, on=False)
        pressed = f"{muster.base_url}/{org.slug}/incidents/{incident}/join"
        refused = await jo.api.post(pressed, data={"command_id": "first"}, headers=HTML)
        assert refused.status_code == 403
        assert "Disk" in refused.text
        assert refused.text.count(WHY_NOT) == 2, "as the flash, and where the button was"
        assert button(org, incident) not in refused.text
        await set_self_join(org, on=True)
        done = await jo.api.post(pressed, data={"command_id": "second"}, headers=HTML)
        assert (done.status_code, done.headers["location"]) == (303, f"/{org.slug}/incidents/{incident}")
        assert (await org.participants(incident))["Jo"]["state"] == "joined"


async def test_a_restricted_incident_is_not_there_to_be_joined(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Hush", visibility="restricted"))["reference"]
        for on in (True, False):
            await set_self_join(org, on=on)
            problem(await jo.api.post(f"/incidents/{incident}/join"), 404, "not_found")
            pressed = f"{muster.base_url}/{org.slug}/incidents/{incident}/join"
            assert (await jo.api.post(pressed, headers=HTML)).status_code == 404
