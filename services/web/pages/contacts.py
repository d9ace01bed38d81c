"""Contacts: the individuals, with the terms that engage them (E1)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.engagement import contacts
from services.engagement.schemas import IndividualChanges, IndividualView, NewIndividual, TermsBody
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Invalid, VersionConflict
from services.kit.paging import After
from services.kit.routing import CurrentSession, Route
from services.web.addresses import next_href
from services.web.forms import Fields, faults, split, typed
from services.web.render import Context, Flash, common, render, render_page
from workflows.domain.policy import Action, ContactObject

router = APIRouter(prefix="/{org}/contacts/individuals", route_class=Route, include_in_schema=False)
suggested = APIRouter(prefix="/{org}/contacts/suggestions", route_class=Route, include_in_schema=False)


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
        added = await contacts.create_individual(session, actor, new)
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, "", None, fields, faults(error))
    return RedirectResponse(f"/{actor.slug}/contacts/individuals?added={added.id}", 303)


@router.get("/{individual}")
async def show(session: CurrentSession, actor: CurrentActor, individual: str) -> Response:
    """One individual, to be changed by administrators and by themselves."""
    found = await contacts.get_individual(session, individual)
    form: Context = {"name": found.name, "email": found.email, "active": found.active, "terms": "\n".join(found.terms)}
    return await _individual(session, actor, found, form, {}, 200)


@router.post("/{individual}")
async def change(session: CurrentSession, actor: CurrentActor, individual: str, fields: Fields) -> Response:
    """Change an individual and the terms, all or nothing."""
    version = fields.get("version", "")
    form: Context = typed(fields, "name", "email", "terms") | {"active": "active" in fields}
    try:
        changes = IndividualChanges.model_validate({name: form[name] for name in ("name", "email", "active")})
        terms = TermsBody(terms=split(form["terms"], "\n")).terms
        known = number(version)
        await contacts.change_individual(session, actor, individual, changes, known)
        await contacts.put_terms(session, actor, individual, terms)
    except (ValidationError, Invalid) as error:
        found = await contacts.get_individual(session, individual)
        return await _individual(session, actor, found, form, faults(error), 422)
    except VersionConflict:
        found = await contacts.get_individual(session, individual)
        said = "Someone changed this contact while you were editing. Your text is kept: save again to put it in place."
        return await _individual(session, actor, found, form, {"": said}, 412)
    return RedirectResponse(f"/{actor.slug}/contacts/individuals", 303)


async def _list(
    session: CurrentSession,
    actor: Actor,
    q: str,
    after: str | None,
    fields: dict[str, str],
    errors: dict[str, str],
    flash: Flash | None = None,
) -> Response:
    page = await contacts.list_individuals(session, actor, q or None, after)
    context = {
        "individuals": page.data,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
        "can": {"manage": actor.may(Action.EDIT_CONTACT, ContactObject())},
        "form": typed(fields, "name", "email", "terms"),
        "errors": errors,
    }
    return render_page(actor, "pages/individuals.html", "contacts", context, 422 if errors else 200, flash)


async def _individual(
    session: CurrentSession, actor: Actor, found: IndividualView, form: Context, errors: dict[str, str], status: int
) -> Response:
    may = await contacts.editable(session, actor, found.id)
    context = {
        "individual": found,
        "form": form | {"version": str(found.version)},
        "errors": errors,
        "can": {
            "manage": Action.EDIT_TERMS in may,
            "rename": Action.EDIT_CONTACT in may,
            "address": Action.EDIT_ADDRESS in may,
        },
    }
    return render_page(actor, "pages/individual.html", "contacts", context, status)
