"""What the API of role policies and incident roles takes and shows."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from services.engagement.conditions.schemas import (
    AllView,
    AnyView,
    AssigneeBody,
    IndividualTarget,
    OnCallTarget,
    Role,
    WhenBody,
    WhoView,
)
from services.kit.schemas import Body, Name
from workflows.domain.attributes import Trimmed
from workflows.domain.model import Value
from workflows.domain.roles import Assignee, RolePolicy
from workflows.domain.rules import When

Rank = Annotated[int, Field(strict=True, ge=1, le=1_000)]
Description = Annotated[Trimmed, StringConstraints(max_length=500)]


class NewPolicy(Body):
    """A role policy to make, the last one to be asked. `role` is `commander`, or one of the organization's own."""

    name: Name
    enabled: bool = True
    role: Role
    when: WhenBody
    assignee: AssigneeBody


class PolicyChanges(Body):
    """What is to change about a role policy. `rank` 1 is asked first; the others keep their order.

    With the `order` that was seen it is refused as soon as any policy has moved, or says something else.
    """

    name: Name | None = None
    enabled: bool | None = None
    role: Role | None = None
    when: WhenBody | None = None
    assignee: AssigneeBody | None = None
    rank: Rank | None = None
    order: Annotated[str, StringConstraints(max_length=64)] | None = None


class Definition(Value):
    """What a role policy says, as it is kept."""

    role: str
    when: When
    assignee: Assignee

    def policy(self, identity: str, version: int, name: str) -> RolePolicy:
        """The policy that says it."""
        return RolePolicy(id=identity, version=version, name=name, when=self.when, role=self.role, assignee=self.assignee)


class PolicyContent(BaseModel):
    """What a role policy says at one version: `sentence` in words, everything else as it can be sent back."""

    name: str
    enabled: bool
    role: str
    when: AllView | AnyView
    assignee: IndividualTarget | OnCallTarget
    sentence: str
    version: int


class PolicyView(PolicyContent):
    """A role policy. `passed_over` says why it chooses nobody at present, whatever its condition; null when it can choose.

    `order` stands for all role policies as they are: it is another one as soon as one of them has moved, or says something else.
    """

    id: str
    rank: int
    order: str
    passed_over: Literal["off", "individual_inactive", "service_inactive"] | None
    created_at: datetime
    changed_at: datetime


class PolicyVersionView(PolicyContent):
    """A version of a role policy: who made it, and when it was in force."""

    by: WhoView
    valid_from: datetime
    valid_until: datetime | None


class NewIncidentRole(Body):
    """A role of the organization's own to make."""

    name: Role
    description: Description = ""


class IncidentRoleChanges(Body):
    """What is to change about a role. Its name stays: it is in the record of those who had it."""

    description: Description | None = None
    active: bool | None = None


class IncidentRoleView(BaseModel):
    """A role of the organization's own. One that is not active is kept for the record, and nobody takes it on."""

    id: str
    name: str
    description: str
    active: bool
    version: int
    created_at: datetime
