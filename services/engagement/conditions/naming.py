"""From what people call things to their ids, and back: ids are kept, so that all stays right when something is renamed."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.choices import pick
from services.desk.lookup import resolve_person
from services.engagement.conditions.schemas import AssigneeBody, MemberBody, TargetBody, WhenBody
from services.kit.errors import FieldError, Invalid
from services.kit.ids import is_id
from services.store.contacts import Individual
from services.store.organizations import Project, Setting
from services.store.roles import IncidentRole
from services.store.teams import NamedContact, OnCallService, Team
from workflows.domain.attributes import Choice
from workflows.domain.events import Visibility
from workflows.domain.rules import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_TAG_WORDS,
    RANKED,
    Attribute,
    Condition,
    Group,
    Quantifier,
    Target,
    TargetKind,
)
from workflows.domain.text import normalise

MAX_CHOICES: Final = 500
"""How many teams, and how many on-call services, one chooses from; by API there is no such limit."""
_CALLED: Final = {TargetKind.TEAM: "team", TargetKind.ONCALL: "on-call service"}


class Resolver:
    """Finds what a body names, and gathers what is wrong with it at its path."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._errors: list[FieldError] = []
        self._settings: Sequence[Setting] = ()
        self._projects: Sequence[Project] = ()

    def require(self) -> None:
        """Go on only if everything was found.

        Raises:
            Invalid: with every field that is wrong.
        """
        if self._errors:
            raise Invalid("Some fields are not valid.", self._errors[0].code, self._errors)

    async def when(self, body: WhenBody, path: str) -> Group:
        """The whole condition of something. What else is wrong with it is told by ``require``.

        Raises:
            Invalid: ``too_large``, before anything in it is looked up.
        """
        _require_readable(body, path)
        return await self._group(body, path)

    async def _group(self, body: WhenBody | MemberBody, path: str) -> Group:
        quantifier = Quantifier.ALL if body.all is not None else Quantifier.ANY
        bodies = enumerate(body.all or body.any or [])
        members = [await self._member(each, f"{path}.{quantifier}.{number}") for number, each in bodies]
        return Group.model_construct(quantifier=quantifier, members=tuple(members))

    async def targets(self, bodies: Sequence[TargetBody], path: str) -> tuple[Target, ...]:
        """The targets, each once."""
        found = [await self.target(body, f"{path}.{number}") for number, body in enumerate(bodies)]
        return tuple(dict.fromkeys(found))

    async def target(self, body: TargetBody | AssigneeBody, path: str) -> Target:
        """One target."""
        kind = next(kind for kind in TargetKind if getattr(body, kind, None) is not None)
        text: str = getattr(body, kind)
        try:
            found = await _target_id(self._session, kind, text, f"{path}.{kind}")
        except Invalid as error:
            self._errors += error.errors
            found = text
        return Target(kind=kind, id=found)

    async def role(self, text: str, path: str, built_in: Collection[str]) -> str:
        """A role by its name: one of those built in, or one of the organization's own, kept while this is being written."""
        if (folded := text.casefold()) in built_in:
            return folded
        query = select(IncidentRole.name).where(IncidentRole.name_folded == folded, IncidentRole.active)
        # Nobody deactivates it meanwhile.
        found = await self._session.scalar(query.with_for_update(read=True))
        if found is None:
            known = ", ".join(sorted(built_in))
            message = f"There is no role “{text}” here. Take one of these: {known}; or make it a role of the organization first."
            self._wrong(path, "unknown_role", message)
        return found or text

    async def _member(self, body: MemberBody, path: str) -> Condition | Group:
        if body.attribute is None or body.operator is None or body.values is None:
            return await self._group(body, path)
        values = [await self._value(body.attribute, value, f"{path}.values.{n}") for n, value in enumerate(body.values)]
        try:
            return Condition(attribute=body.attribute, operator=body.operator, values=tuple(dict.fromkeys(values)))
        except ValidationError as error:
            self._wrong(path, "not_comparable", error.errors()[0]["msg"].removeprefix("Value error, "))
            return Condition.model_construct(attribute=body.attribute, operator=body.operator, values=tuple(values))

    async def _value(self, attribute: Attribute, text: str, path: str) -> str:
        if attribute is Attribute.TAG:
            if not (words := normalise(text)) or len(words) > MAX_TAG_WORDS:
                self._wrong(path, "unknown", "A tag that is asked for has a word in it, and is not too long.")
            return words or text
        if attribute is Attribute.VISIBILITY:
            if text.casefold() not in set(Visibility):
                self._wrong(path, "unknown", "An incident is public or restricted.")
            return text.casefold()
        if attribute is Attribute.PROJECT:
            self._projects = self._projects or (await self._session.scalars(select(Project))).all()
            project = pick(self._projects, text)
            return self._known(None if project is None else project.id, attribute, text, path)
        self._settings = self._settings or (await self._session.scalars(select(Setting))).all()
        entry = pick([each for each in self._settings if each.list == attribute.value], text)
        return self._known(None if entry is None else entry.id, attribute, text, path)

    def _known(self, found: str | None, attribute: Attribute, text: str, path: str) -> str:
        if found is None:
            self._wrong(path, "unknown", f"There is no {attribute} “{text}” in this organization.")
        return found or text

    def _wrong(self, path: str, code: str, message: str) -> None:
        self._errors.append(FieldError(field=path, code=code, message=message))


