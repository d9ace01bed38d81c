"""Settings: the rules by which people are engaged, as sentences, and the editor in which one writes them (E3)."""

from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.desk.lookup import resolve_person
from services.engagement.conditions.naming import choosable, target_names
from services.engagement.health import Health
from services.engagement.preview.schemas import TriedRule
from services.engagement.roles.custom import role_names
from services.engagement.rules import service
from services.engagement.rules.schemas import NewRule, RuleChanges, RuleVersionView, RuleView
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Invalid, VersionConflict
from services.kit.paging import After, Filter
from services.kit.routing import AdminRoute, CurrentSession
from services.web import previews
from services.web.addresses import next_href
from services.web.choices import Option
from services.web.condition_builder import DraftRoute, Form, builder, faults, labels, names_of, pressed
from services.web.forms import Fields
from services.web.render import Context, Flash, render_page
from services.web.rule_draft import Draft, draft_from, draft_of, new_draft, target_field
from workflows.domain.policy import Action
from workflows.domain.rules import ENGAGED_AS, MAX_TARGETS, Target, TargetKind

router = APIRouter(prefix="/{org}/settings/engagement", route_class=AdminRoute, include_in_schema=False)
drafts = APIRouter(prefix="/{org}/settings/engagement/rules/{rule}/draft", route_class=DraftRoute, include_in_schema=False)

NEW: Final = "new"
HEALTHS: Final[dict[str, str]] = {Health.NOISY: "Noisy", Health.DEAD: "Dead"}
"""What the list can be narrowed to."""
_VERSIONS: Final = 10
Done = Annotated[str, Query(max_length=20)]
"""What has just been done to a rule."""
_DONE: Final = {
    "saved": "The rule was saved. It counts from the next change of each incident.",
    "saved_off": "The rule was saved. It is off, so it engages nobody.",
    "deleted": "The rule was deleted: it engages nobody any more. What it led to keeps its reasons.",
}
_LABELS: Final = {"name": "Name", "role": "Role", "engage": "Whom to engage", "person": "Person"}
_CONFLICT: Final = "Someone changed this rule while you were editing. What you wrote is kept: save again to put it in place."
_NOT_UNDERSTOOD: Final = "Nothing was done. Tick “I understand” to delete this rule."
_NOT_DELETED: Final = "Someone changed this rule meanwhile, so it was not deleted. This is what it says now."


@router.get("")
async def show(
    session: CurrentSession,
    actor: CurrentActor,
    q: Filter = "",
    show: Filter = "",
    after: After = None,
    done: Done = "",
) -> Response:
    """The rules by name, or those that are noisy or dead; ``done`` is what has just been done to one."""
    health = Health(show) if show in HEALTHS else None
    page = await service.list_rules(session, actor, q.strip() or None, after, health=health)
    context: Context = {
        "rules": page.data,
        "q": q,
        "show": health or "",
        "healths": [Option(value=value, label=label) for value, label in HEALTHS.items()],
        "next_href": next_href({"q": q, "show": health or ""}, page.pagination.after),
    }
    return render_page(actor, "pages/settings_rules.html", "settings", _shared(actor) | context, flash=_flash(done))


@router.get("/rules/{rule}")
async def edit(session: CurrentSession, actor: CurrentActor, rule: str, done: Done = "") -> Response:
    """The editor, with a rule or for a new one; once it was saved, with what it would have matched (E7)."""
    actor.require(Action.MANAGE_SETTINGS)
    if rule == NEW:
        return await _editor(session, actor, rule, new_draft(), {})
    draft = draft_of(await service.get_rule(session, actor, rule))
    tried = previews.NOTHING
    if done == "saved":
        done = "saved" if draft.enabled else "saved_off"
        # What it names may be gone by the time the page is loaded again.
        with suppress(Invalid):
            tried = await previews.of_rule(session, actor, _tried(draft), saved=True)
    return await _editor(session, actor, rule, draft, {}, tried=tried, done=done)


@router.post("/rules/{rule}")
async def save(session: CurrentSession, actor: CurrentActor, rule: str, form: Form) -> Response:
    """Keep it. What is wrong is told at its field, and what was typed stays."""
    actor.require(Action.MANAGE_SETTINGS)
    draft = draft_from(form)
    try:
        draft.engage_chosen()
        await _engage_typed(session, draft)
        saved = await _save(session, actor, rule, draft)
    except (ValidationError, Invalid) as error:
        return await _editor(session, actor, rule, draft, faults(draft, error), 422)
    except VersionConflict:
        draft.version = str((await service.get_rule(session, actor, rule)).version)
        return await _editor(session, actor, rule, draft, {"": _CONFLICT}, 412)
    return RedirectResponse(f"/{actor.slug}/settings/engagement/rules/{saved.id}?done=saved", 303)


