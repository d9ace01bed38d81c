"""What import contracts cannot see: workflow code asks no clock, and only the gateway holds a Temporal client."""

import ast

from tests.architecture.sources import called, calls, modules, name_of, tree

CLOCKS = {"now", "today", "utcnow", "utcfromtimestamp", "fromtimestamp"}


def test_workflow_code_asks_no_clock_but_temporals() -> None:
    found = [
        f"{name_of(path)}:{call.lineno} {called(call)}"
        for path in modules("workflows")
        for call in calls(path)
        if called(call).rpartition(".")[2] in CLOCKS and called(call) != "workflow.now"
    ]
    assert found == []


def test_workflow_code_opens_no_file() -> None:
    assert [
        name_of(path) for path in modules("workflows") for call in calls(path) if called(call) in {"open", "print", "input"}
    ] == []


def test_only_the_gateway_and_the_edges_base_hold_a_client_of_temporal() -> None:
    holders = {
        name_of(path)
        for path in modules("services", "workflows")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module == "temporalio.client"
    }
    assert holders <= {"workflows/gateway.py", "services/app.py", "services/kit/temporal.py"}
