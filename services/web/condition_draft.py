"""Conditions while they are being written: what a form holds of them, also when they are not whole yet (E3, E9).

Every condition and group has a number of its own, which stays with it while others come and go, so that nothing that was typed
moves to another place. The fields of number 3 are ``n3_in`` (the group it stands in), and ``n3_quantifier`` of a group, or
``n3_attribute``, ``n3_operator`` and ``n3_values`` of a condition.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Final

from pydantic import BaseModel
from starlette.datastructures import FormData

from services.engagement.conditions.schemas import AllView, AnyView, ConditionView
from services.kit.conditions import number
from services.web.forms import split
from workflows.domain.rules import (
    LIMITS,
    MAX_CONDITIONS,
    MAX_DEPTH,
    Attribute,
    Condition,
    Group,
    Operator,
    Quantifier,
    operators,
    when_in_words,
)

MISSING: Final = "…"
"""What a sentence has in the place of what is not said yet."""
_NODE: Final = re.compile(r"n(\d{1,4})_in")
_MAX_FIELDS: Final = 2_000
"""How many fields of a form are looked at."""


class DraftCondition(BaseModel):
    """A condition; a tag's values are as they were typed."""

    number: int
    attribute: Attribute
    operator: Operator
    values: list[str] = []

    @property
    def one(self) -> bool:
        """Whether it takes one value."""
        return self.operator in LIMITS

    def change(self, operator: str, values: Sequence[str]) -> None:
        """Take what was chosen; a limit is one value, whatever was chosen before."""
        offered = operators(self.attribute)
        self.operator = Operator(operator) if operator in offered else offered[0]
        if self.attribute is Attribute.TAG:
            self.values = split(",".join(values), ",")
        else:
            self.values = list(values[:1] if self.one else values)


class DraftGroup(BaseModel):
    """A group, which may be empty. ``add`` is what its next condition is on."""

    number: int
    quantifier: Quantifier = Quantifier.ALL
    members: list["DraftCondition | DraftGroup"] = []
    depth: int = 1
    add: Attribute = Attribute.TAG

    def walk(self) -> Iterator["DraftCondition | DraftGroup"]:
        """Itself and everything in it, in order."""
        yield self
        for member in self.members:
            if isinstance(member, DraftGroup):
                yield from member.walk()
            else:
                yield member

    @property
    def can_nest(self) -> bool:
        """Whether a further group may stand in it."""
        return self.depth < MAX_DEPTH


