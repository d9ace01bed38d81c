"""What the API of rules takes and shows."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from services.engagement.conditions.schemas import (
    AllView,
    AnyView,
    IndividualTarget,
    OnCallTarget,
    Role,
    TargetBody,
    TeamTarget,
    WhenBody,
    WhoView,
)
from services.engagement.health import Health
from services.kit.schemas import Body, Name
from workflows.domain.attributes import Trimmed
from workflows.domain.model import Value
from workflows.domain.rules import MAX_TARGETS, RESPONDER, Rule, Target, When

Engage = Annotated[list[TargetBody], Field(min_length=1, max_length=MAX_TARGETS)]


class NewRule(Body):
    """A rule to make."""

    name: Name
    enabled: bool = True
    when: WhenBody
    engage: Engage
    role: Role = RESPONDER


class RuleChanges(Body):
    """What is to change about a rule."""

    name: Name | None = None
    enabled: bool | None = None
    when: WhenBody | None = None
    engage: Engage | None = None
    role: Role | None = None


class Definition(Value):
    """What a rule says, as it is kept."""

    when: When
    engage: Annotated[tuple[Target, ...], Field(min_length=1, max_length=MAX_TARGETS)]
    role: Trimmed

    def rule(self, identity: str, version: int, name: str) -> Rule:
        """The rule that says it."""
        return Rule(id=identity, version=version, name=name, when=self.when, engage=self.engage, role=self.role)


class RuleContent(BaseModel):
    """What a rule says at one version: `sentence` in words, everything else in ids, as it can be sent back."""

    name: str
    enabled: bool
    when: AllView | AnyView
    engage: list[IndividualTarget | TeamTarget | OnCallTarget]
    role: str
    sentence: str
    version: int


class RuleView(RuleContent):
    """A rule, and how it has done.

    `matches` are the incidents in which it held, `not_relevant` those of them in which somebody whom it engaged said so.
    `health`, while it is enabled: `noisy` when these are at least three and 30 % of its matches, `dead` without a match or a
    change for 90 days.
    """

    id: str
    matches: int
    not_relevant: int
    last_match_at: datetime | None
    health: Health
    created_at: datetime
    changed_at: datetime


class RuleVersionView(RuleContent):
    """A version of a rule: who made it, and when it was in force."""

    by: WhoView
    valid_from: datetime
    valid_until: datetime | None
