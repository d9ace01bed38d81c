"""What a delivery says, as of the moment it is sent; and whether it is still wanted then (N7)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import Person, people
from services.notify import repository
from services.notify.channels.channel import Outgoing
from services.notify.rendering import Facts, HandOverFacts, HeldPerson, InShort, LetterFacts, QuestionFacts, Rendered, Renderer
from services.store import event_log
from services.store.accounts import issue
from services.store.contacts import Individual
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from workflows.contracts.notify import NoticeKind, hand_over_cause, question_cause
from workflows.domain.engagement import Evidence
from workflows.domain.events import CommanderChanged
from workflows.domain.lifecycle import LifecycleSettings


class NoLongerWanted(Exception):
    """The present makes the delivery pointless; the message says why."""


class _Link(NamedTuple):
    """Where the link of a letter leads, and for how long it holds."""

    page: str
    life: timedelta
    life_in_words: str


_LINKS: Final = {
    NoticeKind.INVITATION: _Link("invitation", timedelta(days=7), "7 days"),
    NoticeKind.PASSWORD_RESET: _Link("reset-password", timedelta(hours=1), "1 hour"),
}


async def compose(session: AsyncSession, renderer: Renderer, row: Delivery) -> Outgoing:
    """The message of a delivery, to the address its recipient has now.

    A letter's link holds a secret of its own each time: it takes the place of any that was sent before.

    Raises:
        NoLongerWanted: see there.
    """
    secret = None
    if row.incident_id is None:
        recipient, rendered, secret = await _letter(session, renderer, row)
    elif row.kind == NoticeKind.QUESTION:
        recipient, rendered = await _question(session, renderer, row)
    elif row.kind == NoticeKind.HAND_OVER:
        recipient, rendered = await _hand_over(session, renderer, row)
    else:
        recipient, rendered = await _welcome(session, renderer, row)
    row.address = recipient.email
    return Outgoing(
        organization=row.organization_id,
        incident=row.incident_id,
        delivery=row.id,
        recipient=recipient.id,
        name=recipient.name,
        address=row.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        chat=rendered.chat,
        secret=secret,
    )


async def _welcome(session: AsyncSession, renderer: Renderer, row: Delivery) -> tuple[Individual, Rendered]:
    about = await repository.about_incident(session, row.id)
    participant, incident = about.participant, about.incident
    if participant is None or participant.departed is not None:
        raise NoLongerWanted("No longer in the incident when it could be sent.")
    _require_open(incident)
    evidence = [Evidence.model_validate(piece) for piece in participant.evidence]
    return about.recipient, renderer.welcome(_facts(about, evidence))


async def _question(session: AsyncSession, renderer: Renderer, row: Delivery) -> tuple[Individual, Rendered]:
    """Who of a crowd comes in: all who are held by now, as of the moment it is sent (E7)."""
    about = await repository.about_incident(session, row.id)
    state = await repository.state_of(session, about.incident.id)
    until = state.held_until
    if until is None or question_cause(until) != row.cause:
        raise NoLongerWanted("It was answered, or nobody had to be asked any more, when it could be sent.")
    await _require_asked(session, about, row)
    asked = state.asked()
    matches = await event_log.held(session, state.id, set(asked.values()))
    why = {match.individual: match.evidence[0] for match in matches}
    held = [HeldPerson(name=person.name, why=why[person.id]) for person in (await people(session, asked)).values()]
    question = QuestionFacts(
        **dict(_facts(about)),
        people=sorted(held, key=lambda person: person.name.casefold()),
        until=until,
        time_zone=await repository.time_zone(session, row.recipient_id),
    )
    return about.recipient, renderer.question(question)


async def _hand_over(session: AsyncSession, renderer: Renderer, row: Delivery) -> tuple[Individual, Rendered]:
    """That its recipient commands now, with who handed over, and the note, as the log has it (E9)."""
    about = await repository.about_incident(session, row.id)
    _require_commander(about.incident, row)
    state = await repository.state_of(session, about.incident.id)
    if hand_over_cause(state.hand_over_seq) != row.cause:
        raise NoLongerWanted("They had become the commander anew when it could be sent.")
    _require_open(about.incident)
    event = await event_log.event(session, state.id, state.hand_over_seq)
    change = CommanderChanged.model_validate(event.body)
    known = await people(session, (event.actor, change.before))
    hand_over = HandOverFacts(
        **dict(_facts(about)),
        by=None if event.actor is None else known[event.actor],
        before=None if change.before is None else known[change.before],
        note=change.note,
    )
    return about.recipient, renderer.hand_over(hand_over)


def _require_open(incident: Incident) -> None:
    if not incident.is_open:
        raise NoLongerWanted(f"The incident was {incident.category} when it could be sent.")


async def _require_asked(session: AsyncSession, about: repository.AboutIncident, row: Delivery) -> None:
    if about.commander is None or about.commander.kind != "service":
        _require_commander(about.incident, row)
    elif row.recipient_id not in {person.id for person in await repository.answering(session, about.incident.id)}:
        raise NoLongerWanted("They were not to be asked any more when it could be sent.")


def _require_commander(incident: Incident, row: Delivery) -> None:
    if incident.commander_id != row.recipient_id:
        raise NoLongerWanted("Someone else was the commander when it could be sent.")


def _facts(about: repository.AboutIncident, evidence: Sequence[Evidence] = ()) -> Facts:
    incident = about.incident
    in_short = {
        "reference": incident.reference,
        "attributes": about.attributes,
        "project": about.project,
        "mode": incident.mode,
        "status": LifecycleSettings.model_validate(about.lifecycle).status(incident.status_id),
        "resources": about.resources,
    }
    return Facts(
        organization_name=about.organization.name,
        slug=about.organization.slug,
        recipient=_person(about.recipient),
        is_list=about.recipient.kind == "list",
        incident=InShort.model_validate(in_short),
        reporter=_person(about.reporter),
        commander=None if about.commander is None else _person(about.commander),
        evidence=list(evidence),
    )


async def _letter(session: AsyncSession, renderer: Renderer, row: Delivery) -> tuple[Individual, Rendered, str]:
    kind = NoticeKind(row.kind)
    about = await repository.about_account(session, row.id)
    account, recipient = about.account, about.recipient
    if account is None or not (account.active and recipient.active):
        raise NoLongerWanted("The account was not active when it could be sent.")
    if kind is NoticeKind.INVITATION and account.proven:
        raise NoLongerWanted("The invitation had been accepted when it could be sent.")
    if await repository.is_superseded(session, row):
        raise NoLongerWanted("A later one took its place.")
    link = _LINKS[kind]
    await repository.forget_credentials(session, account.id, kind)
    secret = issue(session, account, kind, link.life)
    facts = LetterFacts(
        organization_name=about.organization.name,
        slug=about.organization.slug,
        recipient=_person(recipient),
        page=link.page,
        secret=secret,
        life=link.life_in_words,
        inviter=await repository.inviter(session, account.id) if kind is NoticeKind.INVITATION else None,
    )
    return recipient, renderer.letter(kind, facts), secret


def _person(row: Individual) -> Person:
    return Person(id=row.id, name=row.name, email=row.email)
