"""Every route there is, and how each is called: for the tests that call all of them (O1, O4).

Whoever adds a route, a parameter or a field learns from a failing test what has to be said here.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from services.app import Muster, create_app
from services.kit.routing import Scoped
from tests.support.running import PATIENCE

API = "/api/v1/{org}"
HERE = "tests/accounts/every_route.py"
PLACEHOLDER = re.compile(r"{(\w+)}")
DEFAULTS = {"type": "{type}", "severity": "{severity}", "priority": "{priority}"}
CONTACT = {"name": "Cleo {new}", "email": "{new}@example.org", "terms": "disk {new}"}
OIDC = {"name": "Corporate", "client_id": "muster", "issuer": "http://127.0.0.1:1", "client_secret": "kept"}
REPORT = {
    "title": "The disk is full",
    "description": "Look {new}",
    "project": "{project}",
    **DEFAULTS,
    "commander": "{participant}",
}
WHEN = {
    "all": [
        {"attribute": "type", "operator": "is", "values": ["{type}"]},
        {"attribute": "severity", "operator": "at_least", "values": ["{severity}"]},
        {
            "any": [
                {"attribute": "priority", "operator": "at_most", "values": ["{priority}"]},
                {"attribute": "project", "operator": "is_not", "values": ["{project}"]},
                {"attribute": "tag", "operator": "is", "values": ["disk {new}"]},
            ]
        },
    ]
}
ENGAGE = [{"individual": "{participant}"}, {"team": "{team}"}, {"oncall": "{service}"}]
RULE = {"name": "Rule {new}", "when": WHEN, "engage": ENGAGE, "role": "responder"}
RULE_FORM = {
    **{"name": "Rule {new}", "enabled": "true", "role": "responder", "n0_quantifier": "all"},
    **{f"n{n}_in": "0" for n in (1, 2, 3, 4)},
    **{"n1_attribute": "type", "n1_operator": "is", "n1_values": "{type}"},
    **{"n2_attribute": "severity", "n2_operator": "at_least", "n2_values": "{severity}"},
    **{"n3_attribute": "priority", "n3_operator": "at_most", "n3_values": "{priority}"},
    **{"n4_attribute": "project", "n4_operator": "is", "n4_values": "{project}"},
}
POLICY = {"name": "Policy {new}", "when": WHEN, "role": "commander", "enabled": False}
POLICY_FORM = {name: value for name, value in RULE_FORM.items() if name != "enabled"} | {
    **{"name": "Policy {new}", "role": "commander", "kind": "oncall", "oncall": "{service}"}
}
LAYER = {"name": "Nights", "time_zone": "Europe/Berlin", "starts_at": "2026-01-05T21:00"}
ROTATION = {"layers": [LAYER | {"every": {"days": 1}, "members": ["{participant}"]}]}
OVERRIDE = {"individual": "{participant}", "from": "2098-03-01T09:00:00Z", "until": "2098-03-02T09:00:00Z"}
TEAM_FORM = {"name": "Team {new}", "notify": "members", "list_address": "", "active": "true", "terms": "disk {new}"}
SERVICE_FORM = {"name": "Service {new}", "active": "true", "terms": "disk {new}"}
TRIED = {"title": "The disk is full", "description": "Look {new}", **DEFAULTS, "tags": ["disk"]}

BODIES: dict[str, dict[str, Any]] = {
    "PATCH /me": {
        "name": "Olive Owner",
        "preferences": {"time_zone": "Europe/Berlin", "chat_identity": "@olive", "quiet_from": None, "quiet_until": None},
    },
    "POST /projects": {"name": "Project {new}", "defaults": DEFAULTS},
    "PATCH /projects/{project}": {"name": "Project {new}", "defaults": DEFAULTS},
    "PATCH /settings": {"storm_limit": 60},
    "POST /members": {"name": "Nia {new}", "email": "{new}@example.org", "projects": ["{project}"]},
    "PATCH /members/{account}": {"role": "admin"},
    "POST /tokens": {"name": "token {new}", "scopes": ["read"], "expires_at": None},
    "PATCH /tokens/{token}": {"name": "token {new}"},
    "PUT /sign-in-provider": OIDC,
    "POST /incidents": {**REPORT, "tags": ["disk"], "occurred_at": None},
    "PATCH /incidents/{incident}": {"title": "Look {new}", "description": "Now {new}", **DEFAULTS, "tags": ["disk"]},
    "POST /individuals": CONTACT | {"terms": ["disk {new}"], "addresses": ["{new}@home.example.org"]},
    "PATCH /individuals/{individual}": {
        **{"name": "Cleo {new}", "email": "{new}@example.org", "addresses": ["{new}@home.example.org"]}
    },
    "PUT /individuals/{individual}/terms": {"terms": ["disk {new}"]},
    "POST /teams": {
        **{"name": "Team {new}", "members": ["{participant}"], "terms": ["disk {new}"]},
        **{"notify": "list", "list_address": "list-{new}@example.org"},
    },
    "PATCH /teams/{team}": {"name": "Team {new}", "members": ["{participant}"], "list_address": "list-{new}@example.org"},
    "PUT /teams/{team}/terms": {"terms": ["disk {new}"]},
    "POST /oncall-services": {"name": "Service {new}", "rotation": ROTATION, "terms": ["disk {new}"]},
    "PATCH /oncall-services/{service}": {"name": "Service {new}", "rotation": ROTATION},
    "PUT /oncall-services/{service}/terms": {"terms": ["disk {new}"]},
    "POST /oncall-services/{service}/overrides": OVERRIDE,
    "POST /engagement-rules": RULE,
    "PATCH /engagement-rules/{rule}": RULE,
    "POST /role-policies of a person": POLICY | {"assignee": {"individual": "{participant}"}},
    "POST /role-policies of a service": POLICY | {"assignee": {"oncall": "{service}"}},
    "PATCH /role-policies/{policy} of a person": POLICY | {"assignee": {"individual": "{participant}"}, "rank": 2},
    "PATCH /role-policies/{policy} of a service": POLICY | {"assignee": {"oncall": "{service}"}, "rank": 2, "order": None},
    "POST /incident-roles": {"name": "Role {new}", "description": "It writes {new}"},
    "PATCH /incident-roles/{role}": {"description": "It writes {new}", "active": True},
    "POST /engagement/preview of terms": {"terms": ["disk {new}"], "days": 30},
    "POST /engagement/preview of a rule": {"rule": RULE},
    "POST /engagement/preview of an edit": {"incident": "{incident}", "changes": TRIED},
    "POST /engagement/preview of a report": TRIED | {"project": "{project}"},
    "POST /incidents/{incident}/engagement-answer": {"bring_in": ["{participant}"], "version": 1},
    "POST /incidents/{incident}/participants": {"individual": "{participant}"},
    "POST /incidents/{incident}/leave": {"reason": "lunch"},
    "POST /incidents/{incident}/not-relevant": {"reason": "not mine"},
    "POST /incidents/{incident}/transitions": {"to": "{status}", "reason": "because", "into": "{incident}"},
    "PUT /incidents/{incident}/commander": {"individual": "{participant}", "note": "yours {new}"},
    "POST /incidents/{incident}/timeline": {"text": "a note {new}"},
    "POST /incidents/{incident}/messages": {"text": "hello {new}"},
    "POST /sign-in": {"link": "nonsense"},
    "POST /{org}/sign-in": {"email": "nobody@example.org", "password": "wrong"},
    "POST /{org}/forgot-password": {"email": "nobody@example.org"},
    "POST /{org}/invitation": {"secret": "nonsense", "password": "seven quiet herons wait"},
    "POST /{org}/reset-password": {"secret": "nonsense", "password": "seven quiet herons wait"},
    "POST /{org}/sign-out": {},
    "POST /{org}/settings/sign-in": OIDC | {"version": ""},
    "POST /{org}/settings/sign-in/remove": {},
    "POST /{org}/settings/tokens": {"name": "token {new}", "kind": "personal", "expires_in": "30", "scope_read": "true"},
    "POST /{org}/settings/tokens/{token}": {"name": "token {new}"},
    "POST /{org}/settings/tokens/{token}/revoke": {},
    "POST /{org}/settings/members": {"name": "Nia {new}", "email": "{new}@example.org", "role": "member"},
    "POST /{org}/settings/members/{account}": {"role": "admin"},
    "POST /{org}/settings/members/{account}/deactivate": {"understood": "true"},
    "POST /{org}/settings/engagement/rules/{rule}/delete": {"understood": "true"},
    "POST /{org}/settings/engagement/roles/policies/{policy}/delete": {"understood": "true"},
    "POST /{org}/settings/engagement/storm-guard": {"storm_limit": "60"},
    "POST /{org}/settings/projects": {"name": "Project {new}", "self_join": "true", **DEFAULTS},
    "POST /{org}/settings/projects/{project}": {"name": "Project {new}", "self_join": "true", **DEFAULTS},
    "POST /{org}/settings/projects/{project}/members": {"person": "{person}"},
    "POST /{org}/settings/organizations/new": {"slug": "{new}", "name": "Another {new}"},
    "POST /{org}/preferences": {"name": "Olive Owner", "theme": "system", "time_zone": "Europe/Berlin", "channel": "email"},
    "POST /{org}/preferences/theme": {"theme": "dark"},
    "POST /{org}/preferences/password": {"old_password": "wrong", "password": "seven quiet herons wait"},
    "POST /{org}/preferences/sessions/end": {"session": "{session}"},
    "POST /{org}/incidents/report": {**REPORT, "tags": "disk"},
    "POST /{org}/incidents/{incident}/edit": {**DEFAULTS, **{f"was_{each}": f"{{was_{each}}}" for each in DEFAULTS}},
    "POST /{org}/incidents/{incident}/edit/preview": {**DEFAULTS, **{f"was_{each}": f"{{was_{each}}}" for each in DEFAULTS}},
    "POST /{org}/incidents/{incident}/engagement-answer": {"bring_in": "all", "version": "1"},
    "POST /{org}/incidents/{incident}/transitions": {"to": "{status}"},
    "POST /{org}/incidents/{incident}/timeline": {"text": "a note {new}"},
    "POST /{org}/incidents/{incident}/messages": {"text": "hello {new}"},
    "POST /{org}/incidents/{incident}/commander": {"individual": "{participant}"},
    "POST /{org}/incidents/{incident}/participants": {"individual": "{participant}"},
    "POST /{org}/contacts/individuals": CONTACT,
    "POST /{org}/contacts/individuals/{individual}": CONTACT | {"active": "true", "version": "1"},
    "POST /{org}/contacts/individuals/{individual}/try": CONTACT | {"active": "true", "version": "1"},
    "POST /{org}/contacts/teams": {"name": "Team {new}", "members": "{participant}", "terms": "disk {new}"},
    "POST /{org}/contacts/teams/{team}": TEAM_FORM,
    "POST /{org}/contacts/teams/{team}/try": TEAM_FORM,
    "POST /{org}/contacts/teams/{team}/members": {"individual": "{participant}"},
    "POST /{org}/contacts/teams/{team}/members/remove": {"member": "{participant}"},
    "POST /{org}/contacts/on-call": {"name": "Service {new}", "terms": "disk {new}"},
    "POST /{org}/contacts/on-call/{service}/edit": SERVICE_FORM,
    "POST /{org}/contacts/on-call/{service}/edit/try": SERVICE_FORM,
    "POST /{org}/contacts/on-call/{service}/overrides": {
        **{"individual": "{participant}", "time_zone": "Europe/Berlin"},
        **{"from": "2098-03-01T09:00", "until": "2098-03-02T09:00"},
    },
    "POST /{org}/contacts/on-call/{service}/overrides/remove": {"override": "{override}"},
    "POST /{org}/contacts/on-call/{service}/layers/{layer}": {
        **{"members": "{participant}", "number": "1", "unit": "weeks", "only": "Mon-Fri 09:00-17:00"},
        **LAYER,
        "version": "{service_version}",
    },
    "POST /{org}/contacts/on-call/{service}/layers/{layer}/remove": {"version": "{service_version}"},
    "POST /{org}/settings/engagement/rules/{rule}": {
        **RULE_FORM,
        **{"target": ["team:{team}", "oncall:{service}", "individual:{participant}"]},
    },
    "POST /{org}/settings/engagement/rules/{rule}/draft": RULE_FORM | {"do": "try"},
    "POST /{org}/settings/engagement/roles": {"name": "Role {new}", "description": "It writes {new}"},
    "POST /{org}/settings/engagement/roles/{role}": {"description": "It writes {new}"},
    "POST /{org}/settings/engagement/roles/policies/{policy}": POLICY_FORM,
    "POST /{org}/settings/engagement/roles/policies/{policy}/draft": {"name": "Policy {new}", "do": "condition:0"},
    "POST /{org}/settings/engagement/roles/policies/{policy}/move": {"rank": "1"},
    "POST /{org}/settings/engagement/roles/policies/{policy}/switch": {"on": "1"},
    "POST /{org}/incidents/{incident}/hand-over": {"successor": "{participant}", "note": "yours {new}"},
}
"""What each route that takes a body is sent: JSON to the API, a form to a page. Names in braces are things of an organization.

