"""What the API of rules and role policies takes and shows: conditions, and whom they are about."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.desk.lookup import PersonText
from services.kit.schemas import Body, Name, Named
from workflows.domain.rules import MAX_CONDITIONS, MAX_VALUES, Attribute, Group, Operator, Quantifier, Target, TargetKind

Role = Annotated[Name, StringConstraints(max_length=60)]
"""What people are in an incident."""
_SHAPES: Final = (frozenset({"attribute", "operator", "values"}), frozenset({"all"}), frozenset({"any"}))


def shape(*shapes: frozenset[str]) -> ConfigDict:
    """Which of its fields a body has, for the OpenAPI document: those of exactly one shape."""
    every = {name for shape in shapes for name in shape}

    def describe(schema: dict[str, Any]) -> None:
        for name in every:
            # None is how one is told apart that was not given; nobody sends it.
            given = next(each for each in schema["properties"][name]["anyOf"] if each != {"type": "null"})
            schema["properties"][name] = given
        schema["oneOf"] = [{"required": sorted(shape)} for shape in shapes]

    return ConfigDict(json_schema_extra=describe)


class MemberBody(Body):
    """A condition (`attribute`, `operator`, `values`), or a group of which `all` or `any` must hold.

    The values are ids or names of types, severities, priorities and projects; tags; `public` or `restricted`.
    """

    # One class for both, so that a fault is at the path where the body has it.
    model_config = shape(*_SHAPES)

    attribute: Attribute | None = None
    operator: Operator | None = None
    values: Annotated[list[Named], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    all: Annotated[list["MemberBody"], Field(min_length=1, max_length=MAX_CONDITIONS)] | None = None
    any: Annotated[list["MemberBody"], Field(min_length=1, max_length=MAX_CONDITIONS)] | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> "MemberBody":
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if given not in _SHAPES:
            raise ValueError("is a condition with attribute, operator and values, or a group with either all or any")
        return self


class WhenBody(Body):
    """The group of which `all` or `any` must hold."""

    model_config = shape(*_SHAPES[1:])

    all: Annotated[list[MemberBody], Field(min_length=1, max_length=MAX_CONDITIONS)] | None = None
    any: Annotated[list[MemberBody], Field(min_length=1, max_length=MAX_CONDITIONS)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "WhenBody":
        if (self.all is None) == (self.any is None):
            raise ValueError("is a group with either all or any")
        return self


class TargetBody(Body):
    """An individual, a team, or whoever is on call for a service: one of them, by id or name; a person also by address."""

    model_config = shape(*(frozenset({kind.value}) for kind in TargetKind))

    individual: PersonText | None = None
    team: Named | None = None
    oncall: Named | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "TargetBody":
        if sum(getattr(self, kind) is not None for kind in TargetKind) != 1:
            raise ValueError("is one of individual, team and oncall")
        return self


class AssigneeBody(Body):
    """An individual, or whoever is on call for a service, by id or name; a person also by address."""

    model_config = shape(frozenset({TargetKind.INDIVIDUAL.value}), frozenset({TargetKind.ONCALL.value}))

    individual: PersonText | None = None
    oncall: Named | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "AssigneeBody":
        if (self.individual is None) == (self.oncall is None):
            raise ValueError("is either an individual or oncall")
        return self


class ConditionView(BaseModel):
    """A condition, with the ids of what it names."""

    attribute: Attribute
    operator: Operator
    values: list[str]


class AllView(BaseModel):
    """A group of which all members must hold."""

    all: list["ConditionView | AllView | AnyView"]


class AnyView(BaseModel):
    """A group of which any member must hold."""

    any: list["ConditionView | AllView | AnyView"]


class IndividualTarget(BaseModel):
    """An individual, by id."""

    individual: str


class TeamTarget(BaseModel):
    """A team, by id."""

    team: str


class OnCallTarget(BaseModel):
    """An on-call service, by id."""

    oncall: str


class WhoView(BaseModel):
    """Who changed something."""

    id: str
    name: str


def group_view(group: Group) -> AllView | AnyView:
    """A group as it is shown."""
    members: list[ConditionView | AllView | AnyView] = [
        group_view(member)
        if isinstance(member, Group)
        else ConditionView(attribute=member.attribute, operator=member.operator, values=list(member.values))
        for member in group.members
    ]
    return AllView(all=members) if group.quantifier is Quantifier.ALL else AnyView(any=members)


def target_view(target: Target) -> IndividualTarget | TeamTarget | OnCallTarget:
    """A target as it is shown."""
    match target.kind:
        case TargetKind.INDIVIDUAL:
            return IndividualTarget(individual=target.id)
        case TargetKind.TEAM:
            return TeamTarget(team=target.id)
        case TargetKind.ONCALL:
            return OnCallTarget(oncall=target.id)
