"""What the engagement API takes and shows."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from services.desk.lookup import Person, PersonText
from services.engagement.health import Health
from services.engagement.rotation import Rotation
from services.kit.clock import Moment
from services.kit.schemas import Body, Email, Name, Named
from workflows.domain.attributes import Choice, Text, Trimmed
from workflows.domain.engagement import Evidence
from workflows.domain.rules import TargetKind
from workflows.domain.text import MAX_PHRASE_WORDS, normalise

MAX_ADDRESSES: Final = 20
MAX_TEAM: Final = 1_000
MAX_TERMS: Final = 200
MAX_NORMALISED: Final = 400


def _phrase(text: str) -> str:
    words = normalise(text).split()
    if not words:
        raise ValueError("has no word in it")
    if len(words) > MAX_PHRASE_WORDS:
        raise ValueError(f"has {len(words)} words; a term or phrase has at most {MAX_PHRASE_WORDS}")
    # One character can stand for a whole word, so what was short enough to type can still be too long to keep.
    if len(" ".join(words)) > MAX_NORMALISED:
        raise ValueError(f"is longer than {MAX_NORMALISED} characters when written out")
    return text


TermText = Annotated[Trimmed, StringConstraints(max_length=200), AfterValidator(_phrase)]
Addresses = Annotated[list[Email], Field(max_length=MAX_ADDRESSES, fail_fast=True)]
Notify = Literal["members", "list"]
Members = Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=MAX_TEAM, fail_fast=True)]
"""The ids of a team's members."""
Terms = Annotated[list[TermText], Field(max_length=MAX_TERMS, fail_fast=True)]


class NewIndividual(Body):
    """Someone who can be engaged."""

    name: Name
    email: Email
    addresses: Addresses = Field(default_factory=list)
    terms: Terms = Field(default_factory=list)
    active: bool = True


class IndividualChanges(Body):
    """What is to change about an individual."""

    name: Name | None = None
    email: Email | None = None
    addresses: Addresses | None = None
    active: bool | None = None


class TermsBody(Body):
    """All the terms of an individual, a team or an on-call service, in place of the ones before."""

    terms: Terms


class TermView(BaseModel):
    """A term as it was typed."""

    id: str
    phrase: str
    version: int


class TermOwnerView(BaseModel):
    """Whose a term is: an individual's, a team's or an on-call service's."""

    kind: TargetKind
    id: str
    name: str


class TermRecord(TermView):
    """A term, and how it has done.

    ``matches`` are the incidents in which it occurred, ``not_relevant`` those of them in which somebody whom it engaged said so.
    ``health``: "noisy" when these are at least three and 30 % of its matches, "dead" without a match for 90 days.
    """

    owner: TermOwnerView
    matches: int
    not_relevant: int
    last_match_at: datetime | None
    health: Health


class IndividualView(BaseModel):
    """An individual. Mail goes to ``email``; ``addresses`` are those they have besides.

    ``terms`` are the phrases; ``term_details`` have their ids and versions, which evidence refers to. ``teams`` are by name.
    """

    id: str
    name: str
    email: str
    addresses: list[str]
    active: bool
    teams: list[Choice]
    terms: list[str]
    term_details: list[TermView]
    version: int


class NewTeam(Body):
    """People who are engaged together. With ``notify`` "list", the list at ``list_address`` is engaged in their place."""

    name: Name
    members: Members = Field(default_factory=list)
    notify: Notify = "members"
    list_address: Email | None = None
    terms: Terms = Field(default_factory=list)
    active: bool = True


class TeamChanges(Body):
    """What is to change about a team; ``members`` come in place of the ones before."""

    name: Name | None = None
    members: Members | None = None
    notify: Notify | None = None
    list_address: Email | None = None
    active: bool | None = None


class TeamMemberView(Person):
    """A member of a team; who is not active is not engaged with it."""

    active: bool


class TeamEntry(BaseModel):
    """A team, as lists show it."""

    id: str
    name: str
    notify: Notify
    list_address: str | None
    member_count: int
    active: bool
    terms: list[str]
    term_details: list[TermView]
    version: int


class TeamView(TeamEntry):
    """A team, with its members by name."""

    members: list[TeamMemberView]


