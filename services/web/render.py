"""Templates, as answers."""

from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel

from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.ids import new_id
from workflows.domain.text import tokens

_ENVIRONMENT: Final = Environment(loader=PackageLoader("services.web"), autoescape=True, undefined=StrictUndefined)
_ENVIRONMENT.filters["words"] = tokens

Context = dict[str, Any]
"""What a template is given; its first comment says what it needs."""


class Flash(BaseModel):
    """A sentence at the top of a page about what has just been tried."""

    kind: Literal["good", "bad"]
    text: str


def render(template: str, context: Context, status: int = 200) -> HTMLResponse:
    """A page outside any organization."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(context), status)


def render_page(
    actor: Actor, template: str, section: str, context: Context, status: int = 200, flash: Flash | None = None
) -> HTMLResponse:
    """A page of the actor's organization; ``section`` is what its navigation marks."""
    shared = {"section": section, "flash": [] if flash is None else [flash], "trouble": []}
    return render(template, common(actor) | shared | context, status)


def zone(actor: Actor) -> ZoneInfo:
    """The zone in which times are written for someone. Who leaves that to the browser gets UTC, which its script replaces."""
    return ZoneInfo(actor.preferences.time_zone or "UTC")


def common(actor: Actor) -> Context:
    """What every page and fragment within an organization needs."""
    return {
        "org": {"slug": actor.slug, "name": actor.organization_name},
        "me": {"name": actor.name, "individual": actor.individual, "theme": actor.preferences.theme},
        "elsewhere": actor.elsewhere,
        "csrf_token": actor.csrf_token,
        "command_id": new_id,
        "now": now(),
        "zone": zone(actor),
        "time_zone": actor.preferences.time_zone,
    }
