"""What the OpenAPI document says of every operation beyond its route: how errors look, who may ask, what repeats safely."""

from typing import Any, Final

from fastapi import FastAPI
from pydantic import TypeAdapter

from services.kit.errors import Problem
from services.kit.routing import KEY_HEADER, MAX_KEY

PROBLEM_TYPE: Final = "application/problem+json"
"""The media type of every error (RFC 9457)."""
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "A problem: what is wrong, by its `code`, and what to do.",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
"""The responses that every operation shares."""

_ORGANIZATION: Final = {
    "name": "org",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The organization's name in URLs.",
}
_KEY: Final = {
    "name": KEY_HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
    "description": "Makes a repeat safe: the same key and body get the same answer.",
}


class DocumentedApp(FastAPI):
    """An application whose OpenAPI document is complete."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once, then kept."""
        made = self.openapi_schema is not None
        document = super().openapi()
        if not made:
            _complete(document)
        return document


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    problem = TypeAdapter(Problem).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    components.setdefault("schemas", {}).update(problem.pop("$defs"), Problem=problem)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for path, item in document["paths"].items():
        if "{org}" in path:
            item["parameters"] = [_ORGANIZATION]
        for method in {"post", "put", "patch", "delete"} & item.keys():
            item[method].setdefault("parameters", []).append(_KEY)
