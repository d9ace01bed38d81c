"""What every error of the API must look like."""

import httpx

KEYS = {"type", "title", "status", "detail", "code", "request_id", "errors"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The problem document of a response, which must be whole and of this status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = response.json()
    assert set(found) == KEYS
    assert (found["status"], found["code"]) == (status, code), found
    assert found["request_id"] == response.headers["X-Request-ID"]
    assert found["title"]
    assert found["detail"]
    return found


def fields(found: dict[str, object]) -> set[str]:
    """The fields a problem complains of."""
    errors = found["errors"]
    assert isinstance(errors, list)
    assert all(set(error) == {"field", "code", "message"} for error in errors)
    return {error["field"] for error in errors}
