"""Rules (E3): conditions on what an incident is, and whom they engage.

A rule is found without looking at every rule by its *anchors*: whatever makes a rule hold makes at least one of its anchors
true, and an incident knows all anchors that are true of it (``Facts.anchors``). Anchors of a rank name the limit, not the entries
beyond it, so that they stay what they are when the order of a list changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from workflows.domain.attributes import Attributes, Choice, Trimmed
from workflows.domain.events import Visibility
from workflows.domain.model import Value
from workflows.domain.text import normalise

MAX_DEPTH: Final = 3
"""How deep groups stand in groups: deeper ones cannot be read as a sentence."""
MAX_CONDITIONS: Final = 20
MAX_VALUES: Final = 50
MAX_TARGETS: Final = 20
MAX_TAG_WORDS: Final = 400
"""The longest tag that a condition can ask for, in characters of its normalised form."""
RESPONDER: Final = "responder"
"""The role of whom a rule engages unless it says otherwise."""
OBSERVER: Final = "observer"
"""The role of whom a rule brings in only to look on."""
ENGAGED_AS: Final = (RESPONDER, OBSERVER)
"""The built-in roles as which a rule can engage; who commands is for role policies to choose."""
ALWAYS: Final = "always"
"""The anchor of what nothing narrows: it is true of every incident."""


class Attribute(StrEnum):
    """What a condition looks at."""

    TYPE = "type"
    SEVERITY = "severity"
    PRIORITY = "priority"
    PROJECT = "project"
    TAG = "tag"
    VISIBILITY = "visibility"


class Operator(StrEnum):
    """How a condition compares. ``is``: it is one of the values; ``is_not``: it is none of them. Ranks have limits."""

    IS = "is"
    IS_NOT = "is_not"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"


class Quantifier(StrEnum):
    """How many members of a group must hold."""

    ALL = "all"
    ANY = "any"


class TargetKind(StrEnum):
    """Whom a rule engages: an individual, a team, or whoever is on call for a service."""

    INDIVIDUAL = "individual"
    TEAM = "team"
    ONCALL = "oncall"


LIMITS: Final = frozenset({Operator.AT_LEAST, Operator.AT_MOST})
RANKED: Final = frozenset({Attribute.SEVERITY, Attribute.PRIORITY})
"""What has an order."""


def operators(attribute: Attribute) -> tuple[Operator, ...]:
    """The operators that an attribute can be compared by, the usual one first."""
    plain = (Operator.IS, Operator.IS_NOT)
    return (Operator.AT_LEAST, Operator.AT_MOST, *plain) if attribute in RANKED else plain


class Condition(Value):
    """One question to an incident. ``values`` are ids; for a tag they are its words as they are compared, and for the
    visibility its names. Of an incident's tags, one that is one of the values is enough for ``is``, and too much for ``is_not``.
    """

    attribute: Attribute
    operator: Operator
    values: Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1, max_length=MAX_VALUES)]

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.operator not in operators(self.attribute):
            raise ValueError(f"{self.attribute} has no order, so nothing of it is at least or at most")
        if self.operator in LIMITS and len(self.values) > 1:
            raise ValueError("is one limit, so it takes one value")
        return self


class Group(Value):
    """Conditions and further groups, of which all or any must hold."""

    quantifier: Quantifier
    members: Annotated[tuple["Condition | Group", ...], Field(min_length=1, max_length=MAX_CONDITIONS)]

    def conditions(self) -> Iterator[Condition]:
        """Every condition in it, in the order in which one reads them."""
        for member in self.members:
            if isinstance(member, Group):
                yield from member.conditions()
            else:
                yield member

    @property
    def depth(self) -> int:
        """How many groups stand in each other, this one included."""
        return 1 + max((member.depth for member in self.members if isinstance(member, Group)), default=0)


def _readable(group: Group) -> Group:
    if group.depth > MAX_DEPTH:
        raise ValueError(f"has groups in groups more than {MAX_DEPTH} deep")
    if (count := sum(1 for _ in group.conditions())) > MAX_CONDITIONS:
        raise ValueError(f"has {count} conditions; at most {MAX_CONDITIONS} are looked at")
    return group


When = Annotated[Group, AfterValidator(_readable)]
"""The whole condition of a rule: small enough to be read."""


class Target(Value):
    """Whom to engage."""

    kind: TargetKind
    id: str


class Conditional(Value):
    """What applies to an incident on a condition, as it is at one version."""

    id: str
    version: int
    name: Trimmed
    when: When


class Rule(Conditional):
    """A rule as it is at one version. ``role`` is what those are whom it engages."""

    engage: Annotated[tuple[Target, ...], Field(min_length=1, max_length=MAX_TARGETS)]
    role: str = RESPONDER


class Facts(Value):
    """What rules are judged by. ``ranks`` are those of all severities and priorities, by id."""

    type: Choice
    severity: Choice
    priority: Choice
    project: Choice
    tags: tuple[str, ...] = ()
    visibility: Visibility = Visibility.PUBLIC
    ranks: Mapping[Attribute, Mapping[str, int]] = Field(default_factory=dict)

    @classmethod
    def of(
        cls, attributes: Attributes, project: Choice, visibility: Visibility, ranks: Mapping[Attribute, Mapping[str, int]]
    ) -> "Facts":
        """The facts of an incident with these attributes."""
        return cls(
            type=attributes.type,
            severity=attributes.severity,
            priority=attributes.priority,
            project=project,
            tags=attributes.tags,
            visibility=visibility,
            ranks=ranks,
        )

    @cached_property
    def compared_tags(self) -> dict[str, str]:
        """The tags as they are compared, and as they are read; a tag without a word is none that can be asked for."""
        return {words: tag for tag in self.tags if (words := normalise(tag))}

    def found(self, attribute: Attribute) -> dict[str, str]:
        """What the incident has of an attribute: as it is compared, and as it is read."""
        match attribute:
            case Attribute.TAG:
                return self.compared_tags
            case Attribute.VISIBILITY:
                return {self.visibility: self.visibility}
        choice = self._choice(attribute)
        return {choice.id: choice.name}

    def compare(self, attribute: Attribute, limit: str) -> int | None:
        """How the incident's rank stands to that of another entry: above, level or below 0; None when either has none."""
        ranks = self.ranks.get(attribute, {})
        own = ranks.get(self._choice(attribute).id)
        return None if own is None or limit not in ranks else own - ranks[limit]

    def anchors(self) -> frozenset[str]:
        """Every anchor that is true of the incident: those by which the rules are looked up that may hold."""
        true = {ALWAYS}
        for attribute in Attribute:
            true.update(_anchor(attribute, Operator.IS, value) for value in self.found(attribute))
        for attribute in RANKED:
            for limit in self.ranks.get(attribute, {}):
                order = self.compare(attribute, limit)
                true.update(_anchor(attribute, operator, limit) for operator in LIMITS if _within(operator, order))
        return frozenset(true)

    def _choice(self, attribute: Attribute) -> Choice:
        choice: Choice = getattr(self, attribute)
        return choice


