"""The API's documentation: Swagger UI over our own OpenAPI document, from our own origin."""

from typing import Final

from fastapi import APIRouter, Response

from services.web.render import render

router = APIRouter(include_in_schema=False)

# Swagger UI writes styles into its elements and draws its icons from data: addresses.
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/api/docs")
async def api_docs() -> Response:
    """Every route, with what it takes and answers."""
    answer = render("pages/api_docs.html", {})
    answer.headers["Content-Security-Policy"] = CSP
    return answer
