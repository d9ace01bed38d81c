"""What one member can send or ask for does not keep the others waiting."""

import asyncio
import json
import uuid

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.app import assemble, create_app
from services.kit.database import POOL, Database
from services.kit.http import MAX_ERRORS
from services.kit.settings import Settings
from services.kit.temporal import Target
from tests.kit.problems import fields, problem
from tests.support.running import Organization

JSON = {"Content-Type": "application/json"}


@pytest.mark.feature("R2")
@pytest.mark.parametrize(
    "body",
    [
        {"title": "x"} | {f"a{n}": 1 for n in range(60_000)},
        {"title": "x", "tags": [""] * 200_000},
        {"title": "x"} | {"k" * 300 + str(n): 1 for n in range(99)},
    ],
)
async def test_a_body_with_very_many_faults_gets_a_short_answer(org: Organization, body: dict[str, object]) -> None:
    response = await org.api.post("/incidents", content=json.dumps(body), headers=JSON)
    assert len(fields(problem(response, 422, "invalid"))) <= MAX_ERRORS
    assert len(response.content) < 30_000


async def test_a_problem_says_how_many_faults_it_does_not_list(org: Organization) -> None:
    response = await org.api.post("/incidents", json={"title": "x"} | {f"a{n}": 1 for n in range(60)})
    assert "10 more" in str(problem(response, 422, "invalid")["detail"])


@pytest.mark.feature("L10")
async def test_as_many_readers_at_once_as_connections_are_all_answered(org: Organization) -> None:
    incident = (await org.report("Read by many"))["id"]
    readers = POOL["pool_size"] + POOL["max_overflow"]
    answers = await asyncio.gather(*(org.api.get(f"/incidents/{incident}/messages") for _ in range(readers)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    "error", [PoolTimeout("no connection"), OperationalError("BEGIN", None, Exception("database is locked"))]
)
async def test_a_busy_database_says_when_to_come_back(database: Database, error: Exception) -> None:
    app = create_app(await assemble(Settings(), database, Target("127.0.0.1:1")))

    async def busy() -> None:
        raise error

    app.add_api_route("/api/busy", busy)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://muster") as api:
        response = await api.get("/api/busy")
    problem(response, 503, "busy")
    assert response.headers["Retry-After"]


async def test_what_nobody_foresaw_is_answered_like_all_else(database: Database) -> None:
    app = create_app(await assemble(Settings(), database, Target("127.0.0.1:1")))

    async def broken() -> None:
        raise KeyError("a secret of the inside")

    app.add_api_route("/api/broken", broken)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://muster") as api:
        response = await api.get("/api/broken")
    body = problem(response, 500, "internal_error")
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert "default-src" in response.headers["Content-Security-Policy"]
    assert "secret" not in response.text


async def test_nul_is_refused_wherever_it_is(org: Organization) -> None:
    page = {"Accept": "text/html"}
    for path in ("?q=%00", "/deliveries?recipient=%00", "/contacts/individuals?q=%00", "?%00=1"):
        assert (await org.api.get(f"{org.base_url}/{org.slug}{path}", headers=page)).status_code == 422
    for path in ("/incidents/%00", "/individuals/a%00", "/incidents/INC-1%00/stream"):
        problem(await org.api.get(path), 404, "not_found")


async def test_ids_that_are_no_text_are_refused(org: Organization) -> None:
    incident = (await org.report("Ids"))["id"]
    for bad in (b'"\\ud800"', b'"\\u0000"', b'"' + b"x" * 900_000 + b'"'):
        body = b'{"individual": ' + bad + b"}"
        for method, path in (("PUT", "commander"), ("POST", "participants")):
            response = await org.api.request(method, f"/incidents/{incident}/{path}", content=body, headers=JSON)
            assert fields(problem(response, 422, "invalid")) == {"individual"}


@pytest.mark.feature("R2")
async def test_changes_by_other_methods_are_idempotent_too(org: Organization) -> None:
    incident = (await org.report("Once"))["id"]
    person = await org.individual("Ana")
    for method, path, body in (
        ("PATCH", f"/incidents/{incident}", {"title": "Twice"}),
        ("PATCH", f"/individuals/{person['id']}", {"name": "Ana B."}),
        ("PUT", f"/individuals/{person['id']}/terms", {"terms": ["disk"]}),
        ("DELETE", f"/individuals/{person['id']}", None),
    ):
        kept = await org.api.get(path.removesuffix("/terms"))
        headers = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": kept.headers["ETag"]}
        first = await org.api.request(method, path, json=body, headers=headers)
        again = await org.api.request(method, path, json=body, headers=headers)
        assert first.is_success, first.text
        assert (again.status_code, again.text) == (first.status_code, first.text)
        problem(await org.api.request(method, path, json={"other": 1}, headers=headers), 422, "idempotency_key_reused")
