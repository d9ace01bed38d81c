"""The import contracts of pyproject.toml hold, and each of them breaks when it should."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PRODUCT, ROOT

PLANTED = {
    "arrow": ("workflows/domain/model.py", "import services.kit.clock"),
    "services": ("services/notify/service.py", "import services.engagement.service"),
    "workflows": ("workflows/contracts/notify.py", "import workflows.definitions.incident"),
    "pure": ("workflows/definitions/mailbox.py", "import random"),
    "domain": ("workflows/domain/lifecycle.py", "import temporalio.workflow"),
    "sql": ("services/notify/api.py", "import sqlalchemy"),
    "providers": ("services/lifecycle/service.py", "import aiosmtplib"),
    "mail": ("services/chat/builtin.py", "import smtplib"),
}


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program, settings = Path(sys.executable).with_name("lint-imports"), ROOT / "pyproject.toml"
    command = [str(program), "--no-cache", "--config", str(settings), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for package in PRODUCT:
        shutil.copytree(
            ROOT / package, folder / package, ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")]
        )
    return folder


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_breaks_its_contract(contract: str, copy: Path) -> None:
    file, line = PLANTED[contract]
    before = (copy / file).read_text()
    (copy / file).write_text(f"{before}\n{line}\n")
    try:
        done = lint(copy, "--contract", contract)
    finally:
        (copy / file).write_text(before)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 kept, 1 broken" in done.stdout
