"""Settings: the audit log (O5)."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from services.accounts import audit
from services.accounts.audit import AuditQuery
from services.accounts.schemas import AuditEntry
from services.accounts.wording import changes, phrase
from services.kit.auth import Actor, CurrentActor
from services.kit.clock import rfc3339
from services.kit.paging import After, Filter
from services.kit.routing import AdminRoute, CurrentSession
from services.web.addresses import next_href, query_of
from services.web.choices import Option
from services.web.render import Context, render_page, zone

router = APIRouter(prefix="/{org}/settings/audit", route_class=AdminRoute, include_in_schema=False)

_ABOUT: Final = {
    "sign_in": "Sign-ins",
    "sign_in.refused": "Refused sign-ins",
    "token.": "API tokens",
    "member.": "Members",
    "project.": "Projects",
    "contact.": "Individuals",
    "team.": "Teams",
    "oncall_service.": "On-call services",
    "rule.": "Engagement rules",
    "role_policy.": "Role policies",
    "incident_role.": "Roles",
    "sign_in_provider.": "Sign-in provider",
    "password.": "Passwords",
    "record.": "Exported records",
}
"""What one can narrow the log to, by action."""
Day = Annotated[str, Query(max_length=10)]


@router.get("")
async def show(
    session: CurrentSession,
    actor: CurrentActor,
    who: Filter = "",
    about: Filter = "",
    since: Annotated[Day, Query(alias="from")] = "",
    until: Annotated[Day, Query(alias="to")] = "",
    q: Filter = "",
    after: After = None,
) -> Response:
    """What was done, the latest first. Days are those of the reader's time zone; one that is none narrows nothing."""
    first, last = _midnight(actor, since), _midnight(actor, until, days=1)
    query = AuditQuery(who=who or None, action=about or None, since=first, until=last, q=q.strip() or None)
    page = await audit.list_entries(session, actor, query, after)
    asked = {"who": who, "about": about, "from": since, "to": until, "q": q}
    taken = {"who": who, "action": about, "q": q, "from": _moment(first), "to": _moment(last)}
    backwards = first is not None and last is not None and first >= last
    context: Context = {
        "entries": [_entry(entry) for entry in page.data],
        "filters": asked,
        "errors": {"to": "This is before “From”: no day lies between them."} if backwards else {},
        "subjects": [Option(value=value, label=label) for value, label in _ABOUT.items()],
        "csv_href": f"/api/v1/{actor.slug}/audit.csv?{query_of(taken)}",
        "next_href": next_href(asked, page.pagination.after),
        "settings": "audit",
        "can": {"administer": True},
    }
    return render_page(actor, "pages/settings_audit.html", "settings", context)


def _entry(entry: AuditEntry) -> Context:
    return {
        "at": entry.at,
        "who": entry.who,
        "phrase": phrase(entry.action, entry.object.name, entry.before, entry.after),
        "changes": changes(entry.before, entry.after),
        "via": entry.via,
        "address": entry.address,
    }


def _midnight(actor: Actor, day: str, days: int = 0) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=days), time(), zone(actor))
    except (ValueError, OverflowError):
        return None


def _moment(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
