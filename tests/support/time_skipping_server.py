"""A Temporal server whose clock can be moved: months of reminders are tested in a second.

Temporal makes two: a native one, which the SDK downloads, and the Java one it is built from, which
Maven fetches. Where neither can be had, the reason is given, for tests to skip with it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.client import Plugin
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment

from services.kit.temporal_program import last_lines, run_to_end, unless_stalled

# A project with nothing but the dependency: Maven resolves libraries for a project only.
_PROJECT = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>muster</groupId>
  <artifactId>time-skipping</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>1.32.1</version>
    </dependency>
  </dependencies>
</project>
"""
_STALLED_AFTER = timedelta(seconds=20)
_MAVEN_LIMIT = timedelta(minutes=5)
_START_LIMIT = timedelta(seconds=30)


@dataclass(frozen=True)
class TimeSkippingServer:
    """A server that runs, with its clock standing still but for what `environment` lets pass.

    `environment.sleep()` moves the clock; awaiting a workflow's result lets it run freely.
    The clock is one for the whole server: two tests cannot use it at the same time.
    """

    address: str
    environment: WorkflowEnvironment


@dataclass(frozen=True)
class NoTimeSkippingServer:
    """Why there is none, in words for `pytest.skip`."""

    reason: str


@contextlib.asynccontextmanager
async def time_skipping_server(
    data_dir: Path,
    *,
    data_converter: DataConverter = DataConverter.default,
    plugins: Sequence[Plugin] = (),
) -> AsyncIterator[TimeSkippingServer | NoTimeSkippingServer]:
    """Run a time-skipping server while open; what it needs is kept in `data_dir` for the next time.

    The converter and plugins are those of the client in `environment`.
    """
    program = await _program(_home(data_dir))
    if isinstance(program, NoTimeSkippingServer):
        yield program
        return
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(program),
        test_server_startup_timeout=_START_LIMIT,
        data_converter=data_converter,
        plugins=plugins,
    )
    async with environment:
        yield TimeSkippingServer(environment.client.service_client.config.target_host, environment)


async def _program(folder: Path) -> Path | NoTimeSkippingServer:
    """Return a program that takes a port and serves there: the kept one, downloaded, or from Maven."""
    if kept := _kept(folder):
        return kept
    with _workspace(folder) as workspace:
        try:
            return (await _download(workspace)).replace(_native(folder))
        except (RuntimeError, TimeoutError) as error:
            download_failed = f"the SDK's own download failed ({error})"
        try:
            class_path = await _class_path_from_maven(workspace)
        except (OSError, RuntimeError, TimeoutError) as error:
            return NoTimeSkippingServer(f"no time-skipping server: {download_failed}, and Maven's too ({error})")
        return _write_launcher(workspace, class_path).replace(_java(folder))


def _home(data_dir: Path) -> Path:
    # Absolute, since Maven takes a relative path from its project's folder.
    return data_dir.absolute() / "time-skipping"


def _native(folder: Path) -> Path:
    return folder / "native-server"


def _java(folder: Path) -> Path:
    return folder / "java-server"


def _kept(folder: Path) -> Path | None:
    """Return the program of an earlier run, unless the libraries it names in Maven's own store are gone."""
    if _native(folder).is_file():
        return _native(folder)
    if not _java(folder).is_file():
        return None
    class_path = shlex.split(_java(folder).read_text().splitlines()[1])[3]
    return _java(folder) if all(Path(jar).is_file() for jar in class_path.split(os.pathsep)) else None


@contextlib.contextmanager
def _workspace(folder: Path) -> Iterator[Path]:
    """Give a folder to work in: what is moved out of it is whole, and two test processes do not meet."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as workspace:
        yield Path(workspace)


async def _download(workspace: Path) -> Path:
    """Have the SDK download its server; it has no call for the download alone."""
    starting = WorkflowEnvironment.start_time_skipping(
        download_dest_dir=str(workspace), test_server_startup_timeout=timedelta(seconds=15)
    )
    environment = await unless_stalled(starting, workspace, _STALLED_AFTER)
    await environment.shutdown()
    return max((Path(file) for file in os.scandir(workspace)), key=lambda file: file.stat().st_size)


async def _class_path_from_maven(workspace: Path) -> str:
    """Have Maven fetch the server and its libraries, and return where they are."""
    maven = shutil.which("mvn")
    if maven is None or shutil.which("java") is None:
        raise RuntimeError("install maven and a Java runtime, version 11 or newer")
    project, class_path = workspace / "pom.xml", workspace / "classpath"
    project.write_text(_PROJECT)
    goal = ["dependency:build-classpath", f"-Dmdep.outputFile={class_path}"]
    code, output = await run_to_end([maven, "-B", "-q", "-f", project, *goal], limit=_MAVEN_LIMIT)
    if code != 0:
        raise RuntimeError(last_lines(output))
    return class_path.read_text().strip()


def _write_launcher(workspace: Path, class_path: str) -> Path:
    """Write a program that runs the server on the port it is given.

    The server's own `--enable-time-skipping` is left out: the clock is then locked at first, which
    is what the SDK counts on. With it, time runs by itself and the SDK's first unlock is refused.
    """
    launcher = workspace / "java-server"
    command = f"exec java -cp {shlex.quote(class_path)} io.temporal.testserver.TestServer"
    launcher.write_text(f'#!/bin/sh\n{command} "$@" 2>"$0.log"\n')
    launcher.chmod(0o755)
    return launcher
