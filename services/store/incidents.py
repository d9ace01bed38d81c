"""Incidents as lists and pages read them: projections of the event log, written in the same transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, Json, OrganizationRow, by_organization


class Incident(OrganizationRow, Base):
    """The present state of an incident: the columns that lists filter and sort by, and ``state``, the whole fold of its events.

    ``seq`` is its last event, and thereby its version.
    """

    __tablename__ = "incidents"
    __table_args__ = (
        UniqueConstraint("organization_id", "reference"),
        Index("ix_incidents_organization_id_reported_at_id", "organization_id", "reported_at", "id"),
        Index("ix_incidents_organization_id_is_open_reported_at_id", "organization_id", "is_open", "reported_at", "id"),
        by_organization("incidents", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    reference: Mapped[int]
    seq: Mapped[int]
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    type_id: Mapped[str] = mapped_column(ID)
    severity_id: Mapped[str] = mapped_column(ID)
    priority_id: Mapped[str] = mapped_column(ID)
    project_id: Mapped[str] = mapped_column(ID, ForeignKey("projects.id"))
    visibility: Mapped[str] = mapped_column(String(20))
    mode: Mapped[str] = mapped_column(String(20))
    status_id: Mapped[str] = mapped_column(String(60))
    category: Mapped[str] = mapped_column(String(20))
    is_open: Mapped[bool]
    reporter_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))
    commander_id: Mapped[str | None] = mapped_column(ID, ForeignKey("individuals.id"))
    reported_at: Mapped[datetime]
    state: Mapped[dict[str, Any]] = mapped_column(Json)


class ParticipantRow(OrganizationRow, Base):
    """A person's participation in an incident, with the evidence for it."""

    __tablename__ = "participants"
    __table_args__ = (Index("ix_participants_individual_id", "individual_id"),)

    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"), primary_key=True)
    roles: Mapped[list[str]]
    joined: Mapped[bool]
    departed: Mapped[str | None] = mapped_column(String(20))
    departed_reason: Mapped[str | None] = mapped_column(Text)
    departed_at: Mapped[datetime | None]
    engaged_at: Mapped[datetime]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(Json)


class EvaluationRow(OrganizationRow, Base):
    """That it was looked at a moment whom an incident engages by its attributes as of an event: for a page of those people.

    Evidence names it by that moment, so it is written once, and stays. ``complete``: it was the last page; ``matched`` are the
    people up to it. ``decision`` is a ``DecisionRecord`` of the engagement service. The first release kept none, noted last pages
    only, and may still run.
    """

    __tablename__ = "evaluations"

    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    attributes_seq: Mapped[int]
    matched: Mapped[int]
    complete: Mapped[bool] = mapped_column(server_default="1")
    decision: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class RoleDecisionRow(OrganizationRow, Base):
    """That the role policies were asked for an incident, and how they chose: ``decision`` as for an evaluation."""

    __tablename__ = "role_decisions"

    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    decision: Mapped[dict[str, Any]]


class EventRow(OrganizationRow, Base):
    """One event of the append-only log, a link of its incident's hash chain. ``at`` is kept exactly as hashed."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_at", "at"),)

    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    at: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any] | None] = mapped_column(Json)
    salt: Mapped[str | None] = mapped_column(String(64))
    commitment: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