class NewOnCallService(Body):
    """Something for which somebody is on call."""

    name: Name
    provider: Literal["rotation"] = "rotation"
    rotation: Rotation = Rotation()
    terms: Terms = Field(default_factory=list)
    active: bool = True


class OnCallServiceChanges(Body):
    """What is to change about an on-call service; the ``rotation`` comes whole."""

    name: Name | None = None
    rotation: Rotation | None = None
    active: bool | None = None


class OnCallPerson(Person):
    """Somebody who is on call; who is not active is not brought in, so an override should name somebody else."""

    active: bool


class ShiftView(BaseModel):
    """From when until when someone is on call, or nobody: by the layer of this name, or by this override."""

    from_: datetime = Field(serialization_alias="from")
    until: datetime
    individual: OnCallPerson | None
    layer: str | None
    override: str | None


class OnCallView(BaseModel):
    """Who is on call, and until when; None: for longer than ``HORIZON``. ``following`` is who comes then, if anybody.

    An override is told until it ends, also if the same person is on call after it.
    """

    individual: OnCallPerson | None
    until: datetime | None
    layer: str | None
    override: str | None
    following: OnCallPerson | None


class NewOverride(Body):
    """Someone (by id, address or name) who is on call for a while, whatever the rotation says."""

    individual: PersonText
    from_: Moment = Field(alias="from")
    until: Moment


class OverrideView(BaseModel):
    """An override."""

    id: str
    individual: Person
    from_: datetime = Field(serialization_alias="from")
    until: datetime


class OnCallServiceEntry(BaseModel):
    """An on-call service, as lists show it: with who is on call now; if that cannot be told now, ``unanswered`` says why."""

    id: str
    name: str
    provider: str
    active: bool
    on_call: OnCallPerson | None
    unanswered: str | None
    terms: list[str]
    term_details: list[TermView]
    version: int


class OnCallServiceView(OnCallServiceEntry):
    """An on-call service. ``people`` are those whom the rotation names; ``overrides`` are those that are not over."""

    rotation: Rotation
    people: list[Person]
    overrides: list[OverrideView]


class ParticipantView(BaseModel):
    """A person's participation, or that of a team's mailing list."""

    individual: Person
    is_list: bool
    roles: list[str]
    state: Literal["engaged", "joined", "left", "removed"]
    joined_at: datetime
    left_reason: str | None
    evidence: list[Evidence]


class EngagementView(BaseModel):
    """Why a person was engaged."""

    individual: Person
    state: Literal["engaged", "joined", "left", "removed"]
    at: datetime
    evidence: list[Evidence]


class AskedView(BaseModel):
    """A condition of a rule in words, what the incident had, and whether it held."""

    asked: str
    found: list[str]
    holds: bool


class RuleWhyView(BaseModel):
    """A rule, or a role policy, that is about a person, as it was judged.

    ``via`` is a team or an on-call service that can stand for them. If it holds, ``stood_for_them`` is whether that did then;
    None if it could not be told. If it did not, ``missed`` says whom it engages instead, in words that follow "it holds, but".
    """

    id: str
    version: int
    name: str
    sentence: str
    holds: bool
    via: str | None
    stood_for_them: bool | None
    missed: str | None
    conditions: list[AskedView]


class WhyView(BaseModel):
    """Why a person is, or is not, in an incident: in words, with the evidence or the terms that did not occur.

    ``at`` is when they were engaged, None if they never were; ``held_at`` when they were held back, if they were and have not
    come in. ``rules`` are those that engaged them, or had them held, as they were then; else those about them at the moment that
    was asked for. ``policies`` are the role policies about them: those that chose them, else those that were asked when the
    incident was reported. ``failures`` are the on-call services that cannot tell, and are still asked, with the reason.
    """

    individual: Person
    engaged: bool
    at: datetime | None
    held_at: datetime | None
    reason: str
    explanation: str
    evidence: list[Evidence]
    terms: list[str]
    rules: list[RuleWhyView]
    policies: list[RuleWhyView]
    failures: list[str]


class SubscriptionView(BaseModel):
    """Whether one follows an incident."""

    subscribed: bool


class NewParticipant(Body):
    """Someone to bring in."""

    individual: Named


class Going(Body):
    """Why someone goes."""

    reason: Annotated[Text, StringConstraints(max_length=1000)] | None = None