class Part(Value):
    """What became of one condition: ``found`` is what the incident had, as it reads there."""

    condition: Condition
    found: tuple[str, ...]
    holds: bool


class Judgement(Value):
    """Whether something holds, with every condition in the order in which one reads them."""

    holds: bool
    parts: tuple[Part, ...]


def judge(given: Conditional, facts: Facts) -> Judgement:
    """Whether it holds for an incident, and why or why not: every condition is answered, also when it no longer matters."""
    parts: list[Part] = []
    return Judgement(holds=_judge(given.when, facts, parts), parts=tuple(parts))


def _judge(member: Condition | Group, facts: Facts, parts: list[Part]) -> bool:
    if isinstance(member, Condition):
        found = facts.found(member.attribute)
        parts.append(Part(condition=member, found=tuple(found.values()), holds=_holds(member, facts, found)))
        return parts[-1].holds
    answers = [_judge(each, facts, parts) for each in member.members]
    return all(answers) if member.quantifier is Quantifier.ALL else any(answers)


def _holds(condition: Condition, facts: Facts, found: Mapping[str, str]) -> bool:
    if condition.operator in LIMITS:
        return _within(condition.operator, facts.compare(condition.attribute, condition.values[0]))
    return found.keys().isdisjoint(condition.values) == (condition.operator is Operator.IS_NOT)


def _within(operator: Operator, order: int | None) -> bool:
    if order is None:
        return False
    return order >= 0 if operator is Operator.AT_LEAST else order <= 0


def anchors(group: Group) -> frozenset[str]:
    """A rule's anchors: if it holds for an incident, at least one of them is among the incident's own.

    Those of a group of which any must hold are all of its members'. Where all must hold, one member's are enough: those of
    the one that is true of the fewest incidents, as far as one can tell without looking at any.
    """
    return _anchored(group)[1]


