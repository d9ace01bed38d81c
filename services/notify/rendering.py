"""Notices in words: what the templates need to know, and the message they make."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel

from services.desk.lookup import Person
from services.kit.markdown import to_html
from workflows.contracts.notify import NoticeKind
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Evidence
from workflows.domain.events import Mode, Resource, ResourceKind
from workflows.domain.lifecycle import Status
from workflows.domain.text import tokens

_NAMES = {
    ResourceKind.CHANNEL: "Channel",
    ResourceKind.CALL: "Call",
    ResourceKind.DOCUMENT: "Investigation document",
    ResourceKind.TICKET: "Ticket",
}

_MEANS_SOMETHING: Final = re.compile(r"[\\`*_\[\]<>&~|]|^[#+=-]|(?<=\d)[.)](?=\s|$)")
"""What could begin a link, an emphasis, a heading or a list."""


MAX_NAMES: Final = 200
"""How many names a message tells; the page tells all."""


class InShort(BaseModel):
    """What every notice says of its incident."""

    reference: int
    attributes: Attributes
    project: Choice
    mode: Mode
    status: Status
    resources: dict[ResourceKind, Resource]


class Facts(BaseModel):
    """What a notice about an incident says, as of now. With ``is_list`` its recipient is a team's mailing list."""

    organization_name: str
    slug: str
    recipient: Person
    is_list: bool = False
    incident: InShort
    reporter: Person
    commander: Person | None
    evidence: list[Evidence]


class HeldPerson(BaseModel):
    """Someone of whom it is asked whether they come in, and the first reason why they match."""

    name: str
    why: Evidence


class QuestionFacts(Facts):
    """What the question says whether a crowd comes in: everyone; ``until`` is when all come in, told in ``time_zone``."""

    people: list[HeldPerson]
    until: datetime
    time_zone: str


class HandOverFacts(Facts):
    """What a new commander is told: who handed over (None: a role policy chose them), who commanded before, and the note.

    Without ``by`` the note is why the policy did.
    """

    by: Person | None
    before: Person | None
    note: str | None


class LetterFacts(BaseModel):
    """What a letter says: ``page`` is where its link leads, ``life`` for how long that holds, in words.

    ``inviter`` is the name of whoever invites, if that is known.
    """

    organization_name: str
    slug: str
    recipient: Person
    page: str
    secret: str
    life: str
    inviter: str | None


@dataclass(frozen=True)
class Rendered:
    """A message in every form; one that is never posted has none for chat."""

    subject: str
    text: str
    html: str
    chat: str = ""


def _literal(text: str) -> str:
    """What people wrote, as one line of Markdown that reads just as they wrote it: Muster's own links are the only ones."""
    return _MEANS_SOMETHING.sub(r"\\\g<0>", " ".join(text.split()))


class Renderer:
    """Renders notices from ``templates/``. ``base_url`` is where links lead."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        loader = PackageLoader("services.notify")
        self._plain = Environment(loader=loader, undefined=StrictUndefined, autoescape=False)  # noqa: S701  (text, not HTML)
        self._plain.filters["md"] = _literal
        self._html = Environment(loader=loader, undefined=StrictUndefined, autoescape=True)
        self._plain.filters["words"] = self._html.filters["words"] = tokens

    def welcome(self, facts: Facts) -> Rendered:
        """The welcome of a new participant (N1)."""
        return self._notice(NoticeKind.WELCOME, self._context(facts))

    def question(self, facts: QuestionFacts) -> Rendered:
        """The question to the commander, who of a crowd comes in (E7)."""
        context = self._context(facts)
        question = {
            "count": len(facts.people),
            "people": [person.model_dump(mode="json") for person in facts.people[:MAX_NAMES]],
            "more": max(len(facts.people) - MAX_NAMES, 0),
            "until": f"{facts.until.astimezone(ZoneInfo(facts.time_zone)):%H:%M}",
            "time_zone": facts.time_zone,
            "link": f"{context['links']['incident']}#question",
            "for_program": facts.commander is not None and facts.commander.id != facts.recipient.id,
        }
        return self._notice(NoticeKind.QUESTION, context | {"question": question})

    def hand_over(self, facts: HandOverFacts) -> Rendered:
        """The notice to whoever was handed the command, with the note (E9)."""
        hand_over = {
            "by": None if facts.by is None else facts.by.name,
            "before": None if facts.before is None else facts.before.name,
            "note": facts.note,
            "note_html": to_html(facts.note or ""),
        }
        return self._notice(NoticeKind.HAND_OVER, self._context(facts) | {"hand_over": hand_over})

    def letter(self, kind: NoticeKind, facts: LetterFacts) -> Rendered:
        """A letter of this kind: mail about an account (O3)."""
        context = {
            "organization": {"name": facts.organization_name},
            "recipient": {"name": facts.recipient.name, "address": facts.recipient.email},
            "link": f"{self._base_url}/{facts.slug}/{facts.page}?secret={facts.secret}",
            "life": facts.life,
            "inviter": facts.inviter,
        }
        return self._mail(kind, context)

    def _notice(self, kind: NoticeKind, context: dict[str, Any]) -> Rendered:
        chat = self._plain.get_template(f"{kind}.chat.md").render(context).strip()
        return replace(self._mail(kind, context), chat=chat)

    def _mail(self, kind: NoticeKind, context: dict[str, Any]) -> Rendered:
        subject = self._plain.get_template(f"{kind}.subject.txt").render(context)
        return Rendered(
            subject=" ".join(subject.split()),
            text=self._plain.get_template(f"{kind}.txt").render(context),
            html=self._html.get_template(f"{kind}.html").render(context),
        )

    def _context(self, facts: Facts) -> dict[str, Any]:
        incident, attributes = facts.incident, facts.incident.attributes
        page = f"{self._base_url}/{facts.slug}/incidents/INC-{incident.reference}"
        return {
            "organization": {"name": facts.organization_name},
            "recipient": {"name": facts.recipient.name, "address": facts.recipient.email, "is_list": facts.is_list},
            "incident": {
                "reference": f"INC-{incident.reference}",
                "title": attributes.title,
                "description": attributes.description,
                "description_html": to_html(attributes.description),
                "mode": incident.mode.value,
                "project": incident.project.name,
                "type": attributes.type.name,
                "severity": attributes.severity.name,
                "priority": attributes.priority.name,
                "status": {"name": incident.status.name},
                "reporter": {"name": facts.reporter.name},
                "commander": None if facts.commander is None else {"name": facts.commander.name},
                "tags": list(attributes.tags),
            },
            "evidence": [piece.model_dump(mode="json") for piece in facts.evidence],
            "resources": [{"name": _NAMES[kind], **incident.resources[kind].model_dump(mode="json")} for kind in ResourceKind],
            "links": {
                "incident": page,
                "why": f"{page}/why?individual={facts.recipient.id}",
                "not_relevant": f"{page}?tab=timeline#people",
            },
        }
