"""What each part of an incident's page shows; the page puts them together, and live updates fetch them one by one."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from services.desk.views import Awaited, IncidentView
from services.engagement import subscriptions
from services.engagement.repository import present_among
from services.engagement.service import Crowd
from services.kit.auth import Actor
from services.kit.markdown import to_html
from services.kit.routing import CurrentSession
from services.lifecycle.timeline import TimelineEntry
from services.notify.schemas import DeliveryQuery, DeliveryView
from services.web.access import Services
from services.web.lifecycle import Moves, moves, track
from services.web.render import Context
from workflows.domain.engagement import COMMANDER
from workflows.domain.events import Resource
from workflows.domain.lifecycle import Category
from workflows.domain.policy import Action, Decision


@dataclass(frozen=True)
class Look:
    """One look of one reader at an incident, and what the policy says to whatever they could do to it.

    ``after`` is the position in the list of the open tab, on its later pages.
    """

    services: Services
    session: CurrentSession
    actor: Actor
    incident: IncidentView
    crowd: Crowd
    decisions: dict[Action, Decision]
    after: str | None = None

    @property
    def address(self) -> str:
        """Where the incident's page is."""
        return f"/{self.actor.slug}/incidents/{self.incident.reference}"

    @property
    def could_join(self) -> bool:
        """Whether joining would change anything; then the policy says whether the reader may."""
        begun = self.incident.status.category is not Category.REPORTED
        return begun and self.incident.closed_at is None and not self.crowd.inside


Part = Callable[[Look], Awaitable[Context]]


async def look_at(services: Services, session: CurrentSession, actor: Actor, reference: str, after: str | None = None) -> Look:
    """Look at an incident.

    Raises:
        NotFound: no such incident for this actor.
    """
    incident = await services.lifecycle.get(session, actor, reference)
    crowd = await services.engagement.crowd(session, actor, reference)
    decisions = await services.lifecycle.decisions(session, actor, [incident.id])
    return Look(services, session, actor, incident, crowd, decisions[incident.id], after)


def shared(look: Look) -> Context:
    """What every part needs: the incident, and what the reader can do."""
    incident = look.incident
    return {
        "incident": dict(incident) | {"description_html": to_html(incident.description) if incident.description else ""},
        "can": _can(look),
    }


def stream(look: Look) -> Context:
    """Where changes are told, from what is shown here on. Without a host: the page may be read under another name."""
    return {
        "stream": {
            "url": f"/api/v1/{look.actor.slug}/incidents/{look.incident.id}/stream",
            "after": look.incident.version,
        }
    }


async def header(look: Look) -> Context:
    """Status, commander, duration, and where to go from here."""
    return {
        "lifecycle": track(look.incident),
        "transitions": moves(look.incident) if _can(look)["move"] else Moves(),
        "crowd": look.crowd,
    }


async def about(_: Look) -> Context:
    """What is known: all of it is shared."""
    return {}


async def people(look: Look) -> Context:
    """Who is engaged and why, a field to add someone, and who follows without taking part."""
    subscribers = await subscriptions.subscribers(look.session, look.actor, look.incident.id)
    present = await present_among(look.session, look.incident.id, [each.id for each in subscribers])
    return {
        "crowd": look.crowd,
        "adding": "",
        "successor": "",
        "note": "",
        "errors": {},
        "no_join": _no_join(look),
        "followers": [each for each in subscribers if each.id not in present],
        "following": look.actor.individual in {each.id for each in subscribers},
    }


def _no_join(look: Look) -> str:
    """Why the reader cannot join; "" when they can, or are in."""
    if look.incident.closed_at is not None and not look.crowd.inside:
        return f"The incident is {look.incident.status.name.lower()}: nobody joins it any more."
    return look.decisions[Action.JOIN].reason if look.could_join else ""


async def resources(look: Look) -> Context:
    """Channel, call, document, ticket."""
    return {"resources": [local(look, resource) for resource in look.incident.resources]}


async def timeline(look: Look) -> Context:
    """A page of what happened."""
    page = await look.services.lifecycle.timeline(look.session, look.actor, look.incident.id, look.after)
    return {
        "timeline": {
            "entries": [_entry(entry) for entry in _told_once(page.data)],
            "older_href": _older(look, "timeline", page.pagination.after),
        },
        "after": look.after,
        "form": {"text": "", "command_id": ""},
        "errors": {},
    }


async def channel(look: Look) -> Context:
    """The latest of the conversation."""
    messages = await look.services.lifecycle.messages(look.session, look.actor, look.incident.id)
    return {
        "messages": [
            {
                "id": message.id,
                "at": message.at,
                "author": message.author.name if message.author else None,
                "only_you": message.only_you,
                "html": to_html(message.text),
            }
            for message in messages
        ],
        "form": {"text": "", "command_id": ""},
        "errors": {},
    }


async def deliveries(look: Look) -> Context:
    """What was sent about the incident."""
    query = DeliveryQuery(incident=look.incident.id)
    page = await look.services.notify.deliveries(look.session, look.actor, query, look.after)
    return {
        "deliveries": [delivery(look.actor, row, retry=_can(look)["retry"]) for row in page.data],
        "older_href": _older(look, "deliveries", page.pagination.after),
        "after": look.after,
    }


async def trouble(look: Look) -> Context:
    """What did not go out so far, a line for each channel."""
    rows = await look.services.notify.trouble(look.session, look.incident.id)
    counts = Counter((row.channel, row.state) for row in rows)
    reasons = {(row.channel, row.state): row.reason for row in rows}
    lines = []
    for (name, state), count in counts.items():
        what = "1 message" if count == 1 else f"{count} messages"
        fate = "failed" if state == "failed" else "did not go out yet; Muster tries again by itself"
        lines.append(
            {
                "text": f"{what} by {name} {fate}: {reasons[name, state] or 'no reason was given'}",
                "href": f"{look.address}?tab=deliveries",
                "link": "See deliveries",
            }
        )
    return {"trouble": [*_awaited(look), *lines], "live_url": f"{look.address}/fragments/trouble"}


