"""Members: who has an account of the organization, as what, and until when (O3, O4, O6)."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import repository
from services.accounts.schemas import Commanded, InvitationView, MemberChanges, MemberQuery, MemberView, NewMember
from services.desk import owners
from services.desk.choices import pick
from services.desk.lookup import Person, resolve_person, visible_to
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Conflict, Invalid, NotFound, NotSignedIn, VersionConflict
from services.kit.ids import new_id
from services.kit.paging import Page, cut, decode_after
from services.store import audit
from services.store.accounts import Account, end_access
from services.store.contacts import Individual, TermRow, claim_addresses, matching, reached_at
from services.store.deliveries import Delivery, InboxMessage, intend_letter
from services.store.incidents import Incident
from services.store.organizations import Project, ProjectMember
from workflows.domain.policy import AccountObject, Action, Role, Subject

MAX_COMMANDED: Final = 20
"""How many of the incidents somebody leads are told."""


async def list_members(
    session: AsyncSession, actor: Actor, query: MemberQuery, after: str | None = None, page_size: int = 25
) -> Page[MemberView]:
    """A page of the organization's accounts, by name."""
    actor.require(Action.SEE_MEMBERS)
    scope = f"members {actor.organization} {query.model_dump_json()}"
    statement = select(Account, Individual).join(Individual, Individual.id == Account.individual_id)
    if query.q:
        statement = statement.where(matching(query.q))
    if query.role is not None:
        statement = statement.where(Account.role == query.role)
    if query.active is not None:
        statement = statement.where(Account.active.is_(query.active))
    if query.project is not None:
        statement = statement.join(ProjectMember, ProjectMember.account_id == Account.id)
        statement = statement.where(ProjectMember.project_id == query.project)
    if after is not None:
        name, individual = decode_after(scope, after, 2)
        statement = statement.where(tuple_(Individual.name, Individual.id) > (name, individual))
    statement = statement.order_by(Individual.name, Individual.id).limit(page_size + 1)
    rows = [(row[0], row[1]) for row in await session.execute(statement)]
    shown, pagination = cut(rows, page_size, scope, lambda row: [row[1].name, row[1].id])
    return Page(data=await _views(session, actor, shown), pagination=pagination)


async def get_member(session: AsyncSession, actor: Actor, account: str) -> MemberView:
    """One account.

    Raises:
        NotFound: there is none.
    """
    actor.require(Action.SEE_MEMBERS)
    return (await _views(session, actor, [await find_member(session, account)]))[0]


async def find_member(session: AsyncSession, account: str) -> tuple[Account, Individual]:
    """The account of this id, and whose it is.

    Raises:
        NotFound: there is none in this organization.
    """
    query = select(Account, Individual).join(Individual, Individual.id == Account.individual_id).where(Account.id == account)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("member")
    return row[0], row[1]


async def resolve_member(session: AsyncSession, field: str, text: str) -> str:
    """The id of the account of the person whom a text names; see ``resolve_person``.

    Raises:
        Invalid: as there, or ``no_account``, at this field.
    """
    person = await resolve_person(session, field, text)
    account = await session.scalar(select(Account.id).where(Account.individual_id == person.id))
    if account is None:
        raise Invalid.of(field, "no_account", f"{person.name} has no account. Invite them first, under Members.")
    return account


async def commanded(session: AsyncSession, actor: Actor, individual: str) -> list[Commanded]:
    """The open incidents somebody leads, as far as the actor sees them: the latest first, and no more than ``MAX_COMMANDED``."""
    query = (
        select(Incident)
        .where(Incident.is_open, Incident.commander_id == individual, visible_to(actor))
        .order_by(Incident.reported_at.desc(), Incident.id)
        .limit(MAX_COMMANDED)
    )
    return [Commanded(reference=f"INC-{row.reference}", title=row.title) for row in await session.scalars(query)]


async def projects_of(session: AsyncSession, account: str, limit: int) -> Sequence[Project]:
    """Some of the projects an account is a member of, by name."""
    query = select(Project).join(ProjectMember, ProjectMember.project_id == Project.id)
    return (await session.scalars(query.where(ProjectMember.account_id == account).order_by(Project.name).limit(limit))).all()


