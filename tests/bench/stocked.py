"""Databases with as many terms, rules and people as are wanted, of which the same few always match."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine, insert, select

from services.accounts.organizations import Organizations
from services.engagement.rules.schemas import Definition
from services.kit.clock import now
from services.kit.database import Database, sqlite_url
from services.store import schema
from services.store.base import Base
from services.store.contacts import Individual, TermRow
from services.store.organizations import Organization, Setting
from services.store.rules import RuleAnchor, RuleRow
from tests.bench.texts import HITS, TAG, phrase
from workflows.domain.attributes import Choice
from workflows.domain.rules import RESPONDER, Attribute, Condition, Group, Operator, Quantifier, Target, TargetKind, anchors

HOLDING: Final = 5
"""Rules that hold for every text."""
_JUDGED: Final = 25
"""Rules that every text has to be judged by: those that hold, and others that ask for nothing but another severity."""
_CHUNK: Final = 50_000


@dataclass(frozen=True)
class Size:
    """How much there is. Everybody has about as many terms as the next."""

    terms: int
    rules: int
    people: int


@dataclass(frozen=True)
class Stocked:
    """A database of a size, its organization, and the severity that texts have: the second gravest."""

    database: Database
    organization: str
    severity: Choice


async def stocked(folder: Path, size: Size) -> Stocked:
    """Make one."""
    path = folder / f"{size.terms}-{size.rules}-{size.people}.db"
    database = Database(sqlite_url(path))
    await schema.upgrade(database)
    await Organizations(database).begin()
    # The journal can be changed only while nobody else is connected; Muster changes it back.
    await database.engine.dispose()
    organization, severity = await asyncio.to_thread(_fill, path, size)
    return Stocked(database, organization, severity)


def _fill(path: Path, size: Size) -> tuple[str, Choice]:
    """In the order of the indexes, without waiting for the disk: a million terms take less than a minute."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        for pragma in ("journal_mode=MEMORY", "synchronous=OFF", "cache_size=-200000"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.commit()
        organization = str(connection.scalar(select(Organization.id)))
        query = select(Setting.id, Setting.name).where(Setting.list == "severity").order_by(Setting.rank)
        severities = [Choice(id=row.id, name=row.name) for row in connection.execute(query)]
        common = {"organization_id": organization, "created_at": now()}
        _insert(connection, Individual, common, _people(size))
        _insert(connection, TermRow, common, _terms(size))
        rules = list(_rules(size, severities))
        _insert(connection, RuleRow, common | {"changed_at": now()}, ({**rule} for rule, _ in rules))
        _insert(connection, RuleAnchor, {"organization_id": organization}, _anchors(rules))
        connection.commit()
    engine.dispose()
    return organization, severities[-2]


def _insert(connection: Connection, table: type[Base], common: dict[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    rest = iter(rows)
    while chunk := [common | row for row in islice(rest, _CHUNK)]:
        connection.execute(insert(table), chunk)


def _people(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.people):
        name, email = f"Person {number:07}", f"{number}@example.org"
        yield {"id": _id(number), "name": name, "email": email, "email_folded": email, "words": f" {name} | {email}"}


def _terms(size: Size) -> Iterator[dict[str, Any]]:
    """The telling ones here and there among the others."""
    hits = iter(HITS)
    for number in range(size.terms):
        text = phrase(number)
        if number % (size.terms // len(HITS)) == 0:
            text = next(hits, text)
        owner = _id(number * size.people // size.terms)
        words = text.count(" ") + 1
        yield {
            "id": _id(number), "individual_id": owner, "phrase": text, "normalised": text, "words": words, "self_set": False
        }  # fmt: skip


def _rules(size: Size, severities: list[Choice]) -> Iterator[tuple[dict[str, Any], Group]]:
    """Nearly every rule asks for a tag of its own, as rules of many teams and services do."""
    severe = Condition(attribute=Attribute.SEVERITY, operator=Operator.AT_LEAST, values=(severities[0].id,))
    other = Condition(attribute=Attribute.SEVERITY, operator=Operator.IS_NOT, values=(severities[-2].id,))
    for number in range(size.rules):
        tag = TAG if number < HOLDING else f"tag {number}"
        tagged = Condition(attribute=Attribute.TAG, operator=Operator.IS, values=(tag,))
        asks = (severe, other) if HOLDING <= number < _JUDGED else (severe, tagged)
        when = Group(quantifier=Quantifier.ALL, members=asks)
        target = Target(kind=TargetKind.INDIVIDUAL, id=_id(number % size.people))
        definition = Definition(when=when, engage=(target,), role=RESPONDER)
        yield {"id": _id(number), "name": f"Rule {number}", "definition": definition.model_dump(mode="json")}, when


def _anchors(rules: Iterable[tuple[dict[str, Any], Group]]) -> Iterator[dict[str, Any]]:
    for rule, when in rules:
        for anchor in sorted(anchors(when)):
            yield {"rule_id": rule["id"], "anchor": anchor}


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"
