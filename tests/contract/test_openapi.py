"""The OpenAPI document is valid and complete, and Muster keeps to it (schemathesis)."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.support.running import Organization, RunningMuster

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 10
"""For each operation; the seed is fixed, so that a failure comes again."""
STREAM = "/api/v1/{org}/incidents/{incident}/stream"


def modes(operation: Any) -> list[GenerationMode]:
    """What keeps to the document, and what does not, where anything can."""
    takes = operation.body or operation.query or operation.headers
    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if takes else [GenerationMode.POSITIVE]


async def document(muster: RunningMuster, org: Organization) -> dict[str, Any]:
    found: dict[str, Any] = (await org.api.get(f"{muster.base_url}/api/v1/openapi.json")).json()
    return found


async def test_the_document_is_valid_and_says_what_each_route_is_for(muster: RunningMuster, org: Organization) -> None:
    found = await document(muster, org)
    schemathesis.openapi.from_dict(found).validate()
    assert found["openapi"].startswith("3.1")
    for path, item in found["paths"].items():
        assert path.startswith("/api/v1/{org}/")
        assert [parameter["name"] for parameter in item["parameters"]] == ["org"]
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            operation = item[method]
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
            problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}
            named = {part[1:-1] for part in path.split("/") if part.startswith("{")} - {"org"}
            assert {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"} == named


# Muster itself uses chance meanwhile, on another thread; hypothesis takes that for a fault of the strategies.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
async def test_muster_keeps_to_its_document(muster: RunningMuster, org: Organization) -> None:
    incident = await org.report("A contract", description="To be kept", tags=["schema"])
    found = await document(muster, org)
    schema = schemathesis.openapi.from_dict(found)
    operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    operations = [each for each in operations if each.path != STREAM]
    assert len(operations) > 30
    known = {"org": org.slug, "incident": incident["id"]}

    def check(operation: Any) -> None:
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes(operation)]))
        def conforms(case: Any) -> None:
            case.path_parameters.update({name: known[name] for name in known if name in case.path_parameters})
            headers = {"Authorization": f"Bearer {org.token}"}
            case.call_and_validate(base_url=muster.base_url, headers=headers, checks=CHECKS, timeout=30)

        conforms()

    failures = {}
    for operation in operations:
        try:
            await asyncio.to_thread(check, operation)
        except BaseExceptionGroup as error:
            failures[f"{operation.method.upper()} {operation.path}"] = str(error)[:2_000]
    assert not failures, "\n\n".join(f"{name}\n{error}" for name, error in failures.items())
