"""Rules (E3): as they are, as they were, by what they are found, and in which incidents they held."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow


class RuleRow(OrganizationRow, Base):
    """A rule as it is now. One that was deleted has ``ended_at`` and stays, since the past refers to it.

    ``definition`` is a ``Definition`` of the engagement service. ``matches`` counts the incidents in which the rule held,
    ``not_relevant`` those of them in which somebody whom it engaged said that it need not have.
    """

    __tablename__ = "rules"
    __table_args__ = (
        Index(
            "ix_rules_organization_id_name_id",
            "organization_id",
            "name",
            "id",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    enabled: Mapped[bool] = mapped_column(default=True)
    definition: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    matches: Mapped[int] = mapped_column(default=0)
    not_relevant: Mapped[int] = mapped_column(default=0)
    last_match_at: Mapped[datetime | None]


class DefinitionVersion(OrganizationRow):
    """What something said at one version, from ``valid_from`` until just before ``valid_until``; ``by_id`` is who made it."""

    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    enabled: Mapped[bool]
    definition: Mapped[dict[str, Any]]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    by_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))


class RuleVersion(DefinitionVersion, Base):
    """A version of a rule."""

    __tablename__ = "rule_versions"
    __table_args__ = (Index("ix_rule_versions_organization_id_valid_until", "organization_id", "valid_until"),)

    rule_id: Mapped[str] = mapped_column(ID, ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True)


class RuleAnchor(OrganizationRow, Base):
    """An anchor of a rule that is in force: see ``workflows.domain.rules``."""

    __tablename__ = "rule_anchors"
    __table_args__ = (Index("ix_rule_anchors_organization_id_anchor_rule_id", "organization_id", "anchor", "rule_id"),)

    rule_id: Mapped[str] = mapped_column(ID, ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True)
    anchor: Mapped[str] = mapped_column(String(440), primary_key=True)


class RuleMatch(OrganizationRow, Base):
    """That a rule held in an incident, once, however often that was evaluated."""

    __tablename__ = "rule_matches"
    __table_args__ = (Index("ix_rule_matches_incident_id", "incident_id"),)

    rule_id: Mapped[str] = mapped_column(ID, ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    not_relevant: Mapped[bool] = mapped_column(default=False)
