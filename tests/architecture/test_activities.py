"""Every stub of the contracts has its implementation, under the same name, with the same types, on its service's queue."""

import ast
import importlib
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, workflow

from services.app import Muster, assemble
from services.kit.database import Database, sqlite_url
from services.kit.settings import Settings
from tests.architecture.sources import modules, name_of, tree
from workflows import gateway
from workflows.definitions.incident import IncidentWorkflow
from workflows.domain import commands

Activity = Callable[..., Any]


def definition(function: Activity) -> str | None:
    """The name a function has as an activity; None when it is none."""
    found = activity._Definition.from_callable(function) if callable(function) else None
    return None if found is None else found.name


def stubs() -> dict[str, tuple[str, Activity]]:
    """Every stub by its activity's name, with the service it is for."""
    found: dict[str, tuple[str, Activity]] = {}
    for path in modules("workflows/contracts"):
        module = importlib.import_module(name_of(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        for function in vars(module).values():
            if inspect.isfunction(function) and (name := definition(function)) is not None:
                found[name] = (path.stem, function)
    return found


STUBS = stubs()


@pytest.fixture(scope="module")
async def muster(tmp_path_factory: pytest.TempPathFactory) -> Muster:
    folder: Path = tmp_path_factory.mktemp("assembled")
    return await assemble(Settings(data_dir=folder), Database(sqlite_url(folder / "unused.db")))


@pytest.mark.parametrize("name", STUBS)
async def test_a_stub_has_its_implementation(name: str, muster: Muster) -> None:
    service, stub = STUBS[name]
    offered = {definition(function): function for function in muster.services[service].activities}
    assert name in offered
    assert name.startswith(f"{service}.")
    assert _types(offered[name]) == _types(stub)


async def test_no_activity_is_offered_without_a_stub(muster: Muster) -> None:
    offered = {definition(function) for service in muster.services.values() for function in service.activities}
    assert offered == set(STUBS)


async def test_a_service_with_activities_polls_the_queue_of_its_name(muster: Muster) -> None:
    assert all(service.task_queue == service.name for service in muster.services.values() if service.activities)


def test_activities_are_called_by_their_stubs_never_by_a_name() -> None:
    by_name = [
        f"{name_of(path)}:{node.lineno} {node.value}"
        for path in modules("services", "workflows")
        if path.parent.name != "contracts" and path.name != "activities.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value in STUBS
    ]
    assert by_name == []


def test_every_command_goes_to_an_update_that_takes_it() -> None:
    handlers = workflow._Definition.must_from_class(IncidentWorkflow).updates
    for command, update in gateway.UPDATES.items():
        handler = handlers[update]
        assert handler.arg_types == [getattr(commands, command)]
        assert handler.description
        assert handler.validator is not None
    assert set(handlers) == {*gateway.UPDATES.values(), "catch_up"}


def _types(function: Activity) -> list[Any]:
    hints = typing.get_type_hints(function)
    return [hints[name] for name in inspect.signature(function).parameters] + [hints["return"]]
