"""Making another organization (O1)."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from services.accounts.organizations import NewOrganization
from services.kit.auth import Actor, CurrentActor
from services.kit.errors import Conflict, Invalid
from services.kit.routing import AdminCommandRoute
from services.web.access import AllServices, signed_in
from services.web.forms import Fields, faults, typed
from services.web.render import render_page
from workflows.domain.policy import Action

router = APIRouter(prefix="/{org}/settings/organizations", route_class=AdminCommandRoute, include_in_schema=False)


@router.get("/new")
async def form(actor: CurrentActor) -> Response:
    """The form, for whoever may make one."""
    actor.require(Action.CREATE_ORGANIZATION)
    return _page(actor, {}, {}, 200)


@router.post("/new")
async def create(request: Request, services: AllServices, actor: CurrentActor, fields: Fields) -> Response:
    """Make it, and go on in it: signed in as its first owner, and here as before."""
    try:
        new = NewOrganization.model_validate(typed(fields, "slug", "name"))
        person = await services.organizations.found(actor, new)
    except (ValidationError, Invalid) as error:
        return _page(actor, fields, faults(error), 422)
    except Conflict as error:
        return _page(actor, fields, {"slug": error.detail}, error.status)
    async with services.database.write(person.organization.id) as session:
        secret = await services.accounts.open_session(session, request, person, "new organization")
    slug = person.organization.slug
    return signed_in(services, slug, secret, f"/{slug}")


def _page(actor: Actor, fields: dict[str, str], errors: dict[str, str], status: int) -> Response:
    context = {
        "form": typed(fields, "slug", "name"),
        "errors": errors,
        "settings": "organization",
        "can": {"administer": actor.may(Action.MANAGE_SETTINGS)},
    }
    return render_page(actor, "pages/settings_new_organization.html", "settings", context, status)
