"""Who may do what: the one answer for web, chat, API and the workflows' commands (O4, R7).

Every rule stands here, and docs/permissions.md is written from it. A decision says three things: whether it is allowed, why
not, and whether the one who asks may know that the thing exists at all. What may not be known is answered as if it were not.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from workflows.domain.events import Mode, Visibility
from workflows.domain.model import Value


class Role(StrEnum):
    """What an account is in its organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Scope(StrEnum):
    """What an API token may be used for; never more than its account may do."""

    READ = "read"
    REPORT = "report"
    WRITE = "write"
    ADMIN = "admin"


class Action(StrEnum):
    """Everything that can be done, by what it is done to."""

    # an incident
    SEE = "see"
    EDIT = "edit"
    CHANGE_STATUS = "change_status"
    CHANGE_VISIBILITY = "change_visibility"
    ASSIGN_COMMANDER = "assign_commander"
    ADD_PARTICIPANT = "add_participant"
    REMOVE_PARTICIPANT = "remove_participant"
    JOIN = "join"
    LEAVE = "leave"
    SUBSCRIBE = "subscribe"
    POST = "post"
    ANSWER_ENGAGEMENT = "answer_engagement"
    RETRY = "retry"
    EXPORT = "export"
    # a contact
    EDIT_TERMS = "edit_terms"
    EDIT_CONTACT = "edit_contact"
    EDIT_ADDRESS = "edit_address"
    # a message of the built-in inbox
    READ_MESSAGE = "read_message"
    # an account
    MANAGE_ACCOUNT = "manage_account"
    # an API token
    MANAGE_TOKEN = "manage_token"  # noqa: S105  (an action, not a token)
    # the organization
    REPORT = "report"
    SEE_MEMBERS = "see_members"
    MANAGE_PROJECTS = "manage_projects"
    MANAGE_SETTINGS = "manage_settings"
    SEE_AUDIT = "see_audit"
    CREATE_ORGANIZATION = "create_organization"


class Subject(Value):
    """Who asks: an account, by its role."""

    role: Role

    @property
    def administers(self) -> bool:
        """Whether this is an administrator; an owner is one."""
        return self.role in {Role.OWNER, Role.ADMIN}


class Authority(Value):
    """With what someone comes who asks something of an incident: the account's role, and how its project stands to it.

    ``project_member``: the account is a member of it; ``self_join``: it lets people join its incidents by themselves.
    """

    role: Role
    project_member: bool
    self_join: bool


class Tie(StrEnum):
    """What someone has to do with an incident; the reporter of a report that nobody has opened yet is in it as well."""

    COMMANDER = "commander"
    PARTICIPANT = "participant"
    REPORTER = "reporter"
    NONE = "none"


class IncidentObject(Value):
    """An incident, as far as permissions go by it: also what ties the one who asks to it and to its project."""

    visibility: Visibility = Visibility.PUBLIC
    mode: Mode = Mode.STANDARD
    tie: Tie = Tie.NONE
    project_member: bool = False
    self_join: bool = True


class ContactObject(Value):
    """An individual; ``own``: it is the one who asks. ``role``: that of its account, if it has one."""

    own: bool = False
    role: Role | None = None


class MessageObject(Value):
    """A message of the inbox; ``own``: it is to the one who asks. ``opens``: its link signs in as an account of this role."""

    own: bool = False
    opens: Role | None = None


class AccountObject(Value):
    """An account: its role now and the one it shall have, whichever is higher."""

    role: Role = Role.MEMBER


class TokenObject(Value):
    """An API token; ``own``: it is the personal token of the one who asks. ``role``: that of a service token's account."""

    own: bool = False
    role: Role = Role.MEMBER


class OrganizationObject(Value):
    """The organization of the one who asks."""


Object = IncidentObject | ContactObject | MessageObject | AccountObject | TokenObject | OrganizationObject


class Decision(Value):
    """The answer. ``code`` and ``reason`` say why not; ``visible``: whether the object may be known to exist."""

    allowed: bool
    visible: bool = True
    code: str = ""
    reason: str = ""


NOT_ALLOWED: Final = frozenset({"not_in_incident", "not_commander", "self_join_off"})
"""The codes with which something is refused that may be known but not done to an incident."""
_YES: Final = Decision(allowed=True)
_UNKNOWN: Final = Decision(allowed=False, visible=False, code="not_found", reason="This is not for you to know.")


def decide(actor: Subject, action: Action, target: Object) -> Decision:
    """Whether ``actor`` may do ``action`` to ``target``, and if not, why.

    Raises:
        KeyError: the action is not one that is done to such an object: a mistake of the caller.
    """
    match target:
        case IncidentObject():
            return INCIDENT_RULES[action](actor, target)
        case ContactObject():
            return CONTACT_RULES[action](actor, target)
        case MessageObject():
            return MESSAGE_RULES[action](actor, target)
        case AccountObject():
            return ACCOUNT_RULES[action](actor, target)
        case TokenObject():
            return TOKEN_RULES[action](actor, target)
        case OrganizationObject():
            return ORGANIZATION_RULES[action](actor, target)


def grants(scopes: frozenset[Scope] | None, needed: Scope) -> Decision:
    """Whether what someone came with allows this much; None is a session, which allows whatever its account may."""
    if scopes is None or needed in scopes or (needed is Scope.REPORT and Scope.WRITE in scopes):
        return _YES
    return _no("scope_missing", f"This token was not given the scope “{needed}”. Make one that has it.")


def _no(code: str, reason: str) -> Decision:
    return Decision(allowed=False, code=code, reason=reason)


def _sees(actor: Subject, incident: IncidentObject) -> bool:
    return incident.visibility is Visibility.PUBLIC or incident.tie is not Tie.NONE or actor.administers


