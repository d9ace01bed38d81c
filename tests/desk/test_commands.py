"""What can change between the desk, which admits a command, and the workflow, which takes it."""

from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import Request

from services.desk.commands import Desk
from services.kit.auth import Actor
from services.kit.errors import Forbidden, MusterError, NotFound
from services.kit.ids import new_id
from tests.accounts.members import Member, member
from tests.support.running import Organization, RunningMuster
from workflows.contracts.incident import Answer
from workflows.domain.commands import AddNote, Command
from workflows.gateway import IncidentGateway

pytestmark = pytest.mark.feature("O4", "R7")


class SlowGateway(IncidentGateway):
    """A gateway on whose way to the workflow something else happens first."""

    meanwhile: Callable[[], Awaitable[object]]

    async def command(self, incident: str, command: Command) -> Answer:
        await self.meanwhile()
        return await super().command(incident, command)


async def actor_of(muster: RunningMuster, org: Organization, person: Member) -> Actor:
    headers = [(b"authorization", f"Bearer {person.token}".encode())]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "client": None})
    return await muster.muster.accounts.authenticate(request, org.slug)


@pytest.mark.parametrize(
    ("visibility", "error", "code"), [("public", Forbidden, "not_in_incident"), ("restricted", NotFound, "not_found")]
)
async def test_who_is_removed_on_the_way_is_answered_as_who_never_was_in(
    muster: RunningMuster, org: Organization, visibility: str, error: type[MusterError], code: str
) -> None:
    async with member(muster, org, "Mia", in_project=False) as mia:
        incident = (await org.report("Leak", visibility=visibility))["id"]
        await org.post(f"/incidents/{incident}/participants", {"individual": mia.individual})
        gateway = SlowGateway(muster.muster.client)
        gateway.meanwhile = lambda: org.api.delete(f"/incidents/{incident}/participants/{mia.individual}")
        desk, actor = Desk(muster.muster.database, gateway), await actor_of(muster, org, mia)
        note = AddNote(command_id=new_id(), actor=actor.individual, text="too late")
        with pytest.raises(error) as refused:
            await desk.command(actor, incident, lambda _: note)
        assert refused.value.code == code
        entries = (await org.get(f"/incidents/{incident}/timeline"))["data"]
        assert not [entry for entry in entries if entry["kind"] == "note_added"]
        assert (await org.participants(incident))["Mia"]["state"] == "removed"
