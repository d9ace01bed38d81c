"""Whom a team, an on-call service or an individual stands for at a moment (E1, E10)."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.oncall.provider import ABSENT, Duty, OnCallProvider, ProviderFailed
from services.engagement.oncall.rotation import RotationProvider
from services.engagement.rotation import Override
from services.store.contacts import Individual
from services.store.teams import OnCallService, OverrideRow, Team, TeamMember
from workflows.domain.rules import Target, TargetKind

PATIENCE: Final = 10.0
"""Seconds that a provider has to answer when nothing else waits for it."""
GLANCE: Final = 1.0
"""Seconds that everyone else who matches, or somebody who looks at a page, waits for a provider."""
_CHUNK: Final = 2_000
"""Individuals looked up by one statement: well under both databases' limit of parameters."""
PROVIDERS: Final[dict[str, OnCallProvider]] = {"rotation": RotationProvider()}
"""By the names that on-call services have them under."""

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


class Resolved(NamedTuple):
    """The individuals each target stands for, in order, and by the id of an on-call service why it could not be told."""

    people: dict[Target, list[str]]
    failed: dict[str, str]


async def resolve(
    session: AsyncSession,
    targets: Iterable[Target],
    at: datetime,
    providers: Mapping[str, OnCallProvider] = PROVIDERS,
    patience: float = GLANCE,
) -> Resolved:
    """Whom some targets stand for at a moment.

    An individual is themselves; a team its members, or its list; an on-call service whoever is on call. Whoever or whatever is
    not active is nobody. All providers are asked at once; one that fails, or takes longer than ``patience`` (seconds), is in
    ``failed``, and holds up nothing else. ``session`` only reads: its transaction ends before providers are asked.
    """
    wanted = list(dict.fromkeys(targets))
    ids = {kind: [target.id for target in wanted if target.kind is kind] for kind in TargetKind}
    known = {each: [each] for each in await _active(session, ids[TargetKind.INDIVIDUAL])}
    known |= await _teams(session, ids[TargetKind.TEAM])
    found, failed = await _on_call(session, ids[TargetKind.ONCALL], at, providers, patience)
    known |= found
    return Resolved({target: known.get(target.id, []) for target in wanted if target.id not in failed}, failed)


def via(target: Target, names: Mapping[str, str]) -> str | None:
    """By what somebody is engaged who is not as themselves, in words; ``names`` are what teams and services are called."""
    match target.kind:
        case TargetKind.INDIVIDUAL:
            return None
        case TargetKind.TEAM:
            return names[target.id]
    return f"on call for {names[target.id]}"


async def duties(session: AsyncSession, services: Sequence[OnCallService], since: datetime) -> list[Duty]:
    """On-call services as their providers see them, with the overrides that are not over at a moment."""
    overrides: dict[str, list[Override]] = {service.id: [] for service in services}
    query = select(OverrideRow).where(OverrideRow.service_id.in_(overrides), OverrideRow.until_at > since)
    for row in await session.scalars(query.order_by(OverrideRow.created_at, OverrideRow.id)):
        overrides[row.service_id].append(Override(row.id, row.individual_id, row.from_at, row.until_at))
    return [Duty(each.id, each.name, each.provider, each.definition, tuple(overrides[each.id])) for each in services]


async def _active(session: AsyncSession, individuals: Iterable[str], kind: str = "person") -> set[str]:
    found: set[str] = set()
    wanted = iter(set(individuals))
    while chunk := list(islice(wanted, _CHUNK)):
        query = select(Individual.id).where(Individual.id.in_(chunk), Individual.active, Individual.kind == kind)
        found.update(await session.scalars(query))
    return found


async def _teams(session: AsyncSession, teams: Sequence[str]) -> dict[str, list[str]]:
    rows = (await session.execute(select(Team.id, Team.notify, Team.list_id).where(Team.id.in_(teams), Team.active))).all()
    lists = {team: list_id for team, notify, list_id in rows if notify == "list" and list_id}
    together = [team for team, notify, _ in rows if notify == "members"]
    # Joined with the individuals, SQLite would read all of the organization's, and not those of the teams.
    query = select(TeamMember.team_id, TeamMember.individual_id).where(TeamMember.team_id.in_(together))
    members = [(row[0], row[1]) for row in await session.execute(query.order_by(TeamMember.individual_id))]
    active = await _active(session, (individual for _, individual in members))
    active |= await _active(session, lists.values(), "list")
    found: dict[str, list[str]] = {}
    for team, individual in [*members, *lists.items()]:
        if individual in active:
            found.setdefault(team, []).append(individual)
    return found


async def _on_call(
    session: AsyncSession, services: Sequence[str], at: datetime, providers: Mapping[str, OnCallProvider], patience: float
) -> tuple[dict[str, list[str]], dict[str, str]]:
    if not services:
        return {}, {}
    query = select(OnCallService).where(OnCallService.id.in_(services), OnCallService.active)
    rows = (await session.scalars(query.order_by(OnCallService.id))).all()
    asked = await duties(session, rows, at)
    # Connections are few: none is kept while a provider, which may be away, takes its time.
    await session.commit()
    answers = await asyncio.gather(
        *(ask(duty, providers.get(duty.provider, ABSENT).on_call(duty, at), patience) for duty in asked)
    )
    named = {row: answer for row, answer in zip(rows, answers, strict=True) if not isinstance(answer, ProviderFailed)}
    failed = {row.id: answer.reason for row, answer in zip(rows, answers, strict=True) if isinstance(answer, ProviderFailed)}
    active = await _active(session, {individual for answer in named.values() for individual in answer})
    found: dict[str, list[str]] = {}
    for row, answer in named.items():
        found[row.id] = [individual for individual in dict.fromkeys(answer) if individual in active]
        if answer and not found[row.id]:
            failed[row.id] = f"Whoever is on call for {row.name} is no longer active. Name somebody else by an override."
    return found, failed


async def ask(duty: Duty, answering: Awaitable[Answer], patience: float) -> Answer | ProviderFailed:
    """What the provider of an on-call service answers within ``patience`` (seconds), or why it does not."""
    try:
        async with asyncio.timeout(patience):
            return await answering
    except ProviderFailed as error:
        return error
    except TimeoutError:
        return ProviderFailed(f"It took longer than {patience:g} seconds to tell who is on call for {duty.name}.")
    except Exception as error:  # noqa: BLE001  (whatever is wrong with one provider delays only itself)
        _log.error("a provider of on-call services failed", service=duty.id, exc_info=error)
        return ProviderFailed(f"It could not be told who is on call for {duty.name}: {type(error).__name__}.")
