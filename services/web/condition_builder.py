"""The builder in which one writes conditions: what it offers, and what is wrong with them in words (E3, E9)."""

from typing import Annotated, Final

from fastapi import Depends
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.datastructures import FormData

from services.accounts import lists
from services.kit.errors import Invalid
from services.kit.forms import read_form
from services.kit.routing import AdminRoute, CurrentSession
from services.web.choices import Option
from services.web.condition_draft import ConditionalDraft, DraftCondition
from services.web.render import Context
from workflows.domain.events import Visibility
from workflows.domain.rules import Attribute, Operator, operators

_WORDS: Final = {
    Operator.IS: "is",
    Operator.IS_NOT: "is not",
    Operator.AT_LEAST: "is at least",
    Operator.AT_MOST: "is at most",
}
_TAG_WORDS: Final = {Operator.IS: "any tag is", Operator.IS_NOT: "no tag is"}


class DraftRoute(AdminRoute):
    """A route to which a form is sent that is not to be kept yet: it only reads."""

    only_reads = AdminRoute.only_reads | {"POST"}


Form = Annotated[FormData, Depends(read_form)]
"""The form that was sent, with all values of each field."""


def pressed(form: FormData) -> tuple[str, str]:
    """Which button was pressed, and of what: "condition" and "3"."""
    wanted = form.get("do")
    what, _, which = wanted.partition(":") if isinstance(wanted, str) else ("", "", "")
    return what, which


async def builder(session: CurrentSession) -> Context:
    """What conditions can be on, how they compare, and with what."""
    choices = await lists.selectable(session)
    return {
        "values": {
            Attribute.TYPE: [Option(value=each.id, label=each.name) for each in choices.types],
            Attribute.SEVERITY: [Option(value=each.id, label=each.name) for each in choices.severities],
            Attribute.PRIORITY: [Option(value=each.id, label=each.name) for each in choices.priorities],
            Attribute.PROJECT: [Option(value=each.id, label=each.name) for each in choices.projects],
            Attribute.VISIBILITY: [Option(value=each, label=each) for each in Visibility],
        },
        "operators": {attribute: _operators(attribute) for attribute in Attribute},
        "attributes": [Option(value=each, label=each) for each in Attribute],
    }


def names_of(built: Context) -> dict[str, str]:
    """What everything is called that a condition can compare with."""
    return {option.value: option.label for options in built["values"].values() for option in options}


def labels(draft: ConditionalDraft) -> dict[str, str]:
    """What the fields of the conditions are called where their faults are listed."""
    found: dict[str, str] = {}
    for each in draft.root.walk():
        if isinstance(each, DraftCondition):
            found |= {f"n{each.number}": each.attribute.capitalize(), f"n{each.number}_values": each.attribute.capitalize()}
        else:
            found[f"n{each.number}"] = "When" if each is draft.root else "Group"
    return found


def faults(draft: ConditionalDraft, error: ValidationError | Invalid) -> dict[str, str]:
    """Each field's first fault, in words."""
    if isinstance(error, Invalid):
        found = [(fault.field.split("."), fault.message) for fault in error.errors] or [([], error.detail)]
    else:
        found = [([str(step) for step in fault["loc"]], _words(fault)) for fault in error.errors()]
    told: dict[str, str] = {}
    for path, message in found:
        told.setdefault(draft.field(path), message)
    return told


def _words(fault: ErrorDetails) -> str:
    if fault["type"] not in {"too_short", "string_too_short"}:
        return f"{fault['msg'].removeprefix('Value error, ')}."
    match fault["loc"][-1]:
        case "all" | "any":
            return "There is no condition in this group. Add one, or remove the group."
        case "values":
            return "Say which."
        case "engage":
            return "Say whom to engage: a person, a team, or whoever is on call."
        case "individual" | "oncall":
            return "Say who."
    return "This is needed."


def _operators(attribute: Attribute) -> list[Option]:
    words = _TAG_WORDS if attribute is Attribute.TAG else _WORDS
    return [Option(value=each, label=words[each]) for each in operators(attribute)]