Where bodies of several shapes are taken, behind the address is what each is of: "POST /engagement/preview of a report".
"""

QUERIES: dict[str, dict[str, str]] = {
    "GET /incidents/{incident}/engagements/why": {"individual": "{participant}"},
    "GET /{org}/incidents/{incident}/why": {"individual": "{participant}"},
    "GET /{org}/incidents/{incident}/transitions": {"to": "merged"},
    "GET /{org}/contacts/suggestions": {"q": "ana"},
    "GET /sign-in": {"add": "true"},
}
"""What is asked in the address, where nothing is answered without."""

OTHERWISE: dict[str, dict[str, str]] = {
    "DELETE /incidents/{incident}/participants/{individual}": {"individual": "newcomer"},
    "POST /{org}/incidents/{incident}/participants/{individual}/remove": {"individual": "newcomer"},
    "POST /members/{account}/invitation": {"account": "invited"},
    "POST /{org}/settings/members/{account}/invitation": {"account": "invited"},
    "DELETE /teams/{team}": {"team": "spare_team"},
    "POST /{org}/contacts/teams/{team}/members/remove": {"team": "spare_team"},
    "DELETE /oncall-services/{service}": {"service": "spare_service"},
    "POST /{org}/contacts/on-call/{service}/layers/{layer}/remove": {"layer": "spare_layer"},
    "DELETE /engagement-rules/{rule}": {"rule": "spare_rule"},
    "POST /{org}/settings/engagement/rules/{rule}/delete": {"rule": "spare_rule"},
    "DELETE /role-policies/{policy}": {"policy": "spare_policy"},
    "POST /{org}/settings/engagement/roles/policies/{policy}/delete": {"policy": "spare_policy"},
    "DELETE /incident-roles/{role}": {"role": "spare_role"},
}
"""Where a parameter of an address means another thing than its name says."""

NO_BODY = frozenset(
    {"join", "leave", "not-relevant", "subscribe", "retry", "remove", "invitation", "password-reset"}
    | {"reactivate", "default", "delete", "members/{account}"}
)
"""How addresses end to which nothing is sent but the request itself."""


@dataclass(frozen=True)
class Way:
    """A way into Muster: a route of the API or a page, by one method."""

    method: str
    path: str
    needs_somebody: bool
    """Whether it asks for a credential at all."""
    shape: str = ""
    """Which of several bodies it is sent: " of a report"."""

    @property
    def name(self) -> str:
        """What tables call it: the organization's part of the API's address goes without saying."""
        return f"{self.method} {self.path.removeprefix(API)}{self.shape}"

    @property
    def is_api(self) -> bool:
        """Whether it is of the API, not a page."""
        return self.path.startswith(API)

    @property
    def is_explained(self) -> bool:
        """Whether it is said here what it is sent."""
        return self.method in {"GET", "DELETE"} or self.name in BODIES or self.path.endswith(tuple(NO_BODY))

    @property
    def things(self) -> dict[str, str]:
        """By its name, every thing of an organization that a good request names in its address, its query or its body."""
        other = OTHERWISE.get(self.name, {})
        named = PLACEHOLDER.findall(f"{self.path.replace('{org}', '')} {QUERIES.get(self.name, '')} {self._body()}")
        return {name: other.get(name, name) for name in named}

    def _body(self) -> dict[str, Any] | None:
        if self.method in {"GET", "DELETE"}:
            return None
        return BODIES.get(self.name)

    def call(self, slug: str, things: Mapping[str, str]) -> dict[str, Any]:
        """A good request, as httpx takes it: for an organization, about these things."""
        made = {"method": self.method, "url": PLACEHOLDER.sub(lambda found: {"org": slug, **things}[found[1]], self.path)}
        made |= {} if self.name not in QUERIES else {"params": filled(QUERIES[self.name], things)}
        body = self._body()
        return made | ({} if body is None else {"json" if self.is_api else "data": filled(body, things)})


def filled(template: Any, things: Mapping[str, str]) -> Any:
    """A template with things in the place of their names."""
    if isinstance(template, dict):
        return {name: filled(value, things) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, things) for value in template]
    return PLACEHOLDER.sub(lambda found: things[found[1]], template) if isinstance(template, str) else template


def described(muster: Muster) -> dict[str, Any]:
    """The API's own description."""
    return create_app(muster).openapi()


