"""What can be known of the deployment's files without a container engine: that they name things which exist."""

import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.app import NAMES, Muster, assemble
from services.kit.database import Database, sqlite_url
from services.kit.settings import Settings
from services.web.assets import SCRIPTS
from tests.docs.facts import commands, settings_names

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ("compose.yaml", "compose.split.yaml")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def compose(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / name).read_text()))


def containers() -> list[Any]:
    return [pytest.param(file, name, id=f"{file}:{name}") for file in COMPOSE for name in compose(file)["services"]]


@pytest.mark.parametrize(("file", "name"), containers())
def test_a_container_refers_to_what_is_there(file: str, name: str) -> None:
    whole = compose(file)
    container = whole["services"][name]
    assert set(container.get("depends_on", ())) <= set(whole["services"])
    for volume in container.get("volumes", ()):
        source = volume.split(":")[0]
        assert (DEPLOY / source).exists() if source.startswith(".") else source in whole["volumes"]
    if "build" in container:
        build = container["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


@pytest.mark.parametrize(("file", "name"), containers())
def test_a_container_of_muster_runs_a_command_that_exists(file: str, name: str) -> None:
    container = compose(file)["services"][name]
    if container["image"] == "muster":
        command, *services = container["command"]
        assert f"muster {command}" in set(commands())
        assert set(services) <= set(NAMES)


def test_every_service_has_a_container_of_its_own() -> None:
    served = [
        container["command"] for container in compose("compose.split.yaml")["services"].values() if container["image"] == "muster"
    ]
    assert sorted(served) == sorted(["serve", name] for name in NAMES)


@pytest.mark.feature("O5")
def test_behind_the_proxy_the_addresses_are_those_of_people() -> None:
    for container in compose("compose.split.yaml")["services"].values():
        if container["image"] == "muster":
            # Every address is believed, so nobody but the proxy may get there.
            assert container["environment"]["FORWARDED_ALLOW_IPS"] == "*"
            assert "ports" not in container


@pytest.mark.parametrize("path", sorted(path for path in DEPLOY.rglob("*") if path.is_file()), ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"\bMUSTER_[A-Z_]+", path.read_text())) - {"MUSTER_SITE"}
    assert named <= settings_names()


def test_no_password_has_a_default() -> None:
    for file in COMPOSE:
        assert not re.search(r"\$\{\w*PASSWORD\w*(:?-|\})", (DEPLOY / file).read_text())


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in shlex.split(line)[:-1]:
            assert (ROOT / source).exists()
            assert not any(fnmatch(source.removeprefix("./"), pattern) for pattern in ignored)


def test_the_image_has_every_script_of_the_pages(tmp_path: Path) -> None:
    for module in ("services/__init__.py", "services/web/__init__.py", "services/web/assets.py"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / module, tmp_path / module)
    for script in SCRIPTS:
        (tmp_path / "node_modules" / script).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "node_modules" / script).write_text(script)
    program = re.search(r'RUN python -c "(.+)"', DOCKERFILE)
    assert program is not None
    subprocess.run([sys.executable, "-c", program[1]], cwd=tmp_path, check=True)
    copied = {path.name for path in (tmp_path / "services/web/static/vendor").iterdir()}
    assert copied == {Path(script).name for script in SCRIPTS}


def test_stages_are_made_before_they_are_used() -> None:
    made: set[str] = set()
    for line in DOCKERFILE.splitlines():
        if (used := re.match(r"COPY --from=(\S+)", line)) and "/" not in used[1]:
            assert used[1] in made
        if stage := re.match(r"FROM \S+ AS (\w+)", line):
            made.add(stage[1])


def test_the_image_is_locked_and_runs_as_nobody_special() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER \d+$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    syncs = re.findall(r"uv sync (.*)", DOCKERFILE)
    assert syncs
    assert all("--locked" in sync and "--no-default-groups" in sync for sync in syncs)


@pytest.mark.parametrize("script", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: path.name)
def test_a_shell_script_can_be_parsed(script: Path) -> None:
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


@pytest.fixture
async def muster(tmp_path: Path) -> Muster:
    return await assemble(Settings(data_dir=tmp_path), Database(sqlite_url(tmp_path / "unused.db")))


async def test_the_proxy_sends_every_request_to_the_service_that_has_the_route(muster: Muster) -> None:
    rules = proxy_rules()
    for service in muster.services.values():
        for router in service.routers:
            for route in router.routes:
                path = re.sub(r"\{\w+\}", "some-thing", getattr(route, "path", ""))
                for method in getattr(route, "methods", ()):
                    assert upstream(rules, method, path) == service.name, f"{method} {path}"


def proxy_rules() -> list[tuple[str | None, str, str]]:
    """The Caddyfile's lines in their order: a method or any, a pattern of the path, and the service it leads to."""
    text = (DEPLOY / "Caddyfile").read_text()
    methods = dict(re.findall(r"@(\w+) \{\s+method (\w+)", text))
    paths = dict(re.findall(r"@(\w+) path_regexp (\S+)", text)) | dict(
        re.findall(r"@(\w+) \{\s+method \w+\s+path_regexp (\S+)", text)
    )
    return [
        (methods.get(name), paths.get(name, ""), service)
        for name, service in re.findall(r"reverse_proxy (?:@(\w+) )?(\w+):8000", text)
    ]


def upstream(rules: list[tuple[str | None, str, str]], method: str, path: str) -> str:
    return next(service for wanted, pattern, service in rules if wanted in {None, method} and re.search(pattern, path))
