"""The audit log in words (O5)."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pydantic import JsonValue

PHRASES: Final = {
    "account.bound": "proved to be {object} at the organization's provider",
    "account.renamed": "took the name {object}",
    "audit.exported": "exported the audit log",
    "contact.changed": "changed the contact {object}",
    "contact.created": "added the contact {object}",
    "incident_role.changed": "changed the role “{object}”",
    "incident_role.created": "made the role “{object}”",
    "invitation.accepted": "accepted the invitation",
    "member.admitted": "became a member by signing in at the organization's provider",
    "member.deactivated": "deactivated {object}",
    "member.invited": "invited {object} as {role}",
    "member.reactivated": "reactivated {object}",
    "member.role_changed": "gave {object} the role “{role}”",
    "oncall_service.changed": "changed the on-call service “{object}”",
    "oncall_service.created": "made the on-call service “{object}”",
    "oncall_service.override_added": "added an override to the on-call service “{object}”",
    "oncall_service.override_removed": "removed an override of the on-call service “{object}”",
    "organization.created": "made the organization {object}",
    "password.changed": "changed the password",
    "password.reset": "set a new password by mail",
    "password.reset_asked": "asked for a mail to set a new password for {object}",
    "project.changed": "changed the project {object}",
    "project.created": "made the project {object}",
    "project.deleted": "deleted the project {object}",
    "project.member_added": "added {object} to the project {project}",
    "project.member_removed": "removed {object} from the project {project}",
    "record.exported": "exported the record of {object}",
    "role_policy.changed": "changed the role policy “{object}”",
    "role_policy.created": "made the role policy “{object}”",
    "role_policy.deleted": "deleted the role policy “{object}”",
    "rule.changed": "changed the engagement rule “{object}”",
    "rule.created": "made the engagement rule “{object}”",
    "rule.deleted": "deleted the engagement rule “{object}”",
    "session.ended": "ended a session: {object}",
    "sessions.ended": "ended every other session",
    "settings.changed": "changed the settings of the organization",
    "sign_in": "signed in",
    "sign_in.refused": "tried to sign in and was refused",
    "sign_in.throttled": "failed so often that the next tries have to wait",
    "sign_in_link.issued": "issued a one-time sign-in link for {object}",
    "sign_in_provider.removed": "removed the sign-in provider {object}",
    "sign_in_provider.set": "set the sign-in provider {object}",
    "sign_out": "signed out",
    "team.changed": "changed the team “{object}”",
    "team.created": "made the team “{object}”",
    "token.created": "made the API token “{object}”",
    "token.renamed": "gave the API token “{object}” this name",
    "token.revoked": "revoked the API token “{object}”",
}
"""What each action is in a sentence that begins with who did it."""
ROLES: Final = {"owner": "Owner", "admin": "Administrator", "member": "Member"}
"""Each role as the pages call it."""


class Change(NamedTuple):
    """What changed, as it was and as it became; "" for what was not there."""

    what: str
    before: str
    after: str


def phrase(action: str, name: str, before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> str:
    """An action as the rest of a sentence; one that a later version recorded stands as its name."""
    told = {**before, **after}
    words = {"object": name or "—", "role": _said("role", told.get("role", "member")), "project": told.get("project") or "—"}
    return PHRASES.get(action, f"{action}: {{object}}").format_map(words)


def changes(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> list[Change]:
    """What changed, field by field, in words."""
    return [
        Change(what.replace("_", " "), _said(what, before.get(what)), _said(what, after.get(what)))
        for what in dict.fromkeys([*before, *after])
    ]


def _said(what: str, value: JsonValue) -> str:
    match value:
        case None | "" | []:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_said("", each) for each in value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case str() if what == "role":
            return ROLES.get(value, value)
        case str() if what.endswith("_at") or what in {"since", "from", "until"}:
            return f"{datetime.fromisoformat(value).astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    return str(value)
