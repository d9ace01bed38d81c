"""Errors as problem documents (RFC 9457). The tree:

    MusterError                 status  meaning
    ├── Pending                 202     passed on; whether it is done is not known yet
    ├── BadRequest              400     malformed
    ├── NotSignedIn             401
    ├── Forbidden               403     seen but not allowed
    ├── NotFound                404     unknown, or not yours to know
    ├── Conflict                409     the state refuses; the code names the rule
    ├── VersionConflict         412     If-Match does not hold
    ├── TooLarge                413
    ├── Invalid                 422     a field's value
    ├── TooMany                 429     of something at once
    └── Unavailable             503     a dependency is down, and nothing is known to be done

Each has a stable ``code`` and a ``detail`` that says what to do.
"""

from typing import ClassVar

from pydantic import BaseModel


class FieldError(BaseModel):
    """What is wrong with one field. ``field`` is a path like ``terms.2``."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """A problem document (RFC 9457, section 3)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] = []


class MusterError(Exception):
    """The root of the tree."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, code: str, errors: list[FieldError] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.errors = errors or []


class Pending(MusterError):
    """No answer in time: asking again with the same Idempotency-Key is safe, and tells."""

    status, title = 202, "Passed on, not confirmed yet"


class BadRequest(MusterError):
    """The request cannot be read."""

    status, title = 400, "Bad request"


class NotSignedIn(MusterError):
    """No credential, or one that does not hold."""

    status, title = 401, "Not signed in"

    def __init__(
        self, detail: str = "Sign in, or send a token: Authorization: Bearer TOKEN.", code: str = "not_signed_in"
    ) -> None:
        super().__init__(detail, code)


class Forbidden(MusterError):
    """What one may see but not do."""

    status, title = 403, "Not allowed"


class NotFound(MusterError):
    """Unknown, or not yours to know: both look the same."""

    status, title = 404, "Not found"

    def __init__(self, what: str = "page") -> None:
        super().__init__(f"There is no such {what} here.", "not_found")


class Conflict(MusterError):
    """The present state refuses."""

    status, title = 409, "Not possible now"


class VersionConflict(MusterError):
    """Someone changed it meanwhile."""

    status, title = 412, "Changed meanwhile"

    def __init__(self) -> None:
        super().__init__("Someone changed this meanwhile. Read it again, then repeat your change.", "version_conflict")


class TooLarge(MusterError):
    """More than is accepted at once."""

    status, title = 413, "Too large"


class Invalid(MusterError):
    """A field's value is not acceptable."""

    status, title = 422, "Not valid"

    def __init__(self, detail: str, code: str = "invalid", errors: list[FieldError] | None = None) -> None:
        super().__init__(detail, code, errors)

    @classmethod
    def of(cls, field: str, code: str, message: str) -> "Invalid":
        """One field that is wrong."""
        return cls(message, code, [FieldError(field=field, code=code, message=message)])


class TooMany(MusterError):
    """More of something than one account may have at once, or too soon. ``retry_after`` is in seconds."""

    status, title = 429, "Too many"

    def __init__(self, detail: str, code: str, retry_after: int = 30) -> None:
        super().__init__(detail, code)
        self.retry_after = retry_after


class Unavailable(MusterError):
    """A dependency is down."""

    status, title = 503, "Not available now"
