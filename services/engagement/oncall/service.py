"""On-call services: for each, somebody is on call, by a rotation and its overrides (E10)."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import Person, people, resolve_person
from services.engagement import named, repository, rotation, terms
from services.engagement.oncall.provider import ABSENT, Duty, ProviderFailed
from services.engagement.oncall.wording import layer_in_words
from services.engagement.rotation import Rotation, Shift
from services.engagement.schemas import (
    NewOnCallService,
    NewOverride,
    OnCallPerson,
    OnCallServiceChanges,
    OnCallServiceEntry,
    OnCallServiceView,
    OnCallView,
    OverrideView,
    ShiftView,
)
from services.engagement.targets import GLANCE, PROVIDERS, ask, duties
from services.kit.auth import Actor
from services.kit.clock import now, rfc3339
from services.kit.errors import Conflict, Invalid, NotFound, Unavailable
from services.kit.ids import new_id
from services.kit.paging import Page
from services.store import audit
from services.store.contacts import Individual
from services.store.teams import OnCallService, OverrideRow

HORIZON: Final = timedelta(days=14)
"""How far it is looked ahead for who comes next."""
MAX_RANGE: Final = timedelta(days=92)
"""The longest stretch of shifts that is answered at once."""
LOOK: Final = 3.0
"""Seconds that somebody who looks at shifts waits for a provider."""
MAX_OVERRIDE: Final = timedelta(days=366)
MAX_OVERRIDES: Final = 100
"""How many overrides of a service can be ahead."""


async def list_services(
    session: AsyncSession, actor: Actor, q: str | None = None, after: str | None = None, page_size: int = 25
) -> Page[OnCallServiceEntry]:
    """A page of the organization's on-call services, by name.

    Raises:
        BadRequest: ``unknown_after``.
    """
    rows, pagination = await named.list_by_name(session, actor, OnCallService, q, after, page_size)
    asked = await duties(session, rows, now())
    # Connections are few: none is kept while a provider takes its time.
    await session.commit()
    return Page(data=await _entries(session, rows, asked), pagination=pagination)


async def get_service(session: AsyncSession, service: str) -> OnCallServiceView:
    """One on-call service.

    Raises:
        NotFound: there is none.
    """
    return await _view(session, await named.find(session, OnCallService, service))


async def require_change(session: AsyncSession, actor: Actor, service: str) -> None:
    """Go on only if there is such a service, and for those who keep the contacts: before what they typed is read.

    Raises:
        NotFound, Forbidden: see there.
    """
    await named.find(session, OnCallService, service)
    named.require_editor(actor)


async def create_service(session: AsyncSession, actor: Actor, new: NewOnCallService) -> OnCallServiceView:
    """Make an on-call service.

    Raises:
        Forbidden: only administrators keep the contacts.
        Invalid: ``name_taken``, ``unknown``.
    """
    named.require_editor(actor)
    await named.require_free_name(session, OnCallService, new.name)
    await _require_members(session, new.rotation)
    row = OnCallService(
        id=new_id(),
        organization_id=actor.organization,
        name=new.name,
        provider=new.provider,
        definition=_kept(new.rotation),
        active=new.active,
        version=1,
        created_at=now(),
    )
    await named.keep(session, row)
    await terms.replace(session, actor, row, new.terms)
    view = await _view(session, row)
    audit.record(session, actor.origin, "oncall_service.created", row.id, row.name, after=_audited(view))
    return view


async def change_service(
    session: AsyncSession, actor: Actor, service: str, changes: OnCallServiceChanges, version: int | None = None
) -> OnCallServiceView:
    """Change an on-call service's name or rotation, or whether anybody is engaged by it at all.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Invalid: ``name_taken``, ``unknown``.
    """
    row = await named.to_change(session, actor, OnCallService, service, version)
    before = await _view(session, row)
    if changes.name is not None and changes.name != row.name:
        await named.require_free_name(session, OnCallService, changes.name, row.id)
        row.name = changes.name
    if changes.rotation is not None:
        await _require_members(session, changes.rotation)
        row.definition = _kept(changes.rotation)
    row.active = row.active if changes.active is None else changes.active
    await named.keep(session, row)
    return await _changed(session, actor, row, before)


async def put_terms(
    session: AsyncSession, actor: Actor, service: str, phrases: Sequence[str], version: int | None = None
) -> OnCallServiceView:
    """Put these terms in place of the ones before; see ``terms.replace``.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await named.to_change(session, actor, OnCallService, service, version)
    before = await _view(session, row)
    await terms.replace(session, actor, row, phrases)
    return await _changed(session, actor, row, before)


