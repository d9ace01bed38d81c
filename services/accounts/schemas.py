"""What the accounts API shows."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, JsonValue, StringConstraints

from services.desk.lookup import Person
from services.kit.clock import Moment
from services.kit.preferences import Preferences, TimeZone
from services.kit.schemas import Body, Email, Name, Named
from workflows.domain.attributes import Choice
from workflows.domain.policy import Role, Scope

MAX_DAYS: Final = 366
"""The longest life of a token that expires."""
MAX_PROJECTS: Final = 100
"""Of how many projects somebody becomes a member at once."""
TokenName = Annotated[Name, StringConstraints(max_length=100)]


class OrganizationView(BaseModel):
    """An organization."""

    id: str
    slug: str
    name: str


class IndividualRef(BaseModel):
    """A person, as others refer to them."""

    id: str
    name: str


class AuditWho(BaseModel):
    """Whoever did something: an account, by its id and the name it had then."""

    id: str | None
    name: str


class AuditObject(BaseModel):
    """What something was done to."""

    id: str | None
    name: str


class Me(BaseModel):
    """Who is asking. ``scopes`` are those of the token, and None for a session, which is not limited."""

    account: str
    individual: IndividualRef
    email: str
    role: Role
    organization: OrganizationView
    scopes: list[Scope] | None
    preferences: Preferences
    version: int


class PreferenceChanges(Body, Preferences):
    """What is to change of preferences; what is not named stays."""

    time_zone: TimeZone | None = None


class MeChanges(Body):
    """What someone is to change about themselves."""

    name: Name | None = None
    preferences: PreferenceChanges | None = None


class SessionView(BaseModel):
    """A browser that is signed in, and the network address it did so from. ``current``: it is the one that asks."""

    id: str
    browser: str
    address: str
    created_at: datetime
    current: bool


class NewToken(Body):
    """An API token to make: of one's own account, or for a program, which gets an account of its own with this role.

    ``expires_in`` is in days, and ``expires_at`` a moment within a year; without either it holds until it is revoked.
    """

    name: TokenName
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    kind: Literal["personal", "service"] = "personal"
    role: Literal[Role.MEMBER, Role.ADMIN] = Role.MEMBER
    expires_in: Annotated[int, Field(strict=True, ge=1, le=MAX_DAYS)] | None = None
    expires_at: Moment | None = None


class TokenChanges(Body):
    """What is to change about a token."""

    name: TokenName


class TokenView(BaseModel):
    """An API token. ``hint`` is how its secret ends; ``role`` is its account's now; ``last_used_at`` is exact to the minute."""

    id: str
    name: str
    kind: Literal["personal", "service"]
    role: Role
    scopes: list[Scope]
    hint: str
    expires_at: datetime | None
    expired: bool
    last_used_at: datetime | None
    created_at: datetime
    created_by: IndividualRef
    version: int


class IssuedToken(TokenView):
    """A new token, with its secret: told once, in the first answer. A repeat of the request is answered with None instead."""

    secret: str | None


class AuditEntry(BaseModel):
    """One entry of the audit log. ``who.id`` is None for whoever was not signed in; ``text`` is the entry as a sentence."""

    id: str
    at: datetime
    who: AuditWho
    via: str
    address: str
    action: str
    object: AuditObject
    before: dict[str, JsonValue]
    after: dict[str, JsonValue]
    text: str


class NewMember(Body):
    """Somebody to invite. ``projects``, by id or name, are those they become a member of; None is the default project."""

    name: Name
    email: Email
    role: Role = Role.MEMBER
    projects: Annotated[list[Named], Field(max_length=MAX_PROJECTS)] | None = None


class MemberChanges(Body):
    """What is to change about an account."""

    role: Role | None = None
    active: bool | None = None


class MemberQuery(BaseModel):
    """Which accounts to list. The words of ``q`` begin words of the name and the address."""

    q: str | None = None
    role: Role | None = None
    active: bool | None = None
    project: str | None = None


class InvitationView(BaseModel):
    """What became of the last mail by which somebody was invited, as the ledger tells it.

    ``inbox_message`` is its id where it stays in the built-in inbox.
    """

    state: str
    provider: str | None
    reason: str | None
    intended_at: datetime
    inbox_message: str | None


class MemberView(BaseModel):
    """An account. ``projects`` is of how many it is a member.

    ``state`` is "invited" until the invitation is accepted, and ``invitation`` is told only then, to whoever may manage it.
    ``contact_active``: the contact is; without that nobody signs in either.
    """

    id: str
    individual: Person
    role: Role
    kind: Literal["person", "service"]
    active: bool
    contact_active: bool
    state: Literal["invited", "active", "deactivated"]
    invitation: InvitationView | None
    projects: int
    created_at: datetime
    version: int


class Commanded(BaseModel):
    """An open incident that somebody is the commander of."""

    reference: str
    title: str


class ProjectDefaults(Body):
    """What a report into a project has unless it says otherwise, by id or name; None is the organization's default."""

    type: Named | None = None
    severity: Named | None = None
    priority: Named | None = None


class NewProject(Body):
    """A project to make."""

    name: Name
    self_join: bool = True
    defaults: ProjectDefaults = ProjectDefaults()


class ProjectChanges(Body):
    """What is to change about a project. The default project is changed by making another one it."""

    name: Name | None = None
    is_default: Literal[True] | None = None
    self_join: bool | None = None
    defaults: ProjectDefaults | None = None


class DefaultsView(BaseModel):
    """What a report into a project has unless it says otherwise; None is the organization's default."""

    type: Choice | None
    severity: Choice | None
    priority: Choice | None


class ProjectView(BaseModel):
    """A project. ``members`` is how many accounts belong to it."""

    id: str
    name: str
    is_default: bool
    self_join: bool
    defaults: DefaultsView
    members: int
    version: int


class ProjectChoice(BaseModel):
    """A project to report into. ``has_defaults``: it has a type, severity or priority of its own."""

    id: str
    name: str
    is_default: bool
    has_defaults: bool


class SettingView(BaseModel):
    """An entry of one of the organization's lists."""

    id: str
    name: str
    rank: int
    is_default: bool


class Choices(BaseModel):
    """Everything a report picks from."""

    projects: list[ProjectChoice]
    types: list[SettingView]
    severities: list[SettingView]
    priorities: list[SettingView]


class ProviderView(BaseModel):
    """The organization's OpenID Connect provider. ``redirect_uri`` is what it must be told; its secret is never shown."""

    name: str
    issuer: str
    client_id: str
    admits: bool
    version: int
    redirect_uri: str