def _require_readable(body: WhenBody, path: str) -> None:
    groups: list[WhenBody | MemberBody] = [body]
    conditions = 0
    for _ in range(MAX_DEPTH):
        members = [member for group in groups for member in group.all or group.any or []]
        groups = [member for member in members if member.attribute is None]
        conditions += len(members) - len(groups)
    if groups:
        deep = f"Groups stand in groups at most {MAX_DEPTH} deep. Put these conditions side by side, or split them into several."
        raise Invalid.of(path, "too_large", deep)
    if conditions > MAX_CONDITIONS:
        many = f"These are {conditions} conditions, and at most {MAX_CONDITIONS} are looked at. Split them into several."
        raise Invalid.of(path, "too_large", many)


async def _target_id(session: AsyncSession, kind: TargetKind, text: str, path: str) -> str:
    if kind is TargetKind.INDIVIDUAL:
        return (await resolve_person(session, path, text)).id
    table: type[NamedContact] = Team if kind is TargetKind.TEAM else OnCallService
    by = table.id == text if is_id(text) else table.name_folded == text.casefold()
    if (found := await session.scalar(select(table.id).where(by))) is None:
        raise Invalid.of(path, "unknown", f"There is no {_CALLED[kind]} “{text}” in this organization.")
    return found


async def names(session: AsyncSession, groups: Iterable[Group], targets: Collection[Target]) -> dict[str, str]:
    """What everything is called that these conditions and targets refer to, in at most one query for each kind of thing."""
    asked = [condition for group in groups for condition in group.conditions()]

    def values(*attributes: Attribute) -> set[str]:
        return {value for condition in asked if condition.attribute in attributes for value in condition.values}

    found = await target_names(session, targets)
    if entries := values(Attribute.TYPE, *RANKED):
        query = select(Setting.id, Setting.name).where(Setting.id.in_(entries))
        found |= {row[0]: row[1] for row in await session.execute(query)}
    if projects := values(Attribute.PROJECT):
        of_projects = select(Project.id, Project.name).where(Project.id.in_(projects))
        found |= {row[0]: row[1] for row in await session.execute(of_projects)}
    return found


async def target_names(session: AsyncSession, targets: Collection[Target]) -> dict[str, str]:
    """What these targets are called."""
    tables = {
        TargetKind.INDIVIDUAL: (Individual.id, Individual.name),
        TargetKind.TEAM: (Team.id, Team.name),
        TargetKind.ONCALL: (OnCallService.id, OnCallService.name),
    }
    found: dict[str, str] = {}
    for kind, (identity, name) in tables.items():
        if wanted := {target.id for target in targets if target.kind is kind}:
            found |= {row[0]: row[1] for row in await session.execute(select(identity, name).where(identity.in_(wanted)))}
    return found


async def choosable(session: AsyncSession) -> dict[TargetKind, list[Choice]]:
    """The active teams and on-call services, by name: as many of each as one can choose from."""
    tables = {
        TargetKind.TEAM: (Team.id, Team.name, Team.active),
        TargetKind.ONCALL: (OnCallService.id, OnCallService.name, OnCallService.active),
    }
    found = {}
    for kind, (identity, name, active) in tables.items():
        query = select(identity, name).where(active).order_by(name, identity).limit(MAX_CHOICES)
        found[kind] = [Choice(id=row[0], name=row[1]) for row in await session.execute(query)]
    return found