def every_way(muster: Muster) -> list[Way]:
    """Every way in there is; the API's are also those of its own description."""
    routes = [route for service in muster.services.values() for router in service.routers for route in router.routes]
    app = create_app(muster)
    outside = {route.path for route in app.routes if isinstance(route, APIRoute)}
    assert outside == {"/healthz", "/readyz"}, "A route outside the services' routers is found by no test of all routes."
    ways = []
    for route in routes:
        assert isinstance(route, APIRoute), f"{route} is no APIRoute: say here how it is called."
        for method in sorted(route.methods or ()):
            way = Way(method, route.path, isinstance(route, Scoped))
            shapes = [name.removeprefix(way.name) for name in BODIES if name.startswith(f"{way.name} of ")]
            ways += [replace(way, shape=shape) for shape in shapes or [""]]
    if unexplained := [way.name for way in ways if not way.is_explained]:
        pytest.fail(f"Say in BODIES of {HERE} what a good request holds, or in NO_BODY that it holds nothing: {unexplained}")
    paths = app.openapi()["paths"].items()
    named = {f"{method.upper()} {path}" for path, item in paths for method in item if method != "parameters"}
    assert named == {f"{way.method} {way.path}" for way in ways if way.is_api}
    return ways


def untried_fields(document: dict[str, Any], ways: list[Way]) -> list[str]:
    """Fields of the API's bodies that take any text, and thereby an id, and that ``BODIES`` leaves out."""
    schemas = document["components"]["schemas"]
    found = []
    for method, path in dict.fromkeys((way.method, way.path) for way in ways):
        names = [way.name for way in ways if (way.method, way.path) == (method, path)]
        sent: dict[str, Any] = {}
        for field, value in (each for name in names for each in BODIES.get(name, {}).items()):
            sent[field] = {**sent.get(field, {}), **value} if isinstance(value, dict) else value
        operation = document["paths"].get(path, {}).get(method.lower(), {})
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found += [f"{method} {path}: {field}" for field in _untried(content["schema"], sent, schemas)]
    return found


