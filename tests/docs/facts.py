"""What the documents have to state, as the code has it.

`python -m tests.docs.facts` writes the table of settings into docs/operations.md.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

from pydantic_settings import BaseSettings
from typer import Typer

from services.cli import cli

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->"


def sections() -> list[type[BaseSettings]]:
    """Every section of the settings, by where it is declared."""
    for path in sorted((ROOT / "services").rglob("settings.py")):
        importlib.import_module(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
    return sorted(
        BaseSettings.__subclasses__(), key=lambda section: (section.__module__ != "services.kit.settings", section.__name__)
    )


def settings() -> Iterator[tuple[str, str, str]]:
    """Each setting's name, its default as people write it, and its description."""
    for section in sections():
        for name, field in section.model_fields.items():
            default = "" if field.default is None or field.default_factory else str(field.default)
            yield f"{section.model_config['env_prefix']}{name}".upper(), default, field.description or ""


def settings_names() -> set[str]:
    """The names of all settings."""
    return {name for name, _, _ in settings()}


def commands(group: Typer = cli, name: str = "muster") -> Iterator[str]:
    """Every command of the command line, as ``muster db upgrade``."""
    for command in group.registered_commands:
        callback = command.callback.__name__ if command.callback else ""
        yield f"{name} {command.name or callback.replace('_', '-')}"
    for child in group.registered_groups:
        assert child.typer_instance is not None
        yield from commands(child.typer_instance, f"{name} {child.name}")


def settings_table() -> str:
    """The table of settings, in Markdown."""
    lines = ["| Variable | Default | What it is |", "|---|---|---|"]
    for name, default, description in settings():
        lines.append(f"| `{name}` | {f'`{default}`' if default else ''} | {description} |")
    return "\n".join([*lines, ""])


def with_settings(document: str) -> str:
    """The document with the table as it should be."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + settings_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    OPERATIONS.write_text(with_settings(OPERATIONS.read_text()))
