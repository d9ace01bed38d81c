"""The budget: what is short can be read."""

import ast

from tests.architecture.sources import PRODUCT, ROOT, modules, name_of, sources, tree

LINES = 400
TEST_LINES = 600
FUNCTION_LINES = 60
GENERATED = ROOT / "services" / "store" / "migrations" / "versions"


def test_no_file_is_longer_than_its_budget() -> None:
    files = [*((path, LINES) for path in sources(*PRODUCT, "bin")), *((path, TEST_LINES) for path in sources("tests"))]
    files.append((ROOT / "bin" / "setup", LINES))
    # A migration is a list of tables as Alembic writes it, and never changes again.
    counted = ((path, len(path.read_text().splitlines()), budget) for path, budget in files if path.parent != GENERATED)
    assert {name_of(path): lines for path, lines, budget in counted if lines > budget} == {}


def test_no_function_is_longer_than_its_budget() -> None:
    too_long: dict[str, int] = {}
    for path in modules(*PRODUCT, "tests"):
        if path.parent == GENERATED:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    too_long[f"{name_of(path)}: {node.name}"] = lines
    assert too_long == {}


def test_nothing_is_left_to_do_in_a_comment() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    found = [name_of(path) for path in sources(*PRODUCT, "tests", "bin") if any(mark in path.read_text() for mark in marks)]
    assert found == []
