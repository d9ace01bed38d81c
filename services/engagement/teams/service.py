"""Teams: people who are engaged together, or whose mailing list is engaged in their place (E1)."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import resolve_person
from services.engagement import named, repository, terms
from services.engagement.schemas import MAX_TEAM, NewTeam, TeamChanges, TeamEntry, TeamMemberView, TeamView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.ids import new_id
from services.kit.paging import Page
from services.store import audit
from services.store.contacts import Individual, claim_addresses
from services.store.teams import Team, TeamMember


async def list_teams(
    session: AsyncSession, actor: Actor, q: str | None = None, after: str | None = None, page_size: int = 25
) -> Page[TeamEntry]:
    """A page of the organization's teams, by name.

    Raises:
        BadRequest: ``unknown_after``.
    """
    rows, pagination = await named.list_by_name(session, actor, Team, q, after, page_size)
    return Page(data=await _entries(session, rows), pagination=pagination)


async def get_team(session: AsyncSession, team: str) -> TeamView:
    """One team, with its members by name.

    Raises:
        NotFound: there is none.
    """
    return await _view(session, await named.find(session, Team, team))


async def create_team(session: AsyncSession, actor: Actor, new: NewTeam) -> TeamView:
    """Make a team.

    Raises:
        Forbidden: only administrators keep the contacts.
        Invalid: ``name_taken``, ``unknown``, ``missing``, ``email_taken``.
    """
    named.require_editor(actor)
    await named.require_free_name(session, Team, new.name)
    row = Team(id=new_id(), organization_id=actor.organization, name=new.name, active=new.active, version=1, created_at=now())
    await named.keep(session, row)
    await _set_list(session, row, new.notify, new.list_address)
    await _set_members(session, row, new.members)
    await terms.replace(session, actor, row, new.terms)
    view = await _view(session, row)
    audit.record(session, actor.origin, "team.created", row.id, row.name, after=_audited(view))
    return view


async def change_team(
    session: AsyncSession, actor: Actor, team: str, changes: TeamChanges, version: int | None = None
) -> TeamView:
    """Change a team's name, members, whom it notifies, or whether it is engaged at all.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Invalid: ``name_taken``, ``unknown``, ``missing``, ``email_taken``.
    """
    row = await named.to_change(session, actor, Team, team, version)
    before = await _view(session, row)
    if changes.name is not None and changes.name != row.name:
        await named.require_free_name(session, Team, changes.name, row.id)
        row.name = changes.name
    row.active = row.active if changes.active is None else changes.active
    await named.keep(session, row)
    await _set_list(session, row, changes.notify or row.notify, changes.list_address)
    if changes.members is not None:
        await _set_members(session, row, changes.members)
    return await _changed(session, actor, row, before)


async def put_terms(
    session: AsyncSession, actor: Actor, team: str, phrases: Sequence[str], version: int | None = None
) -> TeamView:
    """Put these terms in place of the ones before; see ``terms.replace``.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await named.to_change(session, actor, Team, team, version)
    before = await _view(session, row)
    await terms.replace(session, actor, row, phrases)
    return await _changed(session, actor, row, before)


async def add_member(session: AsyncSession, actor: Actor, team: str, text: str) -> None:
    """Make whom a text names a member (see ``resolve_person``); once is as good as twice.

    Raises:
        NotFound, Forbidden: see there.
        Invalid: ``missing``, ``unknown``, ``ambiguous``, at ``individual``. Conflict: ``team_full``.
    """
    row = await named.to_change(session, actor, Team, team, None)
    person = await resolve_person(session, "individual", text)
    if await session.get(TeamMember, (row.id, person.id)) is not None:
        return
    count = await session.scalar(select(func.count()).select_from(TeamMember).where(TeamMember.team_id == row.id))
    if (count or 0) >= MAX_TEAM:
        raise Conflict(f"A team has at most {MAX_TEAM} members. Remove one first, or make another team.", "team_full")
    before = await _view(session, row)
    session.add(TeamMember(organization_id=row.organization_id, team_id=row.id, individual_id=person.id))
    await _changed(session, actor, row, before)


async def remove_member(session: AsyncSession, actor: Actor, team: str, individual: str) -> None:
    """End somebody's membership.

    Raises:
        NotFound: there is no such team, or they are no member of it. Forbidden: see there.
    """
    row = await named.to_change(session, actor, Team, team, None)
    membership = await session.get(TeamMember, (row.id, individual))
    if membership is None:
        raise NotFound("member")
    before = await _view(session, row)
    await session.delete(membership)
    await _changed(session, actor, row, before)


