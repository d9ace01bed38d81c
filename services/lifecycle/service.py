"""Incidents: reading them, and giving them commands."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.chat.platform import ChannelNotReady, ChatPlatform
from services.desk import permission
from services.desk.choices import SETTINGS, pick_settings
from services.desk.commands import Desk
from services.desk.lookup import find_incident, people
from services.desk.schemas import IncidentEdit
from services.desk.views import IncidentView, Viewer
from services.kit.auth import Actor
from services.kit.clock import MOMENT, rfc3339
from services.kit.conditions import number
from services.kit.database import Database
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.paging import Page, cut, decode_after, unknown_after
from services.lifecycle import repository, timeline
from services.lifecycle.schemas import (
    EngagementAnswerBody,
    HeldPerson,
    ListQuery,
    MessageView,
    QuestionPage,
    QuestionView,
    Transition,
)
from services.store import audit, event_log
from services.store.incidents import Incident
from workflows.domain.attributes import AttributeChanges
from workflows.domain.commands import Absorb, AddNote, AnswerEngagement, AssignCommander, ChangeStatus, Edit, RetryResource
from workflows.domain.events import ResourceKind
from workflows.domain.incident import IncidentState, fold
from workflows.domain.lifecycle import Category
from workflows.domain.policy import Action, Decision
from workflows.domain.record import Record

SORTS = {"-reported_at": False, "reported_at": True}
MESSAGES = 200
"""How many of a channel's latest messages are shown at once."""


