"""Who may do what: the one answer for web, chat, API and workers (O4, R7)."""

from enum import StrEnum

from workflows.domain.events import Visibility
from workflows.domain.model import Value


class Role(StrEnum):
    """What an account is in its organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Action(StrEnum):
    """What can be done with an incident, or in an organization."""

    SEE_INCIDENT = "see_incident"
    CHANGE_INCIDENT = "change_incident"
    SEE_OTHERS_MESSAGES = "see_others_messages"
    EDIT_CONTACTS = "edit_contacts"


class Subject(Value):
    """Who asks: the role of the account, and whether the person is in the incident in question."""

    role: Role
    participates: bool = False


def allowed(subject: Subject, action: Action, visibility: Visibility = Visibility.PUBLIC) -> bool:
    """Whether the subject may do this to an incident of this visibility (or, for the last two actions, in the organization)."""
    administers = subject.role in {Role.OWNER, Role.ADMIN}
    match action:
        case Action.SEE_INCIDENT | Action.CHANGE_INCIDENT:
            return visibility is Visibility.PUBLIC or subject.participates or administers
        case Action.SEE_OTHERS_MESSAGES | Action.EDIT_CONTACTS:
            return administers
