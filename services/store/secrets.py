"""Secrets that show who someone is. Whoever holds one has it from us; what is kept here is its hash."""

import hashlib
import secrets


def new_secret(kind: str) -> tuple[str, str]:
    """A new secret of a kind, as "token" or "invitation", and its hash."""
    secret = f"muster_{kind}_{secrets.token_urlsafe(32)}"
    return secret, digest(secret)


def digest(secret: str) -> str:
    """The hash by which a secret is found again."""
    # Secrets are 256 random bits, so a plain hash is as good as a slow one.
    return hashlib.sha256(secret.encode()).hexdigest()
