"""The same names in every service, so that a newcomer guesses the path."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from services.app import NAMES
from tests.architecture.sources import PRODUCT, ROOT, called, calls, modules, name_of, tree

SERVICES = [name for name in NAMES if name != "web"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", ["api.py", "service.py", "repository.py", "schemas.py"])
def test_every_service_has_the_same_files(service: str, name: str) -> None:
    assert (ROOT / "services" / service / name).is_file()


def test_every_folder_of_the_code_is_a_package_that_says_what_it_is() -> None:
    for folder in {path.parent for path in modules(*PRODUCT)} - {ROOT / "services/store/migrations/versions"}:
        assert ast.get_docstring(tree(folder / "__init__.py")), name_of(folder)


def test_routes_are_declared_where_they_are_looked_for() -> None:
    assert _strays("APIRouter", lambda path: path.name == "api.py" or "web" in path.parts) == []


def test_activities_are_declared_where_they_are_looked_for() -> None:
    assert _strays("activity.defn", lambda path: path.name == "activities.py" or "contracts" in path.parts) == []


def test_workflows_are_declared_where_they_are_looked_for() -> None:
    assert _strays("workflow.defn", lambda path: "definitions" in path.parts) == []


def test_settings_are_declared_where_they_are_looked_for() -> None:
    classes = ((path, node) for path in modules(*PRODUCT) for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))
    found = {path for path, node in classes if any(ast.unparse(base) == "BaseSettings" for base in node.bases)}
    assert {name_of(path) for path in found if path.name != "settings.py"} == set()


def test_tables_are_declared_in_the_store() -> None:
    classes = ((path, node) for path in modules(*PRODUCT) for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef))
    found = {path for path, node in classes if any(ast.unparse(base) == "Base" for base in node.bases)}
    assert {name_of(path) for path in found if path.parent != ROOT / "services" / "store"} == set()


def test_nothing_is_called_shared_common_core_or_utils() -> None:
    names = {"shared", "common", "core", "util", "utils", "helpers", "misc"}
    assert [name_of(path) for path in modules(*PRODUCT) if names & {*path.relative_to(ROOT).with_suffix("").parts}] == []


def _strays(what: str, belongs: Callable[[Path], bool]) -> list[str]:
    return [
        name_of(path) for path in modules(*PRODUCT) if any(called(call) == what for call in calls(path)) and not belongs(path)
    ]