class LifecycleService:
    """Incidents from report to closure."""

    def __init__(self, database: Database, desk: Desk, viewer: Viewer, platform: ChatPlatform) -> None:
        self._database = database
        self._desk = desk
        self._viewer = viewer
        self._platform = platform

    async def list_incidents(
        self,
        session: AsyncSession,
        actor: Actor,
        query: ListQuery,
        sort: str = "-reported_at",
        after: str | None = None,
        page_size: int = 25,
    ) -> Page[IncidentView]:
        """A page of the incidents this actor may see.

        Raises:
            BadRequest: ``unknown_after``.
        """
        scope = f"incidents {actor.organization} {sort} {query.model_dump_json()}"
        position = None
        if after is not None:
            at, incident = decode_after(scope, after, 2)
            position = (_moment(at), incident)
        rows = await repository.list_incidents(session, actor, query, SORTS[sort], position, page_size + 1)
        shown, pagination = cut(rows, page_size, scope, lambda row: [rfc3339(row.reported_at), row.id])
        states = [IncidentState.model_validate(row.state) for row in shown]
        data = await self._viewer.show(session, actor, states)
        return Page(data=data, pagination=pagination)

    async def count(self, session: AsyncSession, actor: Actor, query: ListQuery) -> int:
        """How many incidents ``list_incidents`` would page through."""
        return await repository.count_incidents(session, actor, query)

    async def get(self, session: AsyncSession, actor: Actor, reference: str, at: datetime | None = None) -> IncidentView:
        """An incident, as it is or as it was at a moment.

        Raises:
            NotFound: no such incident for this actor, or none yet at that moment.
        """
        row = await find_incident(session, actor, reference)
        state = IncidentState.model_validate(row.state)
        if at is not None:
            past = await event_log.events(session, row.id, until=at)
            if not past:
                raise NotFound("incident at that time")
            state = fold(row.id, actor.organization, past)
        return (await self._viewer.show(session, actor, [state]))[0]

    async def decisions(
        self, session: AsyncSession, actor: Actor, incidents: Collection[str]
    ) -> dict[str, dict[Action, Decision]]:
        """What this actor may do to each of these incidents (ids), and why not the rest: two queries, however many they are.

        Raises:
            NotFound: one of them is none for this actor.
        """
        rows = await repository.incidents(session, actor, incidents)
        if len(rows) < len(incidents):
            raise NotFound("incident")
        return await permission.decisions(session, actor, [IncidentState.model_validate(row.state) for row in rows])

    async def timeline(
        self, session: AsyncSession, actor: Actor, reference: str, after: str | None = None, page_size: int = 25
    ) -> Page[timeline.TimelineEntry]:
        """A page of an incident's timeline, the latest first.

        Raises:
            NotFound: no such incident for this actor. BadRequest: ``unknown_after``.
        """
        row = await find_incident(session, actor, reference)
        state = IncidentState.model_validate(row.state)
        scope = f"timeline {row.id}"
        before = None if after is None else _number(decode_after(scope, after, 1)[0])
        found = await event_log.latest(session, row.id, before, page_size + 1)
        shown, pagination = cut(found, page_size, scope, lambda event: [str(event.seq)])
        names = await people(session, timeline.people_in(shown))
        return Page(data=timeline.entries(shown, names, state.lifecycle), pagination=pagination)

    async def record(self, session: AsyncSession, actor: Actor, reference: str) -> Record:
        """An incident's whole record, with hashes, for ``muster verify``. That it was taken is kept in the audit log.

        Raises:
            NotFound: no such incident for this actor.
        """
        row = await find_incident(session, actor, reference)
        await permission.require(session, actor, Action.EXPORT, IncidentState.model_validate(row.state))
        events = await event_log.recorded(session, row.id)
        audit.record(session, actor.origin, "record.exported", row.id, f"INC-{row.reference}")
        return Record(incident=row.id, reference=f"INC-{row.reference}", organization=actor.organization, events=tuple(events))

    async def messages(self, session: AsyncSession, actor: Actor, reference: str) -> list[MessageView]:
        """The latest messages of an incident's channel that this actor may see, oldest first.

        Raises:
            NotFound: no such incident for this actor.
        """
        row = await find_incident(session, actor, reference)
        posts = await self._platform.history(session, row.id, actor.individual, MESSAGES)
        known = await people(session, [post.author for post in posts])
        return [
            MessageView(
                id=post.id,
                author=known.get(post.author) if post.author else None,
                text=post.text,
                only_you=post.only_to is not None,
                at=post.created_at,
            )
            for post in posts
        ]

    async def post_message(self, actor: Actor, reference: str, text: str, command_id: str) -> str:
        """Say something in an incident's channel; answers the message's id.

        Raises:
            NotFound: no such incident for this actor. Conflict: ``channel_not_ready``.
        """
        async with self._database.read(actor.organization) as session:
            row = await find_incident(session, actor, reference)
            await permission.require(session, actor, Action.POST, IncidentState.model_validate(row.state))
        try:
            return await self._platform.post(actor.organization, row.id, command_id, text, actor.individual)
        except ChannelNotReady as error:
            raise Conflict(
                "The channel is not ready yet. Your text was not sent; try again in a moment.", "channel_not_ready"
            ) from error

    async def edit(
        self,
        actor: Actor,
        reference: str,
        edit: IncidentEdit,
        command_id: str,
        version: int | None = None,
        attributes_version: int | None = None,
    ) -> str:
        """Change an incident's attributes; answers its id.

        ``version`` and ``attributes_version`` are what the change is meant for; None is whatever there is. The second is for
        people, whose edit should not fail because somebody joined while they typed.

        Raises:
            NotFound, Conflict, Invalid, VersionConflict, Pending, Unavailable: see ``Desk.command``.
        """
        changes = await self._changes(actor, edit)

        def build(state: IncidentState) -> Edit:
            return Edit(
                command_id=command_id,
                actor=actor.individual,
                changes=changes,
                # To say what it is already is no change, and needs no permission.
                visibility=None if edit.visibility is state.visibility else edit.visibility,
                expected_seq=version,
                expected_attributes_seq=attributes_version,
            )

        return await self._desk.command(actor, reference, build)

    async def transition(self, actor: Actor, reference: str, transition: Transition, command_id: str) -> str:
        """Move an incident to another status; answers its id.

        An incident that is merged is first announced to the other one: two that are merged crosswise refuse each other.

        Raises:
            NotFound, Conflict, Invalid, Pending, Unavailable: see ``Desk.command``.
        """
        into = None
        if transition.into is not None:
            async with self._database.read(actor.organization) as session:
                target = await find_incident(session, actor, transition.into)
                await permission.require(session, actor, Action.ADD_PARTICIPANT, IncidentState.model_validate(target.state))
            if not target.is_open:
                raise Invalid.of("into", "merge_target_over", "The incident to merge into is over. Name an open one.")
            into = target.id
            await self._announce_merge(actor, reference, into, transition)
        return await self._desk.command(
            actor,
            reference,
            lambda _: ChangeStatus(
                command_id=command_id,
                actor=actor.individual,
                to=transition.to,
                reason=transition.reason,
                into=into,
                run_learning_flow=transition.run_learning_flow,
            ),
        )

    async def _announce_merge(self, actor: Actor, reference: str, into: str, transition: Transition) -> None:
        async with self._database.read(actor.organization) as session:
            source = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
            # Before the other incident hears of it: its record would keep a merge that was never allowed.
            await permission.require(session, actor, Action.CHANGE_STATUS, source)
        merged = source.lifecycle.first(Category.MERGED)
        merges = transition.to in {merged.id, merged.category}
        if not merges or source.over or source.id == into or into in source.absorbed:
            # The source itself refuses, or does not merge at all.
            return
        announcement = Absorb(
            command_id=f"announce:{source.id}:{source.seq}",
            incident=source.id,
            reference=source.reference,
            matches=(),
            unanswered=len(source.asked()),
        )
        await self._desk.command(actor, into, lambda _: announcement)

    async def assign_commander(
        self, actor: Actor, reference: str, individual: str, command_id: str, note: str | None = None
    ) -> str:
        """Make a participant the commander (E9); answers the incident's id.

        Raises:
            NotFound, Conflict, Pending, Unavailable: see ``Desk.command``; also ``list_commands_nothing``.
        """
        async with self._database.read(actor.organization) as session:
            if await repository.is_list(session, individual):
                raise Conflict("A mailing list cannot be commander. Choose a person.", "list_commands_nothing")
        return await self._desk.command(
            actor,
            reference,
            lambda _: AssignCommander(command_id=command_id, actor=actor.individual, individual=individual, note=note),
        )

    async def question(self, session: AsyncSession, actor: Actor, reference: str) -> QuestionView:
        """Everyone who is held back until the commander says who comes in (E7), by name.

        Raises:
            NotFound: no such incident for this actor, or nobody is held back.
        """
        return await self._question(session, actor, await find_incident(session, actor, reference))

    async def question_page(
        self, session: AsyncSession, actor: Actor, reference: str, after: str | None, page_size: int
    ) -> QuestionPage:
        """The same, with a page of them.

        Raises:
            NotFound: as for ``question``. BadRequest: ``unknown_after``.
        """
        row = await find_incident(session, actor, reference)
        asked = await self._question(session, actor, row)
        scope = f"question {row.id}"
        position = [] if after is None else decode_after(scope, after, 2)
        shown, pagination = cut([held for held in asked.people if _by_name(held) > position], page_size, scope, _by_name)
        return QuestionPage.model_validate(dict(asked) | {"people": shown, "pagination": pagination})

    async def _question(self, session: AsyncSession, actor: Actor, row: Incident) -> QuestionView:
        state = IncidentState.model_validate(row.state)
        view = (await self._viewer.show(session, actor, [state]))[0]
        if view.held is None:
            raise NotFound("question")
        asked = state.asked()
        matches = await event_log.held(session, row.id, set(asked.values()))
        names = await people(session, asked)
        found = [
            HeldPerson(individual=names[person.individual], evidence=list(person.evidence))
            for person in matches
            if person.individual in asked
        ]
        return QuestionView(**dict(view.held), people=sorted(found, key=_by_name))

    async def answer_engagement(self, actor: Actor, reference: str, answer: EngagementAnswerBody, command_id: str) -> str:
        """Say who comes in of those who are held back (E7); answers the incident's id.

        Raises:
            NotFound, Forbidden, Conflict, Invalid, VersionConflict, Pending, Unavailable: see ``Desk.command``.
        """
        return await self._desk.command(
            actor,
            reference,
            lambda _: AnswerEngagement(
                command_id=command_id, actor=actor.individual, bring_in=answer.bring_in, expected_seq=answer.version
            ),
        )

    async def add_note(self, actor: Actor, reference: str, text: str, command_id: str) -> str:
        """Write into an incident's timeline; answers its id.

        Raises:
            NotFound, Pending, Unavailable: see ``Desk.command``.
        """
        return await self._desk.command(
            actor, reference, lambda _: AddNote(command_id=command_id, actor=actor.individual, text=text)
        )

    async def retry_resource(self, actor: Actor, reference: str, kind: ResourceKind, command_id: str) -> str:
        """Try again to make a resource that failed; answers the incident's id.

        Raises:
            NotFound, Conflict, Pending, Unavailable: see ``Desk.command``.
        """
        return await self._desk.command(
            actor, reference, lambda _: RetryResource(command_id=command_id, actor=actor.individual, kind=kind)
        )

    async def _changes(self, actor: Actor, edit: IncidentEdit) -> AttributeChanges:
        given: dict[str, object] = edit.model_dump(include={"title", "description", "tags"}, exclude_none=True)
        async with self._database.read(actor.organization) as session:
            picked, faults = await pick_settings(session, edit.model_dump(include=set(SETTINGS), exclude_none=True))
        if faults:
            raise Invalid("Some fields are not valid.", errors=faults)
        return AttributeChanges.model_validate(given | picked)


def _by_name(held: HeldPerson) -> list[str]:
    return [held.individual.name.casefold(), held.individual.id]


def _moment(text: str) -> datetime:
    try:
        return MOMENT.validate_strings(text)
    except ValueError as error:
        raise unknown_after() from error


def _number(text: str) -> int:
    if (found := number(text)) is None:
        raise unknown_after()
    return found
