"""Giving a command to an incident, and what each way of failing means to whoever asked."""

from collections.abc import Callable
from typing import Final

import structlog

from services.desk import permission
from services.desk.lookup import find_incident
from services.kit.auth import Actor
from services.kit.database import Database
from services.kit.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    MusterError,
    NotFound,
    Pending,
    Unavailable,
    VersionConflict,
)
from services.store import outbox
from services.store.incidents import Incident
from workflows import gateway
from workflows.contracts.incident import Answer
from workflows.domain.admission import admit
from workflows.domain.commands import Command
from workflows.domain.decide import decide
from workflows.domain.errors import Refused
from workflows.domain.incident import IncidentState
from workflows.domain.policy import NOT_ALLOWED

_log = structlog.get_logger(__name__)

FIELD_OF: Final = {
    "reason_required": "reason",
    "unknown_status": "to",
    "merge_target_required": "into",
    "merge_into_itself": "into",
    "not_held": "bring_in",
}
"""Refusals that are about a field of the request: 422 instead of 409."""


class Desk:
    """Takes commands for incidents."""

    def __init__(self, database: Database, incidents: gateway.IncidentGateway) -> None:
        self._database = database
        self._incidents = incidents

    async def command(self, actor: Actor, reference: str, build: Callable[[IncidentState], Command]) -> str:
        """Give an incident a command, and answer with the incident's id once it is in the log.

        ``build`` makes the command from the state as it was last seen.

        Raises:
            NotFound: no such incident for this actor. Forbidden: the policy does not let them.
            Conflict, Invalid: the state does not allow it, or a field is at fault.
            Pending: no answer in time. Unavailable: Temporal is down. Both can be repeated with the same key.
        """
        async with self._database.read(actor.organization) as session:
            row = await find_incident(session, actor, reference)
            state = IncidentState.model_validate(row.state)
            authority = await permission.authority(session, actor, state.project.id)
        command = build(state).model_copy(update={"authority": authority})
        try:
            admit(command, state)
            await self._give(state, command)
        except Refused as refused:
            raise _refusal(refused) from refused
        except gateway.Broken as broken:
            _log.error("a command met a fault", incident=state.id, error=str(broken))
            raise MusterError("This is a fault in Muster; the incident goes on. It was logged.", "internal_error") from broken
        except gateway.GatewayError as error:
            await self._look_after(actor.organization, state.id)
            raise _unconfirmed(error) from error
        return state.id

    async def _give(self, state: IncidentState, command: Command) -> Answer:
        if (seq := state.seen.get(command.command_id)) is not None:
            # The same command again; an incident that it ended would refuse it now.
            return Answer(seq=seq)
        if state.over:
            decide(command, state)
            return await self._incidents.wake(state, command)
        try:
            return await self._incidents.command(state.id, command)
        except gateway.NotRunning:
            state = await self._latest(state)
            if state.over:
                return await self._give(state, command)
            # Reported a moment ago, or lost with Temporal's data: the log has everything to start it from.
            await self._incidents.start(state)
            return await self._incidents.command(state.id, command)

    async def _latest(self, state: IncidentState) -> IncidentState:
        async with self._database.read(state.organization) as session:
            return IncidentState.model_validate((await session.get_one(Incident, state.id)).state)

    async def _look_after(self, organization: str, incident: str) -> None:
        """Whatever became of the command: once Temporal is back, the workflow takes in what the log has."""
        async with self._database.write(organization) as session:
            await outbox.put(session, organization, incident, outbox.Errand.CATCH_UP)


def _refusal(refused: Refused) -> MusterError:
    if refused.code == "not_found":
        return NotFound("incident")
    if refused.code in NOT_ALLOWED:
        return Forbidden(refused.message, refused.code)
    if refused.code == "version_conflict":
        return VersionConflict()
    if field := FIELD_OF.get(refused.code):
        return Invalid(refused.message, refused.code, [FieldError(field=field, code=refused.code, message=refused.message)])
    return Conflict(refused.message, refused.code)


def _unconfirmed(error: gateway.GatewayError) -> MusterError:
    if isinstance(error, gateway.Unanswered):
        return Pending(
            "Muster has passed this on but has no answer yet. Look again in a moment; repeating it with the same "
            "Idempotency-Key is safe.",
            "not_confirmed_yet",
        )
    return Unavailable(
        "Temporal, which drives incidents, does not answer. Reports are still taken. Repeat this in a moment; "
        "with the same Idempotency-Key that is safe.",
        "temporal_unavailable",
    )