def _awaited(look: Look) -> list[Context]:
    """What Muster waits for to bring people in, and why: a line for each on-call service, also if a rule and a policy name it."""
    services: dict[str, list[Awaited]] = {}
    for each in look.incident.awaited_on_call:
        services.setdefault(each.service.id, []).append(each)
    lines: list[Context] = [
        {
            "text": _waits(asked),
            "href": f"/{look.actor.slug}/contacts/on-call/{service}",
            "link": f"See {asked[0].service.name}",
        }
        for service, asked in services.items()
    ]
    if look.incident.awaits_role_policies:
        text = "The role policies could not be asked. Muster keeps asking; until then the commander stands in."
        lines.append({"text": text, "href": None})
    return lines


def _waits(asked: Sequence[Awaited]) -> str:
    reasons = list(dict.fromkeys(each.reason.rstrip(".") for each in asked if each.reason))
    why = f": “{'. '.join(reasons)}”" if reasons else ""
    leads = [each.role == COMMANDER for each in asked]
    meanwhile = [
        *(["until then the commander stands in"] if any(leads) else []),
        *(["everyone else was brought in"] if not all(leads) else []),
    ]
    return f"{asked[0].service.name} cannot say who is on call{why}. Muster keeps asking; {', and '.join(meanwhile)}."


async def question(look: Look) -> Context:
    """The crowd that is held back, while it is asked who comes in."""
    if look.incident.held is None:
        return {"question": None, "errors": {}}
    found = await look.services.lifecycle.question(look.session, look.actor, look.incident.id)
    return {"question": dict(found) | {"no_answer": look.decisions[Action.ANSWER_ENGAGEMENT].reason}, "errors": {}}


async def receipt(look: Look) -> Context:
    """How far Muster has come with the report."""
    found = await look.services.intake.receipt(look.session, look.actor, look.incident.id)
    made = [local(look, resource) for resource in found.resources]
    return {"receipt": found.model_copy(update={"resources": made}), "trouble": _awaited(look)}


PARTS: Final[dict[str, tuple[str, Part]]] = {
    "incident": ("incident_header", header),
    "about": ("about", about),
    "people": ("people", people),
    "resources": ("resources", resources),
    "timeline": ("timeline", timeline),
    "channel": ("channel", channel),
    "deliveries": ("deliveries", deliveries),
    "trouble": ("trouble", trouble),
    "question": ("question", question),
    "receipt": ("receipt", receipt),
}
"""The parts that can be fetched alone: the fragment's template, and what makes its context."""
TABS: Final = ("timeline", "channel", "deliveries")


def delivery(actor: Actor, row: DeliveryView, *, retry: bool) -> Context:
    """A line of the ledger; ``retry``: the reader may have it tried again, should it have failed."""
    return dict(row) | {
        "retry": retry,
        "incident": {"reference": row.incident_reference, "title": row.incident_title} if row.incident else None,
        "inbox_href": f"/{actor.slug}/inbox/{row.inbox_message}" if row.inbox_message else None,
    }


def local(look: Look, resource: Resource) -> Resource:
    """A resource; if it is a page of this Muster, by its path: whoever reads this under another name stays signed in."""
    if resource.url is None:
        return resource
    return resource.model_copy(update={"url": resource.url.removeprefix(look.services.settings.base_url)})


def _can(look: Look) -> dict[str, bool]:
    me, incident = look.actor.individual, look.incident
    may = {action for action, decision in look.decisions.items() if decision.allowed}
    leads = incident.commander is not None and incident.commander.id == me
    open_ = incident.closed_at is None
    return {
        "move": Action.CHANGE_STATUS in may,
        "post": Action.POST in may,
        "retry": Action.RETRY in may,
        "change": open_ and Action.EDIT in may,
        "engage": open_ and Action.ADD_PARTICIPANT in may,
        "join": look.could_join and Action.JOIN in may,
        "leave": open_ and look.crowd.inside and not leads,
        "follow": Action.SUBSCRIBE in may and not look.crowd.inside,
        "hand_over": open_ and leads and Action.ASSIGN_COMMANDER in may,
    }


def _older(look: Look, tab: str, after: str | None) -> str | None:
    return None if after is None else f"{look.address}?{urlencode({'tab': tab, 'after': after})}"


def _told_once(entries: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """These without those that say once more, for a policy after a rule, that it is not known who is on call, until it is."""
    kept: list[TimelineEntry] = []
    told: set[tuple[str, str | None]] = set()
    for entry in reversed(entries):
        said = (entry.text, entry.detail)
        if entry.kind == "on_call_resolved":
            told.clear()
        if entry.kind != "on_call_awaited" or said not in told:
            kept.append(entry)
        if entry.kind == "on_call_awaited":
            told.add(said)
    return kept[::-1]


def _entry(entry: TimelineEntry) -> Context:
    text = entry.text if entry.actor else f"{entry.text[:1].upper()}{entry.text[1:]}"
    return {
        "id": entry.seq,
        "kind": entry.kind,
        "at": entry.at,
        "actor": entry.actor.name if entry.actor else None,
        "text": text,
        "html": to_html(entry.note) if entry.note else "",
        "detail": entry.detail,
        "until": entry.until,
        "people": entry.people,
        "left_out": entry.left_out,
    }