async def deactivate(session: AsyncSession, actor: Actor, team: str, version: int | None = None) -> None:
    """Take a team out of engagement. Past incidents refer to it, so nothing is deleted.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await named.to_change(session, actor, Team, team, version)
    before = await _view(session, row)
    row.active = False
    await _set_list(session, row, row.notify, None)
    await _changed(session, actor, row, before)


async def _set_list(session: AsyncSession, row: Team, notify: str, address: str | None) -> None:
    """Say whom a team notifies; its list is an active individual only while that is who is engaged."""
    mailing_list = None if row.list_id is None else await session.get_one(Individual, row.list_id)
    if notify == "list" and mailing_list is None and address is None:
        raise Invalid.of("list_address", "missing", "Give the address of the list that is to be notified.")
    if address is not None:
        await claim_addresses(session, row.organization_id, [address])
        if await repository.email_taken(session, address, row.list_id):
            raise Invalid.of("list_address", "email_taken", "An individual or another team has this address. Give another one.")
        if mailing_list is None:
            mailing_list = Individual(
                id=new_id(), organization_id=row.organization_id, kind="list", name="", email=address, created_at=now()
            )
        mailing_list.email = address
    row.notify = notify
    if mailing_list is not None:
        mailing_list.name = f"{row.name[:193]} (list)"
        mailing_list.active = row.active and notify == "list"
        session.add(mailing_list)
        # The team refers to it.
        await session.flush()
        row.list_id = mailing_list.id
    await session.flush()


async def _set_members(session: AsyncSession, row: Team, members: Sequence[str]) -> None:
    people = await named.require_people(session, members, "members")
    wanted = {person.id for person in people}
    present = set(await session.scalars(select(TeamMember.individual_id).where(TeamMember.team_id == row.id)))
    gone = delete(TeamMember).where(TeamMember.team_id == row.id, TeamMember.individual_id.in_(present - wanted))
    await session.execute(gone)
    belongs = {"organization_id": row.organization_id, "team_id": row.id}
    session.add_all(TeamMember(individual_id=person, **belongs) for person in sorted(wanted - present))
    await session.flush()


async def _entries(session: AsyncSession, rows: Sequence[Team]) -> list[TeamEntry]:
    ids = [row.id for row in rows]
    counting = select(TeamMember.team_id, func.count()).where(TeamMember.team_id.in_(ids)).group_by(TeamMember.team_id)
    counted = {row[0]: row[1] for row in await session.execute(counting)}
    listing = select(Individual.id, Individual.email).where(Individual.id.in_([row.list_id for row in rows if row.list_id]))
    addresses = {row[0]: row[1] for row in await session.execute(listing)}
    kept = await repository.terms_of(session, ids, Team)
    return [
        TeamEntry(
            id=row.id,
            name=row.name,
            notify="list" if row.notify == "list" else "members",
            list_address=addresses.get(row.list_id or ""),
            member_count=counted.get(row.id, 0),
            active=row.active,
            terms=[term.phrase for term in kept[row.id]],
            term_details=terms.views(kept[row.id]),
            version=row.version,
        )
        for row in rows
    ]


async def _view(session: AsyncSession, row: Team) -> TeamView:
    query = select(Individual).join(TeamMember, TeamMember.individual_id == Individual.id).where(TeamMember.team_id == row.id)
    people = await session.scalars(query.order_by(Individual.name, Individual.id))
    members = [TeamMemberView(id=each.id, name=each.name, email=each.email, active=each.active) for each in people]
    return TeamView(**(await _entries(session, [row]))[0].model_dump(), members=members)


async def _changed(session: AsyncSession, actor: Actor, row: Team, before: TeamView) -> TeamView:
    """The team as it has become; what is not as it was before goes into the audit log."""
    await session.flush()
    view = await _view(session, row)
    was, is_ = audit.difference(_audited(before), _audited(view))
    if was:
        audit.record(session, actor.origin, "team.changed", row.id, row.name, before=was, after=is_)
    return view


def _audited(view: TeamView) -> dict[str, object]:
    return {
        "name": view.name,
        "members": [member.label for member in view.members],
        "notify": view.notify,
        "list_address": view.list_address,
        "terms": view.terms,
        "active": view.active,
    }
