"""The documents state what there is, and lead to what exists."""

import re
from pathlib import Path
from typing import get_args

import pytest

from services.app import NAMES
from tests.docs.facts import BEGIN, END, OPERATIONS, ROOT, commands, settings_table
from tests.docs.permissions import PERMISSIONS, with_tables
from tests.features import states
from workflows.domain.events import Body

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
KINDS = {body.model_fields["kind"].default: body for body in get_args(get_args(Body)[0])}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_setting_is_stated_as_it_is() -> None:
    table = OPERATIONS.read_text().partition(BEGIN)[2].partition(END)[0]
    assert table == settings_table(), "run python -m tests.docs.facts"


@pytest.mark.feature("O4")
def test_the_tables_of_permissions_are_the_policy() -> None:
    document = PERMISSIONS.read_text()
    assert document == with_tables(document), "run python -m tests.docs.permissions"


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_is_explained(command: str) -> None:
    assert re.search(rf"^\| `{command}[ `]", OPERATIONS.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_named_where_services_are_run(name: str) -> None:
    assert f"`{name}`" in OPERATIONS.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_is_explained_with_all_its_fields(kind: str) -> None:
    row = re.search(rf"^\| `{kind}` \|.*$", (ROOT / "docs" / "events.md").read_text(), re.MULTILINE)
    assert row is not None
    assert {field for field in KINDS[kind].model_fields if f"`{field}`" not in row[0]} <= {"kind"}


def test_no_event_is_explained_that_does_not_exist() -> None:
    table = (ROOT / "docs" / "events.md").read_text().partition("| Kind |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(KINDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    text = _without_code(document.read_text())
    links = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|srcset)="([^"]+)"', text)]
    for link in links:
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_that_are_named_exist(document: Path) -> None:
    text = document.read_text()
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= TARGETS
    known = set(commands())
    for named in re.findall(r"(?:`|bin/|^|exec \w+ )muster ((?:(?:db|org) )?[a-z-]+)", text, re.MULTILINE):
        assert f"muster {named}" in known or named == "drill", named
    for module in re.findall(r"python -m (tests[\w.]*|services[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_every_capability_has_its_state() -> None:
    counts = {"R": 7, "E": 10, "N": 10, "L": 12, "C": 12, "O": 6, "I": 5}
    assert set(states()) == {f"{group}{number}" for group, count in counts.items() for number in range(1, count + 1)}


def test_decisions_are_numbered_and_written_the_same_way() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    for number, decision in enumerate(decisions, start=1):
        assert decision.name.startswith(f"{number:04}-")
        text = decision.read_text()
        assert text.startswith(f"# {number}. ")
        parts = [text.find(part) for part in ("**Context.**", "**Decision.**", "**Consequences.**", "\n> ")]
        assert -1 not in parts
        assert parts == sorted(parts)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _without_code(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)