async def invite(session: AsyncSession, actor: Actor, new: NewMember) -> MemberView:
    """Make an account for whoever has this address, and write the mail by which they come in.

    Somebody who is in the contacts already keeps their name there.

    Raises:
        Forbidden: the policy.
        Invalid: ``email_taken``, ``inactive``, ``unknown``.
    """
    actor.require(Action.MANAGE_ACCOUNT, AccountObject(role=new.role))
    projects = await _pick_projects(session, new.projects)
    await claim_addresses(session, actor.organization, [new.email])
    individual = await session.scalar(select(Individual).where(reached_at(new.email)))
    if individual is not None:
        await _require_invitable(session, individual)
    belongs = {"organization_id": actor.organization}
    try:
        async with session.begin_nested():
            if individual is None:
                individual = Individual(id=new_id(), name=new.name, email=new.email, created_at=now(), **belongs)
                session.add(individual)
                await session.flush()
            row = Account(id=new_id(), individual_id=individual.id, role=new.role, created_at=now(), **belongs)
            session.add(row)
    except IntegrityError as error:
        # Someone else took the address a moment ago.
        raise Invalid.of("email", "email_taken", "Somebody with this address was added a moment ago.") from error
    session.add_all(ProjectMember(project_id=each.id, account_id=row.id, added_at=now(), **belongs) for each in projects)
    after = {"email": individual.email, "role": new.role, "projects": [each.name for each in projects]}
    await _invite(session, actor, row, individual, after)
    return (await _views(session, actor, [(row, individual)]))[0]


async def invite_again(session: AsyncSession, actor: Actor, account: str) -> MemberView:
    """Send another invitation; the secret of the one before holds no longer.

    Raises:
        NotFound, Forbidden: see there.
        Conflict: ``deactivated``, ``already_accepted``.
    """
    row, individual = await _to_write_to(session, actor, account)
    if (await _views(session, actor, [(row, individual)]))[0].state != "invited":
        raise Conflict(f"{individual.name} has accepted already. Send a mail to set a new password instead.", "already_accepted")
    await repository.end(session, row.id, "invitation")
    await _invite(session, actor, row, individual, {"email": individual.email})
    return (await _views(session, actor, [(row, individual)]))[0]


async def send_reset(session: AsyncSession, actor: Actor, account: str) -> MemberView:
    """Send somebody a mail to set a new password by.

    Raises:
        NotFound, Forbidden: see there.
        Conflict: ``deactivated``, ``not_a_person``.
    """
    row, individual = await _to_write_to(session, actor, account)
    await intend_letter(session, actor.organization, "password_reset", new_id(), individual.id, individual.email)
    audit.record(session, actor.origin, "password.reset_asked", row.id, individual.name)
    return (await _views(session, actor, [(row, individual)]))[0]


async def change_member(
    session: AsyncSession, actor: Actor, account: str, changes: MemberChanges, version: int | None = None
) -> MemberView:
    """Change somebody's role, and whether they can sign in. Deactivating ends every session, token, link and invitation.

    Whoever is no longer an administrator has vouched for none of their own terms: these bring them into no restricted incident.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Conflict: ``last_owner``, ``yourself``.
    """
    row, individual = await _to_manage(session, actor, account, changes.role, version)
    role = changes.role or Role(row.role)
    active = row.active if changes.active is None else changes.active
    if (role, active) == (row.role, row.active):
        return (await _views(session, actor, [(row, individual)]))[0]
    if row.role == Role.OWNER and row.active:
        await owners.require_another(session, individual)
    if row.id == actor.account:
        raise Conflict("Nobody changes their own role, or deactivates themselves. Ask somebody else to do it.", "yourself")
    if role != row.role:
        before, after = {"role": row.role}, {"role": role}
        audit.record(session, actor.origin, "member.role_changed", row.id, individual.name, before=before, after=after)
        if Subject(role=Role(row.role)).administers and not Subject(role=role).administers:
            # What they set while they did opens restricted incidents.
            own = update(TermRow).where(TermRow.individual_id == individual.id, ~TermRow.self_set)
            await session.execute(own.values(self_set=True))
    if active != row.active:
        await end_access(session, row.id)
        action = "member.reactivated" if active else "member.deactivated"
        audit.record(session, actor.origin, action, row.id, individual.name)
    row.role, row.active = role, active
    row.version += 1
    return (await _views(session, actor, [(row, individual)]))[0]


async def deactivate(session: AsyncSession, actor: Actor, account: str, version: int | None = None) -> None:
    """Let somebody sign in no more. They stay a contact, and what they did keeps their name.

    Raises:
        NotFound, Forbidden, VersionConflict, Conflict: see ``change_member``.
    """
    await change_member(session, actor, account, MemberChanges(active=False), version)