@router.post("/rules/{rule}/delete")
async def delete(session: CurrentSession, actor: CurrentActor, rule: str, fields: Fields) -> Response:
    """End it, unless it is no longer what the page showed; whoever does it says that they know what that ends."""
    actor.require(Action.MANAGE_SETTINGS)
    if "understood" not in fields:
        present = draft_of(await service.get_rule(session, actor, rule))
        return await _editor(session, actor, rule, present, {"": _NOT_UNDERSTOOD}, 422)
    try:
        await service.delete_rule(session, actor, rule, number(fields.get("version", "")))
    except VersionConflict:
        present = draft_of(await service.get_rule(session, actor, rule))
        return await _editor(session, actor, rule, present, {"": _NOT_DELETED}, 412)
    return RedirectResponse(f"/{actor.slug}/settings/engagement?done=deleted", 303)


@drafts.get("")
async def back(actor: CurrentActor, rule: str) -> Response:
    """A draft is nowhere but in its form; whoever comes back without one begins again."""
    return RedirectResponse(f"/{actor.slug}/settings/engagement/rules/{rule}", 303)


@drafts.post("")
async def look(session: CurrentSession, actor: CurrentActor, rule: str, form: Form) -> Response:
    """The editor with what was typed, after what a button of it asks for: "condition:3", "drop:team:…", "try"."""
    actor.require(Action.MANAGE_SETTINGS)
    draft = draft_from(form)
    what, which = pressed(form)
    errors: dict[str, str] = {}
    tried = previews.NOTHING
    try:
        match what:
            case "try":
                tried = await previews.of_rule(session, actor, _tried(draft))
            case "drop":
                draft.drop(which)
            case "engage":
                await _engage(session, draft, which)
            case _:
                draft.press(what, which)
    except (ValidationError, Invalid) as error:
        errors = faults(draft, error)
    return await _editor(session, actor, rule, draft, errors, 422 if errors else 200, tried)


def _tried(draft: Draft) -> TriedRule:
    return TriedRule.model_validate({"when": draft.when()})


async def _save(session: CurrentSession, actor: Actor, rule: str, draft: Draft) -> RuleView:
    if rule == NEW:
        return await service.create_rule(session, actor, NewRule.model_validate(draft.body()))
    changes = RuleChanges.model_validate(draft.body())
    return await service.change_rule(session, actor, rule, changes, number(draft.version))


async def _engage(session: CurrentSession, draft: Draft, kind: str) -> None:
    if kind == TargetKind.INDIVIDUAL:
        if not draft.person.strip():
            raise Invalid.of("person", "missing", "Name a person first.")
        await _engage_typed(session, draft)
    for target in [each for each in draft.chosen if each.kind == kind]:
        draft.engage(target)


async def _engage_typed(session: CurrentSession, draft: Draft) -> None:
    """Whoever was typed is meant, also if the button beside it was not pressed."""
    for target in await _meant(session, draft):
        draft.engage(target)
        draft.person = ""


async def _meant(session: CurrentSession, draft: Draft) -> list[Target]:
    if not draft.person.strip():
        return []
    person = await resolve_person(session, "person", draft.person)
    return [Target(kind=TargetKind.INDIVIDUAL, id=person.id)]


async def _editor(
    session: CurrentSession,
    actor: Actor,
    rule: str,
    draft: Draft,
    errors: dict[str, str],
    status: int = 200,
    tried: Context = previews.NOTHING,
    done: str = "",
) -> Response:
    built = await builder(session)
    typed: list[Target] = []
    with suppress(Invalid):
        typed = await _meant(session, draft)
    called = await target_names(session, [*draft.targets, *draft.chosen, *typed])
    engaged = {target.id for target in draft.targets}
    targets = [(target, target_field(target), called.get(target.id, "somebody who is gone")) for target in draft.targets]
    offered = {
        kind: [Option(value=each.id, label=each.name) for each in choices if each.id not in engaged]
        for kind, choices in (await choosable(session)).items()
    }
    roles = [*ENGAGED_AS, *await role_names(session)]
    context: Context = {
        "rule": rule,
        "here": f"/{actor.slug}/settings/engagement/rules/{rule}",
        "draft": draft,
        "targets": targets,
        "can_engage": len(targets) < MAX_TARGETS,
        "chosen": {target.kind.value: target.id for target in draft.chosen},
        "teams": offered[TargetKind.TEAM],
        "oncall": offered[TargetKind.ONCALL],
        "sentence": draft.sentence(called | names_of(built), typed),
        "versions": await _versions(session, actor, rule),
        "labels": _LABELS | labels(draft),
        "roles": [Option(value=each, label=each) for each in roles],
        "errors": errors,
    }
    shown = _shared(actor) | built | context | tried
    return render_page(actor, "pages/settings_rule.html", "settings", shown, status, _flash(done))


async def _versions(session: CurrentSession, actor: Actor, rule: str) -> list[RuleVersionView]:
    return [] if rule == NEW else (await service.list_versions(session, actor, rule, page_size=_VERSIONS)).data


def _flash(done: str) -> Flash | None:
    return Flash(kind="good", text=_DONE[done]) if done in _DONE else None


def _shared(actor: Actor) -> Context:
    return {"settings": "engagement", "can": {"administer": actor.may(Action.MANAGE_SETTINGS)}}
