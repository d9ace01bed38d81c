"""What the first release kept is still there after an upgrade, and is read by today's code."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, MetaData, Table, insert, select

from services.engagement import evaluation, repository
from services.engagement.decision import evaluation_of
from services.engagement.grounds import Situation, find_grounds
from services.engagement.rules import service as rules
from services.engagement.rules.schemas import NewRule
from services.engagement.targets import PROVIDERS
from services.kit.auth import Actor, Origin
from services.kit.database import Database
from services.kit.preferences import Preferences
from services.store import schema
from services.store.contacts import Individual, TermRow
from services.store.incidents import EvaluationRow, Incident
from services.store.organizations import Organization
from tests.conftest import new_database_url
from tests.replay.test_first_release import logs, told
from tests.store.test_migrations import _upgrade_to
from workflows.contracts.engagement import EvaluationRequest
from workflows.domain.engagement import STORM_LIMIT
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Role

ORGANIZATION, PROJECT, OLIVE, LENA, INCIDENT = (str(UUID(int=number)) for number in range(1, 6))
AT = datetime(2026, 10, 1, 9, 30, tzinfo=UTC)


@pytest.fixture
async def upgraded(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A database that the first release filled, brought to today's tables."""
    database = Database(await new_database_url(database_kind, tmp_path, request))
    async with database.engine.begin() as connection:
        await connection.run_sync(_upgrade_to, "0001")
        await connection.run_sync(_fill)
    await schema.upgrade(database)
    await schema.check(database)
    yield database
    await database.close()


def state() -> IncidentState:
    """An open incident as the first release carried it."""
    history = next(history for name, history in logs() if name == "rolled_over-2")
    return told(history).state


def _fill(connection: Connection) -> None:
    kept = MetaData()
    # Not from today's models: these are the tables of that release.
    kept.reflect(connection)
    belongs = {"organization_id": ORGANIZATION}
    as_kept = json.loads(state().model_copy(update={"id": INCIDENT, "organization": ORGANIZATION}).model_dump_json())
    attributes = as_kept["attributes"]
    for new in ("stand_in", "roles_awaited", "held", "held_until", "waiting"):
        del as_kept[new]
    rows: list[tuple[str, dict[str, Any]]] = [
        ("organizations", {"id": ORGANIZATION, "slug": "acme", "name": "Acme", "next_reference": 8}),
        ("projects", {"id": PROJECT, "name": "Default", "is_default": True, "self_join": True, **belongs}),
        *(("settings", {"id": attributes[kind]["id"], "list": kind, "name": attributes[kind]["name"], "rank": 0, **belongs})
          for kind in ("type", "severity", "priority")),
        *(("individuals", {"id": person, "kind": "person", "name": name, "email": f"{name}@x.example",
           "email_folded": f"{name}@x.example", **belongs})
          for person, name in ((OLIVE, "olive"), (LENA, "lena"))),
        ("terms", {"id": "t" * 36, "individual_id": LENA, "phrase": "Leak", "normalised": "leak", "words": 1, **belongs}),
        ("incidents", {"id": INCIDENT, "reference": 7, "seq": as_kept["seq"], "title": "Leak",
                       **{f"{kind}_id": attributes[kind]["id"] for kind in ("type", "severity", "priority")},
                       "project_id": PROJECT, "visibility": "public",
                       "mode": "standard", "status_id": as_kept["status_id"], "category": "active", "is_open": True,
                       "reporter_id": OLIVE, "commander_id": OLIVE, "state": as_kept, **belongs}),
        ("evaluations", {"incident_id": INCIDENT, "attributes_seq": 1, "matched": 1, **belongs}),
    ]  # fmt: skip
    for name, given in rows:
        table = kept.tables[name]
        connection.execute(insert(table).values(_whole(table) | given))


def _whole(table: Table) -> dict[str, Any]:
    """Something in every column that needs it."""
    samples: dict[type, Any] = {int: 1, bool: True, dict: {}, datetime: AT, list: []}
    return {
        column.name: samples.get(column.type.python_type, "")
        for column in table.columns
        if not column.nullable and not column.foreign_keys
    }


async def test_every_row_is_still_there_and_read(upgraded: Database) -> None:
    async with upgraded.read(ORGANIZATION) as session:
        organization = await session.get_one(Organization, ORGANIZATION)
        assert (organization.slug, organization.next_reference, organization.storm_limit) == ("acme", 8, STORM_LIMIT)
        assert {row.id for row in await session.scalars(select(Individual))} == {OLIVE, LENA}
        term = (await session.scalars(select(TermRow))).one()
        assert (term.individual_id, term.team_id, term.service_id, term.normalised, term.matches) == (LENA, None, None, "leak", 0)
        incident = await session.get_one(Incident, INCIDENT)
        assert IncidentState.model_validate(incident.state).held == {}
        row = (await session.scalars(select(EvaluationRow))).one()
        assert (row.matched, row.decision) == (1, {})
        assert [each.phrase for each in await repository.terms_in_force(session, [LENA], AT)] == ["Leak"]


async def test_an_incident_of_that_release_is_evaluated_without_being_told_its_project(upgraded: Database) -> None:
    kept = state()
    request = EvaluationRequest.model_validate(
        {"organization": ORGANIZATION, "incident": INCIDENT, "attributes_seq": 1, "visibility": "public"}
        | {"attributes": kept.attributes.model_copy(update={"title": "Leak"})}
    )
    async with upgraded.read(ORGANIZATION) as session:
        assert await repository.project_of(session, INCIDENT) == kept.project
        page, *_ = await evaluation.evaluate(session, request, PROVIDERS)
    assert [person.individual for person in page.matches] == ([] if LENA in kept.participants else [LENA])


async def test_an_evaluation_that_kept_no_decision_claims_nothing_of_rules(upgraded: Database) -> None:
    kept = state()
    actor = Actor(
        organization=ORGANIZATION, slug="acme", organization_name="Acme", account="a", individual=OLIVE, name="Olive",
        email="olive@x.example", role=Role.OWNER, preferences=Preferences(),
        origin=Origin(account=None, who="olive", via="test", address=""),
    )  # fmt: skip
    async with upgraded.write(ORGANIZATION) as session:
        when = {"all": [{"attribute": "severity", "operator": "at_least", "values": [kept.attributes.severity.name]}]}
        engage = [{"individual": LENA}]
        await rules.create_rule(session, actor, NewRule.model_validate({"name": "High", "when": when, "engage": engage}))
    async with upgraded.read(ORGANIZATION) as session:
        evaluated = await evaluation_of(session, INCIDENT, 1, datetime.now(UTC))
        assert evaluated is not None
        assert evaluated.record is None
        lena = await session.get_one(Individual, LENA)
        then = Situation(kept, datetime.now(UTC), evaluated, {})
        grounds, failures = await find_grounds(session, lena, then)
    assert failures == []
    # Judged by the ranks of today: none were kept.
    assert {(ground.what, ground.holds) for ground in grounds} == {("term “Leak”", True), ("rule “High”", True)}
