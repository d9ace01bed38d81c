"""Why role policies did, or did not, choose somebody (E6, E9).

Which policies were asked, whether they held and whom they stood for is read from the record of the choice. Before there is one,
everything is looked at as it is.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.conditions.naming import names
from services.engagement.decision import DecisionRecord
from services.engagement.grounds import Hearing, Reach, may_be_on_call, missed
from services.engagement.roles.schemas import Definition
from services.engagement.rules.evaluation import facts
from services.engagement.schemas import RuleWhyView
from services.engagement.targets import resolve, via
from services.store.contacts import Individual
from services.store.roles import RolePolicyVersion
from services.store.teams import OnCallService
from workflows.domain.incident import IncidentState
from workflows.domain.roles import RolePolicy, policy_sentence
from workflows.domain.rules import Target, TargetKind


async def policies_about(
    session: AsyncSession, person: Individual, then: IncidentState, at: datetime, record: DecisionRecord | None
) -> list[RuleWhyView]:
    """The role policies that may choose a person, by name: those that were asked, or would be at a moment."""
    policies = await _policies(session, _in_force(at) if record is None else _asked(record))
    stood = await _stood(session, person, policies, at, record)
    about = [policy for policy in policies if policy.assignee in stood]
    known = await facts(session, then.attributes, then.project, then.visibility)
    called = await names(session, [policy.when for policy in about], {policy.assignee for policy in about})
    hearing = Hearing(known, record, called)
    reaches = {
        each: Reach(via(each, called), stood[each], missed(person, each, called, stood[each]))
        for each in {policy.assignee for policy in about}
    }
    return [hearing.view(policy, policy_sentence(policy, called), reaches[policy.assignee]) for policy in about]


async def _stood(
    session: AsyncSession, person: Individual, policies: Sequence[RolePolicy], at: datetime, record: DecisionRecord | None
) -> dict[Target, bool | None]:
    """Whether each assignee that has to do with the person stood for them; None if it could not be told."""
    assignees = {policy.assignee for policy in policies}
    query = select(OnCallService.id).where(OnCallService.id.in_({each.id for each in assignees}), may_be_on_call(person.id))
    tied = {Target(kind=TargetKind.ONCALL, id=each) for each in await session.scalars(query)}
    stood: dict[Target, bool | None] = {each: True for each in assignees if each.id == person.id}
    if record is not None:
        known = {each: people for each in assignees if (people := record.reached(each)) is not None}
        tied |= {each for each, people in known.items() if person.id in people}
        stood |= {each: person.id in people for each, people in known.items() if each in tied | stood.keys()}
        stood |= {each: None for each in tied - known.keys() if each.id in record.failures}
    # A policy that did not hold was not asked for whom it stands.
    resolved = await resolve(session, tied - stood.keys(), at)
    stood |= {each: None for each in tied if each.id in resolved.failed}
    return stood | {each: person.id in people for each, people in resolved.people.items()}


def _asked(record: DecisionRecord) -> ColumnElement[bool]:
    version = RolePolicyVersion
    return tuple_(version.policy_id, version.version).in_([(each.rule, each.version) for each in record.rules])


def _in_force(at: datetime) -> ColumnElement[bool]:
    version = RolePolicyVersion
    return version.enabled & (version.valid_from <= at) & or_(version.valid_until.is_(None), version.valid_until > at)


async def _policies(session: AsyncSession, wanted: ColumnElement[bool]) -> list[RolePolicy]:
    query = select(RolePolicyVersion).where(wanted).order_by(RolePolicyVersion.name, RolePolicyVersion.policy_id)
    rows = await session.scalars(query)
    return [Definition.model_validate(row.definition).policy(row.policy_id, row.version, row.name) for row in rows]