async def deactivate(session: AsyncSession, actor: Actor, service: str, version: int | None = None) -> None:
    """Take an on-call service out of engagement. Past incidents refer to it, so nothing is deleted.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await named.to_change(session, actor, OnCallService, service, version)
    before = await _view(session, row)
    row.active = False
    await _changed(session, actor, row, before)


async def list_shifts(session: AsyncSession, service: str, begin: datetime, end: datetime | None = None) -> list[ShiftView]:
    """Who is on call from one moment until another, as its provider tells it now; nobody has shifts too, so there are no gaps.

    Without an end it is as far as ``HORIZON``. ``session`` only reads: its transaction ends before the provider is asked.

    Raises:
        NotFound: there is no such service. Invalid: ``out_of_range``, ``too_long``.
        Unavailable: ``on_call_unknown``, with why the provider cannot tell.
    """
    row = await named.find(session, OnCallService, service)
    _require_years("from", begin)
    # Not before: there may be nothing to add days to.
    end = begin + HORIZON if end is None else end
    _require_range(begin, end, MAX_RANGE)
    [duty] = await duties(session, [row], begin)
    await session.commit()
    found = await _shifts(duty, begin, end, LOOK)
    if isinstance(found, ProviderFailed):
        raise Unavailable(found.reason, "on_call_unknown")
    known = await _on_call(session, (shift.individual for shift in found))
    layers = _rotation(row).layers
    return [
        ShiftView(
            from_=shift.begin,
            until=shift.end,
            individual=known.get(shift.individual or ""),
            layer=None if shift.layer is None else layers[shift.layer].name,
            override=shift.override,
        )
        for shift in found
    ]


def on_call_first(shifts: Sequence[ShiftView]) -> OnCallView:
    """Who is on call where these shifts begin, until when, and who comes then."""
    first = shifts[0]
    # The end of an override is told, also where the same person goes on; its beginning then changes nothing.
    ending = (shift for shift in shifts if shift.individual != first.individual or first.override not in {None, shift.override})
    changing = next(ending, None)
    return OnCallView(
        individual=first.individual,
        until=None if changing is None else changing.from_,
        layer=first.layer,
        override=first.override,
        following=None if changing is None else changing.individual,
    )


async def add_override(
    session: AsyncSession, actor: Actor, service: str, new: NewOverride, version: int | None = None
) -> OverrideView:
    """Put somebody on call for a while, whatever the rotation says; over an override that is there already as well.

    It begins now at the earliest, since who was on call until now stays as it was.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Invalid: ``unknown``, ``ambiguous``, ``inactive``, ``out_of_range``, ``too_long``, ``over``.
        Conflict: ``too_many_overrides``.
    """
    row = await named.to_change(session, actor, OnCallService, service, version)
    _require_range(new.from_, new.until, MAX_OVERRIDE)
    at = now()
    if new.until <= at:
        raise Invalid.of("until", "over", "This is over already. Give an end that is still ahead.")
    person = await resolve_person(session, "individual", new.individual)
    if not person.active:
        raise Invalid.of("individual", "inactive", f"{person.name} is no longer active. Make the contact active again first.")
    ahead = select(func.count()).select_from(OverrideRow).where(OverrideRow.service_id == row.id, OverrideRow.until_at > at)
    if (await session.scalar(ahead) or 0) >= MAX_OVERRIDES:
        message = f"{MAX_OVERRIDES} overrides are ahead, and there cannot be more. Remove one, or change the rotation."
        raise Conflict(message, "too_many_overrides")
    made = OverrideRow(
        id=new_id(),
        organization_id=row.organization_id,
        service_id=row.id,
        individual_id=person.id,
        from_at=max(new.from_, at),
        until_at=new.until,
        created_at=at,
    )
    session.add(made)
    await session.flush()
    named_there = Person(id=person.id, name=person.name, email=person.email)
    after = _override_audited(named_there, made)
    audit.record(session, actor.origin, "oncall_service.override_added", row.id, row.name, after=after)
    return OverrideView(id=made.id, individual=named_there, from_=made.from_at, until=made.until_at)


async def remove_override(session: AsyncSession, actor: Actor, service: str, override: str, version: int | None = None) -> None:
    """Take an override back. If it has begun it ends now, since it says who was on call until now.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Conflict: ``over``, it has ended already.
    """
    row = await named.to_change(session, actor, OnCallService, service, version)
    found = await session.scalar(select(OverrideRow).where(OverrideRow.id == override, OverrideRow.service_id == row.id))
    at = now()
    if found is None:
        raise NotFound("override")
    if found.until_at <= at:
        raise Conflict("This override is over; it says who was on call then.", "over")
    person = (await people(session, [found.individual_id]))[found.individual_id]
    before = _override_audited(person, found)
    audit.record(session, actor.origin, "oncall_service.override_removed", row.id, row.name, before=before)
    if found.from_at >= at:
        await session.delete(found)
    else:
        found.until_at = at
    await session.flush()


async def _on_call(session: AsyncSession, ids: Iterable[str | None]) -> dict[str, OnCallPerson]:
    rows = await session.scalars(select(Individual).where(Individual.id.in_({each for each in ids if each is not None})))
    return {row.id: OnCallPerson(id=row.id, name=row.name, email=row.email, active=row.active) for row in rows}


def _rotation(row: OnCallService) -> Rotation:
    """Its rotation; whatever goes by something else has none."""
    return Rotation.model_validate(row.definition, extra="ignore") if row.provider == "rotation" else Rotation()


def _kept(given: Rotation) -> dict[str, object]:
    return given.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _shifts(duty: Duty, begin: datetime, end: datetime, patience: float) -> list[Shift] | ProviderFailed:
    return await ask(duty, PROVIDERS.get(duty.provider, ABSENT).shifts(duty, begin, end), patience)


def _require_range(begin: datetime, end: datetime, longest: timedelta) -> None:
    _require_years("from", begin)
    _require_years("until", end)
    if end <= begin:
        raise Invalid.of("until", "out_of_range", "This has to come after the beginning.")
    if end - begin > longest:
        raise Invalid.of("until", "too_long", f"This can be at most {longest.days} days.")


def _require_years(field: str, moment: datetime) -> None:
    if not rotation.FIRST <= moment < rotation.LAST:
        raise Invalid.of(field, "out_of_range", "Give a time between the years 2000 and 2099.")


async def _require_members(session: AsyncSession, given: Rotation) -> None:
    for number, layer in enumerate(given.layers):
        await named.require_people(session, layer.members, f"rotation.layers.{number}.members")


async def _entries(session: AsyncSession, rows: Sequence[OnCallService], asked: Sequence[Duty]) -> list[OnCallServiceEntry]:
    at = now()
    told = await asyncio.gather(*(_shifts(duty, at, at + timedelta(microseconds=1), GLANCE) for duty in asked))
    failed = {duty.id: answer.reason for duty, answer in zip(asked, told, strict=True) if isinstance(answer, ProviderFailed)}
    named_now = {
        duty.id: answer[0].individual for duty, answer in zip(asked, told, strict=True) if not isinstance(answer, ProviderFailed)
    }
    known = await _on_call(session, named_now.values())
    kept = await repository.terms_of(session, [row.id for row in rows], OnCallService)
    return [
        OnCallServiceEntry(
            id=row.id,
            name=row.name,
            provider=row.provider,
            active=row.active,
            on_call=known.get(named_now.get(row.id) or ""),
            unanswered=failed.get(row.id),
            terms=[term.phrase for term in kept[row.id]],
            term_details=terms.views(kept[row.id]),
            version=row.version,
        )
        for row in rows
    ]


async def _view(session: AsyncSession, row: OnCallService) -> OnCallServiceView:
    given = _rotation(row)
    [duty] = await duties(session, [row], now())
    named_there = _distinct(member for layer in given.layers for member in layer.members)
    known = await people(session, [*named_there, *(each.individual for each in duty.overrides)])
    return OnCallServiceView(
        **(await _entries(session, [row], [duty]))[0].model_dump(),
        rotation=given,
        people=[known[member] for member in named_there],
        overrides=[
            OverrideView(id=each.id, individual=known[each.individual], from_=each.begin, until=each.end)
            for each in sorted(duty.overrides, key=lambda each: each.begin)
        ],
    )


async def _changed(session: AsyncSession, actor: Actor, row: OnCallService, before: OnCallServiceView) -> OnCallServiceView:
    """The service as it has become; what is not as it was before goes into the audit log."""
    view = await _view(session, row)
    was, is_ = audit.difference(_audited(before), _audited(view))
    if was:
        audit.record(session, actor.origin, "oncall_service.changed", row.id, row.name, before=was, after=is_)
    return view


def _audited(view: OnCallServiceView) -> dict[str, object]:
    """Without the overrides, which come and go by entries of their own. Layers have their places: the topmost counts."""
    called = {person.id: person.label for person in view.people}
    layers = [f"{place}. {layer_in_words(layer, called)}" for place, layer in enumerate(view.rotation.layers, 1)]
    return {"name": view.name, "layers": layers, "terms": view.terms, "active": view.active}


def _override_audited(person: Person, row: OverrideRow) -> dict[str, object]:
    return {"individual": person.label, "from": rfc3339(row.from_at), "until": rfc3339(row.until_at)}


def _distinct(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
