"""What previews take and show."""

from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.desk.lookup import Person
from services.desk.schemas import IncidentEdit
from services.engagement.conditions.schemas import WhenBody
from services.engagement.rules.schemas import RuleChanges
from services.engagement.schemas import Terms
from services.kit.schemas import Named
from workflows.domain.attributes import Choice
from workflows.domain.engagement import Evidence

MAX_DAYS: Final = 366
DAYS: Final = 90
"""Over how many days one looks back unless one says otherwise."""
_SHAPES: Final = ({"terms"}, {"rule"}, {"incident", "changes"})
_REPORT: Final = frozenset({"title", "description", "project", "type", "severity", "priority", "tags", "visibility"})


class TriedRule(RuleChanges):
    """A rule to try. It need not say yet whom it engages, or what it is called."""

    when: WhenBody


class TriedReport(IncidentEdit):
    """A report that nobody has made. What is left out takes the project's default, or else the organization's."""

    project: Named | None = None


def _describe(schema: dict[str, Any]) -> None:
    """Which fields go together, for the OpenAPI document."""
    properties = schema["properties"]
    for field in properties.values():
        # None is how one is told apart that was not given; nobody sends it.
        if "anyOf" in field and {"type": "null"} in field["anyOf"]:
            field["anyOf"] = [each for each in field["anyOf"] if each != {"type": "null"}]
        field.pop("default", None)
    past: list[set[str]] = [{"terms", "days"}, {"rule", "days"}]
    shapes = [*past, {"incident", "changes"}, set(_REPORT)]
    schema["oneOf"] = [
        {
            "properties": {name: properties.get(name, {}) for name in sorted(shape)},
            "required": sorted(shape - {"days"} - _REPORT),
            "additionalProperties": False,
        }
        for shape in shapes
    ]
    del schema["additionalProperties"]


class PreviewBody(TriedReport):
    """What to try: `terms` or a `rule` on the incidents of the last `days`; `changes` of an `incident`; or else a report."""

    # One class for all, so that a fault is at the path where the body has it.
    model_config = ConfigDict(json_schema_extra=_describe)

    terms: Terms | None = None
    rule: TriedRule | None = None
    days: Annotated[int, Field(strict=True, ge=1, le=MAX_DAYS)] | None = None
    incident: Named | None = None
    changes: IncidentEdit | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> "PreviewBody":
        given = self.model_fields_set
        looks_back = given - {"days"} in _SHAPES[:2]
        if not looks_back and given != _SHAPES[2] and not given <= _REPORT:
            raise ValueError("is terms or a rule, with days; an incident with changes; or what a report would say")
        if any(getattr(self, name) is None for name in given):
            raise ValueError("has null in it; leave out what is not given")
        return self


class Quote(Evidence):
    """A piece of evidence with a little of what stands around it; `…` where there is more."""

    before: str
    after: str


class PartView(BaseModel):
    """A condition of a rule in words, what the incident has, and whether it holds. ``matched`` is what of it makes it hold."""

    asked: str
    found: list[str]
    matched: list[str]
    holds: bool


class MatchedIncident(BaseModel):
    """An incident that would have matched: for terms `evidence` says where they occur, for a rule `conditions` why it holds."""

    id: str
    reference: str
    title: str
    reported_at: datetime
    evidence: list[Quote] = []
    conditions: list[PartView] = []


class Week(BaseModel):
    """How many incidents of a week would have matched; it begins on a Monday, in UTC."""

    begins: date
    count: int


class BackTest(BaseModel):
    """The incidents since `since` that would have matched, of those one may see; by what each of them says now.

    `incidents` are the newest of all `count`. `looked_at` incidents were compared; `truncated` when there are more since then.
    """

    since: datetime
    looked_at: int
    truncated: bool
    count: int
    incidents: list[MatchedIncident]
    weeks: list[Week]


class Addition(BaseModel):
    """Someone who would come in, and why."""

    individual: Person
    roles: list[str]
    evidence: list[Evidence]


class Audience(BaseModel):
    """Whom it would bring in: the first by name of all `count`; with `truncated` there are more than that.

    `unanswered` are the on-call services that cannot say now who would come in for them. With `asks_first` the commander would be
    asked before they come in: they are so many, or it is asked already about others, who are `already_asked`.
    """

    count: int
    truncated: bool
    people: list[Addition]
    unanswered: list[Choice]
    asks_first: bool
    already_asked: int
