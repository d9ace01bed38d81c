"""Settings: the roles in incidents, and the policies that choose who has them, as sentences in their order (E9)."""

from itertools import groupby
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.desk.lookup import people
from services.engagement.conditions.naming import choosable, target_names
from services.engagement.conditions.schemas import IndividualTarget
from services.engagement.roles import custom, service
from services.engagement.roles.schemas import IncidentRoleChanges, NewIncidentRole, NewPolicy, PolicyChanges
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Conflict, Invalid, VersionConflict
from services.kit.routing import AdminRoute, CurrentSession
from services.web.choices import Option
from services.web.condition_builder import DraftRoute, Form, builder, faults, labels, names_of, pressed
from services.web.forms import Fields, at_fields, typed
from services.web.policy_draft import Draft, draft_from, draft_of, new_draft
from services.web.render import Context, Flash, render_page
from workflows.domain.engagement import COMMANDER
from workflows.domain.policy import Action
from workflows.domain.rules import Target, TargetKind

router = APIRouter(prefix="/{org}/settings/engagement/roles", route_class=AdminRoute, include_in_schema=False)
drafts = APIRouter(
    prefix="/{org}/settings/engagement/roles/policies/{policy}/draft", route_class=DraftRoute, include_in_schema=False
)

NEW: Final = "new"
_VERSIONS: Final = 10
_DONE: Final = {
    "saved": "The policy was saved. It counts for incidents that are reported from now on.",
    "saved_off": "The policy was saved. It is off, so it chooses nobody.",
    "deleted": "The policy was deleted: it chooses nobody any more. What it led to keeps its reasons.",
    "made": "The role was made: rules and role policies can give it.",
    "changed": "The role was saved.",
}
_LABELS: Final = {"name": "Name", "role": "Role", "person": "Person", "oncall": "On-call service"}
_CONFLICT: Final = "Someone changed this policy while you were editing. What you wrote is kept: save again to put it in place."
_NOT_UNDERSTOOD: Final = "Nothing was done. Tick “I understand” to delete this policy."
_NOT_DELETED: Final = "Someone changed this policy meanwhile, so it was not deleted. This is what it says now."
_NOT_SWITCHED: Final = "Someone changed this policy meanwhile, so it was not switched. Below is what it says now."
_NOT_MOVED: Final = "Someone changed these policies meanwhile, so none was moved. Below is their order, and what they say, now."


@router.get("")
async def show(session: CurrentSession, actor: CurrentActor, done: Annotated[str, Query(max_length=20)] = "") -> Response:
    """The policies in their order, and the roles; ``done`` is what has just been done to one."""
    said = _DONE.get(done)
    return await _list(session, actor, flash=None if said is None else Flash(kind="good", text=said))


