"""One trace from the request to the delivery; logs that carry it, and no secret (I3)."""

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.kit.telemetry import continued, traceparent, tracing_wanted
from services.kit.temporal import Target
from tests.support.running import PATIENCE, Organization

WHOLE = {
    "relay start",
    "StartWorkflow:Incident",
    "RunWorkflow:Incident",
    "StartActivity:lifecycle.append_events",
    "RunActivity:lifecycle.append_events",
    "RunActivity:lifecycle.open_resource",
    "RunActivity:engagement.evaluate",
    "StartChildWorkflow:Notification",
    "RunWorkflow:Notification",
    "RunActivity:notify.plan",
    "RunActivity:notify.deliver",
}


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """Where this run's spans go, from the first test that asks on; a process has one tracer provider for ever."""
    made, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)
    return made


@pytest.mark.feature("I3")
async def test_one_trace_from_the_request_to_the_delivery(org: Organization, exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    await org.individual("Ana", "traced")
    incident = await org.report("Traced")
    await org.until(lambda: org.all_sent(incident["id"]))

    def spans() -> list[ReadableSpan]:
        every = exporter.get_finished_spans()
        (request,) = [span for span in every if span.name == "POST /api/v1/{org}/incidents"]
        assert request.context is not None
        return [span for span in every if span.context is not None and span.context.trace_id == request.context.trace_id]

    async def whole() -> bool:
        return {span.name for span in spans()} >= WHOLE

    await org.until(whole)
    known = {span.context.span_id for span in spans() if span.context}
    roots = [span for span in spans() if span.parent is None or span.parent.span_id not in known]
    assert [span.name for span in roots] == ["POST /api/v1/{org}/incidents"]
    others = {span.name for span in exporter.get_finished_spans()} & {"RunActivity:notify.deliver", "RunWorkflow:Incident"}
    assert others <= {span.name for span in spans()}


@pytest.mark.feature("I3")
async def test_what_is_asked_for_in_an_address_stays_out_of_traces(org: Organization, exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    async with httpx.AsyncClient(base_url=org.base_url) as browser:
        await browser.get("/sign-in", params={"link": "secret-of-a-link"})
        await browser.get(f"/{org.slug}/sign-in/callback", params={"code": "secret-of-a-code", "state": "secret-of-a-state"})

    async def both() -> bool:
        return {"GET /sign-in", "GET /{org}/sign-in/callback"} <= {span.name for span in exporter.get_finished_spans()}

    await org.until(both)
    assert not [span for span in exporter.get_finished_spans() if "secret-of" in span.to_json()]


@pytest.mark.feature("I3")
async def test_logs_of_a_story_are_json_without_secrets(namespace: Target, tmp_path: Path) -> None:
    assert namespace.address is not None
    assert namespace.namespace is not None
    program = [sys.executable, "-m", "tests.kit.serving", str(tmp_path), namespace.address, namespace.namespace]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=file, env=os.environ
        )
    assert process.stdin is not None
    assert process.stdout is not None
    about = json.loads(await process.stdout.readline())
    session = await story(about)
    process.stdin.close()
    assert await process.wait() == 0
    lines = log.read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert all(entry["event"] and entry["level"] and entry["timestamp"] for entry in entries)
    for secret in (about["token"], about["link"], session):
        assert secret
        assert not [line for line in lines if secret in line]


LOGGING = """
import logging
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from services.kit.telemetry import configure_logging

configure_logging("INFO")
trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("test").start_as_current_span("work") as span:
    structlog.get_logger("ours").warning("inside", incident="INC-1")
    logging.getLogger("theirs").warning("inside %s", "too", extra={"incident": "INC-2"})
    print(f"{span.get_span_context().trace_id:032x}")
structlog.get_logger("ours").info("outside")
structlog.get_logger("ours").debug("not wanted")
"""


@pytest.mark.feature("I3")
async def test_a_log_line_in_a_trace_carries_it() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOGGING, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, logged = await process.communicate()
    ours, theirs, outside = (json.loads(line) for line in logged.splitlines())
    assert ours["trace_id"] == theirs["trace_id"] == said.decode().strip()
    assert (ours["event"], ours["incident"], ours["level"]) == ("inside", "INC-1", "warning")
    assert (theirs["event"], theirs["incident"], theirs["logger"]) == ("inside too", "INC-2", "theirs")
    assert "trace_id" not in outside


async def story(about: dict[str, str]) -> str:
    """Report, be refused, and sign in; answers the secret of the session."""
    async with httpx.AsyncClient(base_url=about["url"], timeout=PATIENCE) as client:
        api = f"/api/v1/{about['org']}"
        token = {"Authorization": f"Bearer {about['token']}"}
        made = await client.post(f"{api}/incidents", json={"title": "Logged"}, headers=token)
        assert made.status_code == 201
        receipt = f"{api}/incidents/{made.json()['id']}/receipt"
        async with asyncio.timeout(PATIENCE):
            while (await client.get(receipt, headers=token)).json()["state"] != "ready":
                await asyncio.sleep(0.05)
        assert (await client.post(f"{api}/incidents", json={}, headers=token)).status_code == 422
        assert (await client.get(f"{api}/me", headers={"Authorization": f"Bearer {about['token']}x"})).status_code == 401
        await client.get("/sign-in", params={"link": about["link"]})
        await client.post("/sign-in", data={"link": about["link"]})
        return next(iter(client.cookies.values()))


@pytest.mark.feature("I3")
def test_a_trace_is_continued_from_the_outbox(exporter: InMemorySpanExporter) -> None:
    assert exporter is not None
    tracer = trace.get_tracer("test")
    with tracer.start_as_current_span("first") as first:
        parent = traceparent()
    with continued(parent), tracer.start_as_current_span("second") as second:
        assert second.get_span_context().trace_id == first.get_span_context().trace_id
    with continued(None), tracer.start_as_current_span("third") as third:
        assert third.get_span_context().trace_id != first.get_span_context().trace_id
    assert traceparent() is None


@pytest.mark.feature("I3")
@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_tracing_is_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], wanted: bool) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tracing_wanted() is wanted