_COMMON: Final = {Attribute.TAG: 1, Attribute.PROJECT: 4, Attribute.TYPE: 10, Attribute.SEVERITY: 25, Attribute.PRIORITY: 25}
_LIMIT, _VISIBILITY, _EVERY = 50, {Visibility.RESTRICTED: 5, Visibility.PUBLIC: 95}, 100
"""Of a hundred incidents, on how many an anchor is likely to be true: only their order matters."""


def _anchored(member: Condition | Group) -> tuple[int, frozenset[str]]:
    """What ``anchors`` says of a member, and how common they are."""
    if isinstance(member, Condition):
        return _condition_anchored(member)
    each = [_anchored(one) for one in member.members]
    if member.quantifier is Quantifier.ALL:
        return min(each, key=lambda one: (one[0], len(one[1]), sorted(one[1])))
    either = frozenset[str]().union(*(found for _, found in each))
    return sum(common for common, _ in each), frozenset({ALWAYS}) if ALWAYS in either else either


def _condition_anchored(condition: Condition) -> tuple[int, frozenset[str]]:
    attribute, operator, values = condition.attribute, condition.operator, condition.values
    if attribute is Attribute.VISIBILITY:
        # There are only these two, so that it is not the one says that it is the other.
        said = [each for each in Visibility if (each in values) == (operator is Operator.IS)]
        return sum(_VISIBILITY[each] for each in said), frozenset(_anchor(attribute, Operator.IS, each) for each in said)
    if operator is Operator.IS_NOT:
        return _EVERY, frozenset({ALWAYS})
    common = _LIMIT if operator in LIMITS else _COMMON[attribute] * len(values)
    return common, frozenset(_anchor(attribute, operator, value) for value in values)


def _anchor(attribute: Attribute, operator: Operator, value: str) -> str:
    return f"{attribute} {operator} {value}"


def sentence(rule: Rule, names: Mapping[str, str]) -> str:
    """A rule as a sentence; ``names`` are what the ids in it are called."""
    return f"when {when_in_words(rule.when, names)}, {engage_in_words(rule.engage, rule.role, names)}"


def when_in_words(member: Condition | Group, names: Mapping[str, str]) -> str:
    """A condition or a group in words; a group within another one stands in brackets, unless it reads the same without."""
    if isinstance(member, Condition):
        return _condition_in_words(member, names)
    said = []
    for each in member.members:
        words = when_in_words(each, names)
        apart = isinstance(each, Group) and len(each.members) > 1 and len(member.members) > 1
        said.append(f"({words})" if apart else words)
    return (" and " if member.quantifier is Quantifier.ALL else " or ").join(said)


def engage_in_words(targets: Sequence[Target], role: str, names: Mapping[str, str]) -> str:
    """Whom a rule engages, and as what, in words."""
    said = listed([target_in_words(target, names) for target in targets], "and")
    one = len(targets) == 1 and targets[0].kind is not TargetKind.TEAM
    what = role if one or role not in ENGAGED_AS else f"{role}s"
    return f"engage {said}, as {what}"


def listed(words: Sequence[str], joined_by: str) -> str:
    """Words as one lists them in a sentence: "Ana, Ben and Cai"."""
    return f" {joined_by} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def target_in_words(target: Target, names: Mapping[str, str]) -> str:
    """Who is meant by a target, in words."""
    name = _named(target.id, names)
    match target.kind:
        case TargetKind.ONCALL:
            return f"whoever is on call for {name}"
        case TargetKind.TEAM if "team" not in normalise(name).split():
            return f"team {name}"
    return name


def _condition_in_words(condition: Condition, names: Mapping[str, str]) -> str:
    attribute, operator = condition.attribute, condition.operator
    literal = attribute in {Attribute.TAG, Attribute.VISIBILITY}
    values = list(condition.values) if literal else [_named(value, names) for value in condition.values]
    either = listed(values, "or")
    if attribute is Attribute.TAG:
        return f"{'any' if operator is Operator.IS else 'no'} tag is {either}"
    what = "it" if attribute is Attribute.VISIBILITY else attribute
    match operator:
        case Operator.IS_NOT if len(values) > 1:
            return f"{what} is neither {listed(values, 'nor')}"
        case Operator.IS_NOT:
            return f"{what} is not {either}"
        case Operator.AT_LEAST:
            return f"{what} is at least {either}"
        case Operator.AT_MOST:
            return f"{what} is at most {either}"
    return f"{what} is {either}"


def _named(value: str, names: Mapping[str, str]) -> str:
    return names.get(value, "something that is gone")