@router.post("")
async def add_role(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Make a role."""
    actor.require(Action.MANAGE_SETTINGS)
    form = typed(fields, "name", "description")
    try:
        await custom.create_role(session, actor, NewIncidentRole.model_validate(form))
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, form, at_fields(error), 422)
    except Conflict as error:
        return await _list(session, actor, form, {"name": error.detail}, error.status)
    return _back(actor, "made")


@router.post("/{role}")
async def change_role(session: CurrentSession, actor: CurrentActor, role: str, fields: Fields) -> Response:
    """Describe a role anew, or say whether it can be taken on."""
    actor.require(Action.MANAGE_SETTINGS)
    given: Context = {"description": fields["description"]} if "description" in fields else {"active": "active" in fields}
    try:
        await custom.change_role(session, actor, role, IncidentRoleChanges.model_validate(given))
    except (ValidationError, Conflict) as error:
        said = error.detail if isinstance(error, Conflict) else " ".join(at_fields(error).values())
        status = error.status if isinstance(error, Conflict) else 422
        return await _list(session, actor, status=status, flash=Flash(kind="bad", text=said))
    return _back(actor, "changed")


@router.get("/policies/{policy}")
async def edit(session: CurrentSession, actor: CurrentActor, policy: str) -> Response:
    """The editor, with a policy or for a new one."""
    actor.require(Action.MANAGE_SETTINGS)
    if policy == NEW:
        return await _editor(session, actor, policy, new_draft(), {})
    return await _editor(session, actor, policy, await _present(session, actor, policy), {})


@router.post("/policies/{policy}")
async def save(session: CurrentSession, actor: CurrentActor, policy: str, form: Form) -> Response:
    """Keep it. What is wrong is told at its field, and what was typed stays."""
    actor.require(Action.MANAGE_SETTINGS)
    draft = draft_from(form)
    try:
        await _save(session, actor, policy, draft)
    except (ValidationError, Invalid) as error:
        return await _editor(session, actor, policy, draft, faults(draft, error), 422)
    except Conflict as error:
        return await _editor(session, actor, policy, draft, {"": error.detail}, error.status)
    except VersionConflict:
        draft.version = str((await service.get_policy(session, actor, policy)).version)
        return await _editor(session, actor, policy, draft, {"": _CONFLICT}, 412)
    return _back(actor, "saved" if draft.enabled else "saved_off")


@router.post("/policies/{policy}/move")
async def move(session: CurrentSession, actor: CurrentActor, policy: str, fields: Fields) -> Response:
    """Have it asked earlier, or later, unless the order is no longer what the page showed; pressed twice, it is moved once."""
    wanted = number(fields.get("rank", ""))
    try:
        changes = PolicyChanges.model_validate({"rank": wanted, "order": fields.get("order")})
        await service.change_policy(session, actor, policy, changes)
    except ValidationError as error:
        return await _list(session, actor, status=422, flash=Flash(kind="bad", text=" ".join(at_fields(error).values())))
    except VersionConflict:
        if (await service.get_policy(session, actor, policy)).rank != wanted:
            return await _list(session, actor, status=412, flash=Flash(kind="bad", text=_NOT_MOVED))
    return RedirectResponse(f"/{actor.slug}/settings/engagement/roles#policy-{policy}", 303)


@router.post("/policies/{policy}/switch")
async def switch(session: CurrentSession, actor: CurrentActor, policy: str, fields: Fields) -> Response:
    """Switch it on or off, unless it is no longer what the page showed; pressed twice, it is switched once."""
    wanted = "on" in fields
    try:
        await service.change_policy(session, actor, policy, PolicyChanges(enabled=wanted), number(fields.get("version", "")))
    except VersionConflict:
        if (await service.get_policy(session, actor, policy)).enabled is not wanted:
            return await _list(session, actor, status=412, flash=Flash(kind="bad", text=_NOT_SWITCHED))
    return RedirectResponse(f"/{actor.slug}/settings/engagement/roles#policy-{policy}", 303)


@router.post("/policies/{policy}/delete")
async def delete(session: CurrentSession, actor: CurrentActor, policy: str, fields: Fields) -> Response:
    """End it, unless it is no longer what the page showed; whoever does it says that they know what that ends."""
    actor.require(Action.MANAGE_SETTINGS)
    if "understood" not in fields:
        return await _editor(session, actor, policy, await _present(session, actor, policy), {"": _NOT_UNDERSTOOD}, 422)
    try:
        await service.delete_policy(session, actor, policy, number(fields.get("version", "")))
    except VersionConflict:
        return await _editor(session, actor, policy, await _present(session, actor, policy), {"": _NOT_DELETED}, 412)
    return _back(actor, "deleted")


@drafts.get("")
async def back(actor: CurrentActor, policy: str) -> Response:
    """A draft is nowhere but in its form; whoever comes back without one begins again."""
    return RedirectResponse(f"/{actor.slug}/settings/engagement/roles/policies/{policy}", 303)


@drafts.post("")
async def look(session: CurrentSession, actor: CurrentActor, policy: str, form: Form) -> Response:
    """The editor with what was typed, after what a button of it asks for: "condition:3", "remove:2"."""
    actor.require(Action.MANAGE_SETTINGS)
    draft = draft_from(form)
    draft.press(*pressed(form))
    return await _editor(session, actor, policy, draft, {})


async def _present(session: CurrentSession, actor: Actor, policy: str) -> Draft:
    found = await service.get_policy(session, actor, policy)
    person = ""
    if isinstance(found.assignee, IndividualTarget):
        person = (await people(session, [found.assignee.individual]))[found.assignee.individual].label
    return draft_of(found, person)


async def _save(session: CurrentSession, actor: Actor, policy: str, draft: Draft) -> None:
    if policy == NEW:
        await service.create_policy(session, actor, NewPolicy.model_validate(draft.body()))
    else:
        changes = PolicyChanges.model_validate(draft.body())
        await service.change_policy(session, actor, policy, changes, number(draft.version))


async def _list(
    session: CurrentSession,
    actor: Actor,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
    flash: Flash | None = None,
) -> Response:
    policies = await service.list_policies(session, actor)
    policies.sort(key=lambda each: (each.role != COMMANDER, each.role, each.rank))
    context: Context = {
        "policies": [(role, list(each)) for role, each in groupby(policies, lambda each: each.role)],
        "roles": await custom.list_roles(session, actor),
        "form": form or {"name": "", "description": ""},
        "errors": errors or {},
    }
    return render_page(actor, "pages/settings_roles.html", "settings", _shared(actor) | context, status, flash)


async def _editor(
    session: CurrentSession, actor: Actor, policy: str, draft: Draft, errors: dict[str, str], status: int = 200
) -> Response:
    built = await builder(session)
    services = {each.id: each.name for each in (await choosable(session))[TargetKind.ONCALL]}
    if draft.oncall and draft.oncall not in services:
        # It is no longer active, or something that is gone.
        services |= await target_names(session, [Target(kind=TargetKind.ONCALL, id=draft.oncall)])
    roles = [COMMANDER, *await custom.role_names(session)]
    context: Context = {
        "policy": policy,
        "here": f"/{actor.slug}/settings/engagement/roles/policies/{policy}",
        "draft": draft,
        "roles": [Option(value=each, label=each) for each in roles],
        "services": [Option(value=each, label=name) for each, name in services.items()],
        "sentence": draft.sentence(names_of(built) | services),
        "versions": [] if policy == NEW else (await service.list_versions(session, actor, policy, page_size=_VERSIONS)).data,
        "labels": _LABELS | labels(draft),
        "errors": errors,
    }
    return render_page(actor, "pages/settings_role_policy.html", "settings", _shared(actor) | built | context, status)


def _back(actor: Actor, done: str) -> Response:
    return RedirectResponse(f"/{actor.slug}/settings/engagement/roles?done={done}", 303)


def _shared(actor: Actor) -> Context:
    return {"settings": "engagement", "can": {"administer": actor.may(Action.MANAGE_SETTINGS)}}
