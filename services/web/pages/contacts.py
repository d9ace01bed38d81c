"""Contacts: the individuals, with the terms that engage them (E1)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.engagement import contacts, records
from services.engagement.schemas import IndividualChanges, IndividualView, NewIndividual, TermsBody
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Invalid, VersionConflict
from services.kit.paging import After
from services.kit.routing import CurrentSession, PreviewRoute, Route
from services.web import previews
from services.web.addresses import next_href
from services.web.forms import Fields, at_fields, faults, split, typed
from services.web.pages.teams import NEW
from services.web.render import Context, Flash, common, render, render_page
from workflows.domain.policy import Action, ContactObject

router = APIRouter(prefix="/{org}/contacts/individuals", route_class=Route, include_in_schema=False)
tries = APIRouter(prefix="/{org}/contacts/individuals/{individual}/try", route_class=PreviewRoute, include_in_schema=False)
front = APIRouter(prefix="/{org}/contacts", route_class=Route, include_in_schema=False)
suggested = APIRouter(prefix="/{org}/contacts/suggestions", route_class=Route, include_in_schema=False)


@front.get("")
async def begin(actor: CurrentActor) -> Response:
    """The contacts begin with the individuals."""
    return RedirectResponse(f"/{actor.slug}/contacts/individuals", 303)


@suggested.get("")
async def suggestions(session: CurrentSession, actor: CurrentActor, q: Annotated[str, Query(max_length=600)] = "") -> Response:
    """A few people whom one may mean by what is typed so far, as the options of a list."""
    return render("_fragments/suggestions.html", common(actor) | {"people": await contacts.suggestions(session, q)})


@router.get("")
async def individuals(
    session: CurrentSession,
    actor: CurrentActor,
    q: Annotated[str, Query(max_length=200)] = "",
    after: After = None,
    added: Annotated[str, Query(max_length=36)] = "",
) -> Response:
    """Everyone who can be engaged, by name; ``added`` is who was added just now."""
    flash = None
    if added:
        flash = Flash(kind="good", text=f"{(await contacts.get_individual(session, added)).name} was added.")
    return await _list(session, actor, q, after, {}, {}, flash)


@router.post("")
async def add(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Add one."""
    try:
        new = NewIndividual.model_validate(typed(fields, "name", "email") | {"terms": split(fields.get("terms", ""), "\n")})
        # What is refused leaves nothing behind, although the page is answered.
        async with session.begin_nested():
            added = await contacts.create_individual(session, actor, new)
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, "", None, fields, faults(error))
    here = f"/{actor.slug}/contacts/individuals"
    return RedirectResponse(f"{here}/{added.id}?done=added" if added.terms else f"{here}?added={added.id}", 303)


@router.get("/{individual}")
async def show(session: CurrentSession, actor: CurrentActor, individual: str, done: str = "") -> Response:
    """One individual, to be changed by administrators and by themselves; ``done`` is what has just been done."""
    found = await contacts.get_individual(session, individual)
    said = {"added": f"{found.name} was added.", "saved": "Saved."}.get(done)
    flash = None if said is None else Flash(kind="good", text=said)
    tried = previews.NOTHING if flash is None else await previews.of_terms(session, actor, found.terms, saved=True)
    return await _individual(session, actor, found, {}, {}, 200, tried, flash)


@router.post("/{individual}")
async def change(session: CurrentSession, actor: CurrentActor, individual: str, fields: Fields) -> Response:
    """Change an individual and the terms, all or nothing."""
    version = fields.get("version", "")
    form = _typed(fields)
    try:
        changes = IndividualChanges.model_validate(_changed(form))
        terms = TermsBody(terms=split(form["terms"], "\n")).terms
        known = number(version)
        async with session.begin_nested():
            await contacts.change_individual(session, actor, individual, changes, known)
            await contacts.put_terms(session, actor, individual, terms)
    except (ValidationError, Invalid) as error:
        found = await contacts.get_individual(session, individual)
        return await _individual(session, actor, found, form, at_fields(error), 422)
    except VersionConflict:
        found = await contacts.get_individual(session, individual)
        said = "Someone changed this contact while you were editing. Your text is kept: save again to put it in place."
        return await _individual(session, actor, found, form, {"": said}, 412)
    return RedirectResponse(f"/{actor.slug}/contacts/individuals/{individual}?done=saved", 303)


@tries.get("")
async def back(actor: CurrentActor, individual: str) -> Response:
    """What was tried is nowhere but in its form; whoever comes back without one begins again."""
    return RedirectResponse(f"/{actor.slug}/contacts/individuals{'' if individual == NEW else f'/{individual}'}", 303)


@tries.post("")
async def try_terms(session: CurrentSession, actor: CurrentActor, individual: str, fields: Fields) -> Response:
    """Which incidents the terms would have matched, with everything as it was typed; nothing is changed (E7)."""
    if individual == NEW:
        actor.require(Action.EDIT_CONTACT, ContactObject())
        tried, errors = await previews.of_form(session, actor, fields.get("terms", ""))
        return await _list(session, actor, "", None, fields, errors, tried=tried)
    found = await contacts.get_individual(session, individual)
    form = _typed(fields) | typed(fields, "version")
    tried, errors = await previews.of_form(session, actor, form["terms"])
    return await _individual(session, actor, found, form, errors, 422 if errors else 200, tried)


def _typed(fields: dict[str, str]) -> Context:
    """What the form has: of somebody's own entry not the addresses, nor whether they are active, which it shows together."""
    form: Context = {name: fields[name] for name in ("name", "email", "addresses") if name in fields}
    return form | typed(fields, "terms") | ({"active": "active" in fields} if "email" in fields else {})


def _changed(form: Context) -> Context:
    lists = {"addresses": split(form["addresses"], "\n")} if "addresses" in form else {}
    return {name: form[name] for name in ("name", "email", "active") if name in form} | lists


async def _list(
    session: CurrentSession,
    actor: Actor,
    q: str,
    after: str | None,
    fields: dict[str, str],
    errors: dict[str, str],
    flash: Flash | None = None,
    tried: Context = previews.NOTHING,
) -> Response:
    page = await contacts.list_individuals(session, actor, q or None, after)
    context = {
        "tab": "individuals",
        "individuals": page.data,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
        "can": {"manage": actor.may(Action.EDIT_CONTACT, ContactObject())},
        "form": typed(fields, "name", "email", "terms"),
        "errors": errors,
    }
    return render_page(actor, "pages/individuals.html", "contacts", context | tried, 422 if errors else 200, flash)


async def _individual(
    session: CurrentSession,
    actor: Actor,
    found: IndividualView,
    form: Context,
    errors: dict[str, str],
    status: int,
    tried: Context = previews.NOTHING,
    flash: Flash | None = None,
) -> Response:
    may = await contacts.editable(session, actor, found.id)
    shown = {
        "name": found.name,
        "email": found.email,
        "addresses": "\n".join(found.addresses),
        "active": found.active,
        "terms": "\n".join(found.terms),
        "version": str(found.version),
    }
    context = {
        "individual": found,
        "records": await records.of_owner(session, actor, found.id),
        "form": shown | form,
        "errors": errors,
        "can": {
            "manage": Action.EDIT_TERMS in may,
            "rename": Action.EDIT_CONTACT in may,
            "address": Action.EDIT_ADDRESS in may,
        },
    }
    return render_page(actor, "pages/individual.html", "contacts", context | tried, status, flash)