def _untried(schema: dict[str, Any], sent: Any, schemas: dict[str, Any]) -> list[str]:
    variants = [schemas[each["$ref"].rsplit("/", 1)[1]] if "$ref" in each else each for each in schema.get("anyOf", [schema])]
    found = []
    for variant in variants:
        for name, value in variant.get("properties", {}).items():
            kinds = [each for each in value.get("anyOf", [value]) if each.get("type") == "string" or "items" in each]
            text = any(not {"enum", "const"} & each.keys() and "$ref" not in each.get("items", {}) for each in kinds)
            if text and name not in sent:
                found.append(name)
            elif isinstance(sent.get(name), dict):
                found += [f"{name}.{inner}" for inner in _untried(value, sent[name], schemas)]
    return found


@asynccontextmanager
async def as_session(base_url: str, cookie: str, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is signed in with a session's secret, and sends what its pages would send with each form."""
    slug = cookie.rpartition("muster-")[2]
    async with httpx.AsyncClient(base_url=base_url, headers={"Accept": "text/html"}, cookies={cookie: secret}) as client:
        client.timeout = httpx.Timeout(PATIENCE)
        page = (await client.get(f"/{slug}/preferences")).text
        found = re.search(r'name="csrf_token" value="(\w+)"', page)
        assert found, page
        client.headers["X-CSRF-Token"] = found[1]
        yield client


def as_token(base_url: str, token: str | None) -> httpx.AsyncClient:
    """A program with a token, or with nothing."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=base_url, headers={"Accept": "text/html"} | headers, timeout=PATIENCE)


async def send(client: httpx.AsyncClient, call: Mapping[str, Any], **headers: str) -> httpx.Response:
    """The answer; of a stream, which does not end, only what it begins with."""
    async with client.stream(**call, headers=headers) as response:
        if not is_stream(response):
            await response.aread()
            return response
        async for line in response.aiter_lines():
            if line.startswith("event:"):
                break
        return response


def is_stream(answer: httpx.Response) -> bool:
    """Whether an answer goes on and on."""
    return str(answer.headers.get("content-type", "")).startswith("text/event-stream")
