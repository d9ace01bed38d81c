"""Who follows which incident without taking part (E8)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow


class Subscription(OrganizationRow, Base):
    """That somebody follows an incident: a preference of their own, and no part of its record.

    It counts for nothing while they may not see the incident; whoever reads it asks the policy.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (Index("ix_subscriptions_individual_id", "individual_id"),)

    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
