"""Ids: UUIDv7 (RFC 9562) as strings, so that they sort by the time they were made."""

import uuid

import uuid_utils

_COMMANDS = uuid.UUID("5d1c1f5a-4a0e-4b8e-9c5b-1f0d6b1f7a11")


def new_id() -> str:
    """A fresh id."""
    return str(uuid_utils.uuid7())


def command_id(organization: str, actor: str, key: str) -> str:
    """The command id that an Idempotency-Key stands for: the same for the same actor and key, unguessable across actors."""
    return str(uuid.uuid5(_COMMANDS, f"{organization}\n{actor}\n{key}"))


def is_id(text: str) -> bool:
    """Whether a text is an id in its canonical form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