class ConditionalDraft(BaseModel):
    """What is to apply on a condition, as it stands in the form. ``focus`` is what comes next."""

    name: str = ""
    enabled: bool = True
    role: str
    root: DraftGroup
    version: str = ""
    focus: str = ""

    @property
    def full(self) -> bool:
        """Whether there are as many conditions as a rule can have."""
        return sum(isinstance(each, DraftCondition) for each in self.root.walk()) >= MAX_CONDITIONS

    def group(self, number: int) -> DraftGroup:
        """The group of this number; the whole when there is none."""
        groups = (each for each in self.root.walk() if isinstance(each, DraftGroup) and each.number == number)
        return next(groups, self.root)

    def add_condition(self, number: int) -> None:
        """Add a condition on the chosen attribute to a group."""
        group = self.group(number)
        if not self.full:
            made = DraftCondition(number=self._next(), attribute=group.add, operator=operators(group.add)[0])
            group.members.append(made)
            self.focus = f"n{made.number}"

    def add_group(self, number: int) -> None:
        """Add a group to a group: the other way round, or it could stand there without."""
        outer = self.group(number)
        if outer.can_nest and not self.full:
            other = Quantifier.ANY if outer.quantifier is Quantifier.ALL else Quantifier.ALL
            made = DraftGroup(number=self._next(), quantifier=other, depth=outer.depth + 1)
            outer.members.append(made)
            self.focus = f"n{made.number}"

    def remove(self, number: int) -> None:
        """Take a condition or a group out."""
        for group in [each for each in self.root.walk() if isinstance(each, DraftGroup)]:
            if any(member.number == number for member in group.members):
                group.members = [member for member in group.members if member.number != number]
                self.focus = f"n{group.number}_add"

    def press(self, what: str, which: str) -> None:
        """Do what one of the builder's buttons asks for; ``which`` is the number of a condition or group."""
        at = number(which) or 0
        match what:
            case "condition":
                self.add_condition(at)
            case "group":
                self.add_group(at)
            case "remove":
                self.remove(at)

    def when(self) -> dict[str, object]:
        """The conditions as the API takes them."""
        return _body(self.root)

    def when_in_words(self, names: Mapping[str, str]) -> str:
        """The conditions as they read so far."""
        when = _group(self.root)
        return MISSING if when is None else when_in_words(when, {**names, MISSING: MISSING})

    def field(self, path: Sequence[str]) -> str:
        """The field of the form at a path of the body: "n3_values" for ``when.all.0.values.1``."""
        if path[:1] != ["when"]:
            return path[0] if path else ""
        at: DraftCondition | DraftGroup = self.root
        for step in path[1:]:
            if isinstance(at, DraftCondition):
                return f"n{at.number}_values" if "values" in path else f"n{at.number}"
            if (place := number(step)) is not None and place < len(at.members):
                at = at.members[place]
        return f"n{at.number}"

    def read(self, form: FormData) -> None:
        """Take the conditions that a form holds, as far as it holds any."""
        for name, value in texts(form)[:_MAX_FIELDS]:
            if (found := _NODE.fullmatch(name)) is not None and (outer := number(value)) is not None:
                self._add_node(form, int(found.group(1)), self.group(outer))

    def _add_node(self, form: FormData, number: int, outer: DraftGroup) -> None:
        attribute = text(form, f"n{number}_attribute")
        if attribute in set(Attribute) and not self.full:
            made = DraftCondition(number=number, attribute=Attribute(attribute), operator=operators(Attribute(attribute))[0])
            made.change(text(form, f"n{number}_operator"), [str(value) for value in form.getlist(f"n{number}_values")])
            outer.members.append(made)
        elif not attribute and outer.can_nest:
            outer.members.append(group_from(form, number, outer.depth + 1))

    def _next(self) -> int:
        return 1 + max(each.number for each in self.root.walk())


def new_group() -> DraftGroup:
    """The conditions that nobody has written yet: they begin with the severity."""
    first = DraftCondition(number=1, attribute=Attribute.SEVERITY, operator=Operator.AT_LEAST)
    return DraftGroup(number=0, members=[first])


def group_of(given: AllView | AnyView) -> DraftGroup:
    """Conditions that are to be changed."""
    numbers = count()

    def group(given: AllView | AnyView, depth: int) -> DraftGroup:
        quantifier, members = (Quantifier.ALL, given.all) if isinstance(given, AllView) else (Quantifier.ANY, given.any)
        made = DraftGroup(number=next(numbers), quantifier=quantifier, depth=depth)
        for each in members:
            if isinstance(each, ConditionView):
                made.members.append(DraftCondition(number=next(numbers), **each.model_dump()))
            else:
                made.members.append(group(each, depth + 1))
        return made

    return group(given, 1)


def group_from(form: FormData, number: int = 0, depth: int = 1) -> DraftGroup:
    """A group that a form holds, without what stands in it; the whole one, unless it is another."""
    quantifier = Quantifier.ANY if text(form, f"n{number}_quantifier") == Quantifier.ANY else Quantifier.ALL
    add = text(form, f"n{number}_add")
    return DraftGroup(
        number=number, quantifier=quantifier, depth=depth, add=Attribute(add) if add in set(Attribute) else Attribute.TAG
    )


def texts(form: FormData) -> list[tuple[str, str]]:
    """The text fields of a form, in order."""
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def text(form: FormData, name: str) -> str:
    """A text field of a form; "" if it was not sent."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _body(member: DraftCondition | DraftGroup) -> dict[str, object]:
    if isinstance(member, DraftCondition):
        return {"attribute": member.attribute, "operator": member.operator, "values": member.values}
    return {member.quantifier.value: [_body(each) for each in member.members]}


def _group(draft: DraftGroup) -> Group | None:
    # Not looked at closely: it may be wrong still, and that is told when it is saved.
    members = [_condition(each) if isinstance(each, DraftCondition) else _group(each) for each in draft.members]
    said = tuple(each for each in members if each is not None)
    return Group.model_construct(quantifier=draft.quantifier, members=said) if said else None


def _condition(draft: DraftCondition) -> Condition:
    values = tuple(draft.values) or (MISSING,)
    return Condition.model_construct(attribute=draft.attribute, operator=draft.operator, values=values)
