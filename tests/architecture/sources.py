"""The project's own sources, as the guards of the layout read them."""

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("services", "workflows")
SUFFIXES = {".py", ".js", ".css", ".html"}


def sources(*folders: str) -> list[Path]:
    """Every source file below these folders of the repository; what was fetched is not ours."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in SUFFIXES and "vendor" not in path.parts)


def modules(*folders: str) -> list[Path]:
    """Every Python module below these folders of the repository."""
    return [path for path in sources(*folders) if path.suffix == ".py"]


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax tree."""
    # A collection that runs while a tree is built can fail the building (python/cpython#106905, until 3.11.8).
    gc.disable()
    try:
        return ast.parse(path.read_text(), str(path))
    finally:
        gc.enable()


def name_of(path: Path) -> str:
    """A file as people name it."""
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[ast.Call]:
    """Every call in a module."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """What a call calls, as it is written: ``workflow.execute_activity``."""
    return ast.unparse(call.func)