def _see(actor: Subject, incident: IncidentObject) -> Decision:
    return _YES if _sees(actor, incident) else _UNKNOWN


def _work(actor: Subject, incident: IncidentObject) -> Decision:
    """What those do who respond: participants, members of the project, administrators; everyone in an exercise."""
    if not _sees(actor, incident):
        return _UNKNOWN
    practice = incident.mode is Mode.PRACTICE
    if incident.tie is not Tie.NONE or incident.project_member or practice or actor.administers:
        return _YES
    return _no(
        "not_in_incident",
        "Only participants, members of the incident's project and administrators can do this. Ask one of them to add you.",
    )


def _restrict(actor: Subject, incident: IncidentObject) -> Decision:
    """Who restricts an incident, or opens it, still sees it afterwards."""
    if not _sees(actor, incident):
        return _UNKNOWN
    if incident.tie is not Tie.NONE or actor.administers:
        return _YES
    return _no("not_in_incident", "Only those who take part, and administrators, change who may see it. Join it first.")


def _join(actor: Subject, incident: IncidentObject) -> Decision:
    if not _sees(actor, incident):
        return _UNKNOWN
    if incident.self_join or incident.tie in {Tie.COMMANDER, Tie.PARTICIPANT}:
        return _YES
    return _no("self_join_off", "In this project nobody joins without being asked. Ask a participant to add you.")


def _answer(actor: Subject, incident: IncidentObject) -> Decision:
    if not _sees(actor, incident):
        return _UNKNOWN
    if incident.tie is Tie.COMMANDER or actor.administers:
        return _YES
    return _no("not_commander", "Only the commander and administrators answer whether all these people come in.")


def _edit_terms(actor: Subject, contact: ContactObject) -> Decision:
    if contact.own or actor.administers:
        return _YES
    return _no("contacts_not_yours", "Only administrators keep the contacts; you can change your own entry.")


def _edit_contact(actor: Subject, contact: ContactObject) -> Decision:
    """Its name."""
    if actor.administers and not contact.own and contact.role is not None and not _outranks(actor, contact.role):
        return _no("owners_only", "Only an owner can change an owner's contact.")
    return _edit_terms(actor, contact)


def _edit_address(actor: Subject, contact: ContactObject) -> Decision:
    """Its address, and whether it is active: who sets an address gets the mails that let somebody in as its account."""
    if not actor.administers:
        return _no("administrators_only", "Only administrators change addresses: mails to an address let people in.")
    return _edit_contact(actor, contact)


def _outranks(actor: Subject, role: Role) -> bool:
    return actor.role is Role.OWNER or (actor.administers and role is not Role.OWNER)


def _read_message(actor: Subject, message: MessageObject) -> Decision:
    others = actor.administers if message.opens is None else _outranks(actor, message.opens)
    return _YES if message.own or others else _UNKNOWN


def _manage_account(actor: Subject, account: AccountObject) -> Decision:
    if _outranks(actor, account.role):
        return _YES
    if actor.administers:
        return _no("owners_only", "Only an owner can do this to an owner, or make one.")
    return _no("administrators_only", "Only administrators manage members.")


def _manage_token(actor: Subject, token: TokenObject) -> Decision:
    return _YES if token.own or _outranks(actor, token.role) else _UNKNOWN


def _everyone(actor: Subject, organization: OrganizationObject) -> Decision:
    return _YES


def _administrators(actor: Subject, organization: OrganizationObject) -> Decision:
    return _YES if actor.administers else _no("administrators_only", "Only administrators can do this.")


def _owners(actor: Subject, organization: OrganizationObject) -> Decision:
    return _YES if actor.role is Role.OWNER else _no("owners_only", "Only an owner can do this.")


INCIDENT_RULES: Final[dict[Action, Callable[[Subject, IncidentObject], Decision]]] = {
    Action.SEE: _see,
    Action.EXPORT: _see,
    Action.JOIN: _join,
    Action.LEAVE: _see,
    Action.SUBSCRIBE: _see,
    Action.POST: _work,
    Action.EDIT: _work,
    Action.CHANGE_STATUS: _work,
    Action.CHANGE_VISIBILITY: _restrict,
    Action.ASSIGN_COMMANDER: _work,
    Action.ADD_PARTICIPANT: _work,
    Action.REMOVE_PARTICIPANT: _work,
    Action.ANSWER_ENGAGEMENT: _answer,
    Action.RETRY: _work,
}
CONTACT_RULES: Final[dict[Action, Callable[[Subject, ContactObject], Decision]]] = {
    Action.EDIT_TERMS: _edit_terms,
    Action.EDIT_CONTACT: _edit_contact,
    Action.EDIT_ADDRESS: _edit_address,
}
MESSAGE_RULES: Final[dict[Action, Callable[[Subject, MessageObject], Decision]]] = {Action.READ_MESSAGE: _read_message}
ACCOUNT_RULES: Final[dict[Action, Callable[[Subject, AccountObject], Decision]]] = {Action.MANAGE_ACCOUNT: _manage_account}
TOKEN_RULES: Final[dict[Action, Callable[[Subject, TokenObject], Decision]]] = {Action.MANAGE_TOKEN: _manage_token}
ORGANIZATION_RULES: Final[dict[Action, Callable[[Subject, OrganizationObject], Decision]]] = {
    Action.REPORT: _everyone,
    Action.SEE_MEMBERS: _everyone,
    Action.MANAGE_PROJECTS: _administrators,
    Action.MANAGE_SETTINGS: _administrators,
    Action.SEE_AUDIT: _administrators,
    Action.CREATE_ORGANIZATION: _owners,
}