async def _to_manage(
    session: AsyncSession, actor: Actor, account: str, wanted: Role | None, version: int | None
) -> tuple[Account, Individual]:
    await owners.take_turns(session)
    # What the actor may was read before the wait, and could have been taken away by whoever had their turn.
    asking = await session.get_one(Account, actor.account, populate_existing=True)
    if not asking.active:
        raise NotSignedIn
    actor = actor.model_copy(update={"role": Role(asking.role)})
    row, individual = await find_member(session, account)
    # Two who change the same account take turns, so that If-Match tells the second one.
    await session.refresh(row, with_for_update=True)
    actor.require(Action.MANAGE_ACCOUNT, AccountObject(role=_higher(Role(row.role), wanted)), "member")
    if version is not None and version != row.version:
        raise VersionConflict
    return row, individual


async def _to_write_to(session: AsyncSession, actor: Actor, account: str) -> tuple[Account, Individual]:
    row, individual = await _to_manage(session, actor, account, None, None)
    if row.kind != "person":
        raise Conflict("This is a program's account: it has tokens, and no password.", "not_a_person")
    if not (row.active and individual.active):
        raise Conflict(f"{individual.name} is deactivated, and could not sign in. Reactivate them first.", "deactivated")
    return row, individual


async def _invite(session: AsyncSession, actor: Actor, row: Account, individual: Individual, after: dict[str, Any]) -> None:
    await session.flush()
    await intend_letter(session, actor.organization, "invitation", new_id(), individual.id, individual.email)
    audit.record(session, actor.origin, "member.invited", row.id, individual.name, after=after)


async def _require_invitable(session: AsyncSession, individual: Individual) -> None:
    present = await session.scalar(select(Account).where(Account.individual_id == individual.id))
    if present is not None:
        gone = "" if present.active else " It was deactivated: reactivate it instead."
        raise Invalid.of("email", "email_taken", f"{individual.name} has an account with this address already.{gone}")
    if individual.kind == "list":
        raise Invalid.of("email", "email_taken", "This is the address of a team's mailing list. Give a person's address.")
    if not individual.active:
        message = f"{individual.name} is no longer active. Make the contact active again first."
        raise Invalid.of("email", "inactive", message)


async def _pick_projects(session: AsyncSession, wanted: Sequence[str] | None) -> list[Project]:
    known = await repository.projects(session)
    picked: dict[str, Project] = {}
    for name in [None] if wanted is None else wanted:
        project = pick(known, name)
        if project is None:
            raise Invalid.of("projects", "unknown", f"There is no project “{name}” in this organization.")
        picked[project.id] = project
    return list(picked.values())


async def _views(session: AsyncSession, actor: Actor, rows: Sequence[tuple[Account, Individual]]) -> list[MemberView]:
    counting = select(ProjectMember.account_id, func.count()).group_by(ProjectMember.account_id)
    counted = await session.execute(counting.where(ProjectMember.account_id.in_([account.id for account, _ in rows])))
    projects = {row[0]: row[1] for row in counted}
    invitations = await _invitations(session, [person.id for account, person in rows if not account.proven])
    found = []
    for account, person in rows:
        role, invitation = Role(account.role), invitations.get(person.id)
        told = account.active and actor.may(Action.MANAGE_ACCOUNT, AccountObject(role=role))
        found.append(
            MemberView(
                id=account.id,
                individual=Person(id=person.id, name=person.name, email=person.email),
                role=role,
                kind="service" if account.kind == "service" else "person",
                active=account.active,
                contact_active=person.active,
                state="deactivated" if not account.active else "active" if invitation is None else "invited",
                invitation=invitation if told else None,
                projects=projects.get(account.id, 0),
                created_at=account.created_at,
                version=account.version,
            )
        )
    return found


async def _invitations(session: AsyncSession, individuals: Sequence[str]) -> dict[str, InvitationView]:
    """The last invitation of each of these people, if they ever had one."""
    invitation = (Delivery.recipient_id.in_(individuals), Delivery.incident_id.is_(None), Delivery.kind == "invitation")
    latest = select(func.max(Delivery.id)).where(*invitation).group_by(Delivery.recipient_id)
    query = select(Delivery, InboxMessage.id).outerjoin(InboxMessage, InboxMessage.delivery_id == Delivery.id)
    return {
        row.recipient_id: InvitationView(
            state=row.state, provider=row.provider, reason=row.reason, intended_at=row.intended_at, inbox_message=message
        )
        for row, message in await session.execute(query.where(Delivery.id.in_(latest)))
    }


def _higher(role: Role, wanted: Role | None) -> Role:
    return role if wanted is None else min(role, wanted, key=list(Role).index)
