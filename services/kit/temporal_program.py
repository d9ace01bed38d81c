"""The `temporal` program, which the embedded server is run from: found, downloaded or built.

The ways are tried in this order, and the first that gives a working program wins:

1. a `temporal` on PATH;
2. the program kept in the data folder by an earlier run, `{data_dir}/bin/temporal`;
3. the Temporal SDK's own download;
4. `go install`, for networks that reach a Go module proxy and nothing else.

`python -m services.kit.temporal_program` does this ahead of need, so that neither tests nor
a first `muster up` have to wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.testing import WorkflowEnvironment

Say = Callable[[str], None]
"""Tells the person who is waiting, one line at a time, what is being done."""

GO_PACKAGE = "github.com/temporalio/cli/cmd/temporal@v1.5.1"
"""The version that is built when nothing else works; its server is 1.29.1."""

_STALLED_AFTER = timedelta(seconds=20)
_BUILD_LIMIT = timedelta(minutes=30)
_VERSION_LIMIT = timedelta(seconds=20)
_TELL_EVERY = timedelta(seconds=5)

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Attempt:
    """One way of getting a program that did not work: what was tried, why not, what to do."""

    way: str
    cause: str
    advice: str

    def __str__(self) -> str:
        return f"- {self.way}: {self.cause}\n  Next: {self.advice}"


class TemporalUnavailable(RuntimeError):
    """No way gave a `temporal` program. The message names each, its cause and what to try next."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__("\n".join(["No temporal program could be had.", *map(str, attempts)]))
        self.attempts = tuple(attempts)


class NotThisWay(Exception):
    """One way of getting a program failed; the next one should be tried."""

    def __init__(self, cause: str, advice: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.advice = advice


async def find_temporal(data_dir: Path, say: Say) -> Path:
    """Return the path of a `temporal` program that runs, fetching or building it if need be.

    A fetched or built program is kept in `data_dir`, so this waits once only: seconds for the
    download, about five minutes on two cores for the build. Cancelling it ends what it started.

    Raises:
        TemporalUnavailable: if every way failed.
    """
    failed: list[Attempt] = []
    for way, attempt in _WAYS:
        try:
            program = await attempt(data_dir, say)
            version = await _version_of(program)
        except NotThisWay as failure:
            failed.append(Attempt(way, failure.cause, failure.advice))
        except OSError as error:
            advice = f"see that {data_dir} can be written to and has 1 GB free"
            failed.append(Attempt(way, str(error), advice))
        else:
            say(f"Temporal: using {program} ({version})")
            return program
    raise TemporalUnavailable(failed)


async def unless_stalled(work: Awaitable[_Result], folder: Path, patience: timedelta) -> _Result:
    """Await a download into `folder`, giving up once nothing has arrived there for `patience`.

    A fixed limit would either fail a slow line half way or make a blocked one wait for minutes.

    Raises:
        TimeoutError: if the download stalled.
    """
    task = asyncio.ensure_future(work)
    size, changed = -1, time.monotonic()
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=0.5)
            if (arrived := _bytes_in(folder)) != size:
                size, changed = arrived, time.monotonic()
            elif time.monotonic() - changed > patience.total_seconds():
                raise TimeoutError(f"nothing arrived for {patience.total_seconds():.0f} s")
        return task.result()
    finally:
        task.cancel()


async def run_to_end(
    arguments: Sequence[str | Path],
    *,
    limit: timedelta,
    environment: Mapping[str, str] | None = None,
    tell: Callable[[timedelta], None] = lambda _: None,
) -> tuple[int, str]:
    """Run a program and return its exit code and all it wrote; `tell` hears the time it has taken.

    The program and whatever it starts are killed when `limit` is over or this is cancelled.

    Raises:
        TimeoutError: if the program was not done within `limit`.
        OSError: if it cannot be started at all.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # a group of its own: compilers are many processes
    )
    output = asyncio.ensure_future(process.communicate())
    started, elapsed = time.monotonic(), timedelta(0)
    try:
        while not output.done():
            await asyncio.wait({output}, timeout=min(_TELL_EVERY, limit - elapsed).total_seconds())
            elapsed = timedelta(seconds=time.monotonic() - started)
            if elapsed >= limit and not output.done():
                raise TimeoutError(f"not done after {limit.total_seconds():.0f} s")
            if not output.done():
                tell(elapsed)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        written, _ = await output
    return process.returncode or 0, written.decode(errors="replace")


def last_lines(text: str, count: int = 3) -> str:
    """Return the last non-empty lines of a program's output, joined into one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "it wrote nothing"


async def _on_path(data_dir: Path, say: Say) -> Path:
    if found := shutil.which("temporal"):
        return Path(found)
    raise NotThisWay("not there", "put the temporal program on PATH, or set TEMPORAL_ADDRESS")


async def _kept(data_dir: Path, say: Say) -> Path:
    program = _kept_program(data_dir)
    if program.is_file():
        return program
    raise NotThisWay("not there yet", f"copy a temporal program to {program}")


async def _download(data_dir: Path, say: Say) -> Path:
    say("Temporal: downloading the program")
    with _workspace(data_dir) as folder:
        try:
            await unless_stalled(_start_and_stop(folder), folder, _STALLED_AFTER)
        except (RuntimeError, TimeoutError) as error:
            say(f"Temporal: the download failed ({error})")
            raise NotThisWay(str(error), "let this machine reach temporal.download") from error
        # Beside the program there may be a partial file of a download that was tried again.
        arrived = max(folder.iterdir(), key=lambda file: file.stat().st_size)
        return _keep(arrived, data_dir)


async def _start_and_stop(folder: Path) -> None:
    """Have the SDK download its server; it has no call for the download alone."""
    environment = await WorkflowEnvironment.start_local(
        download_dest_dir=str(folder), dev_server_startup_timeout=timedelta(seconds=15)
    )
    await environment.shutdown()


async def _go_install(data_dir: Path, say: Say) -> Path:
    go = shutil.which("go")
    if go is None:
        raise NotThisWay("no go on PATH", "install Go 1.25 or newer")
    say("Temporal: building the program with Go, once; about five minutes on two cores")
    with _workspace(data_dir) as folder:
        try:
            code, output = await run_to_end(
                [go, "install", GO_PACKAGE],
                limit=_BUILD_LIMIT,
                environment={**os.environ, "GOBIN": str(folder.resolve())},
                tell=lambda elapsed: say(f"Temporal: building, {elapsed.total_seconds():.0f} s"),
            )
        except TimeoutError as error:
            raise NotThisWay(str(error), "see that a Go module proxy can be reached") from error
        if code != 0:
            advice = "install Go 1.25 or newer, and see that a Go module proxy can be reached"
            raise NotThisWay(last_lines(output), advice)
        return _keep(folder / "temporal", data_dir)


_WAYS: tuple[tuple[str, Callable[[Path, Say], Awaitable[Path]]], ...] = (
    ("a temporal program on PATH", _on_path),
    ("the program kept in the data folder", _kept),
    ("the Temporal SDK's own download", _download),
    (f"go install {GO_PACKAGE}", _go_install),
)


async def _version_of(program: Path) -> str:
    """Return what the program says of itself; a program that cannot say it cannot serve either."""
    advice = f"remove {program}, or put a temporal program that runs on PATH before it"
    try:
        code, output = await run_to_end([program, "--version"], limit=_VERSION_LIMIT)
    except (OSError, TimeoutError) as error:
        raise NotThisWay(f"{program} does not run: {error}", advice) from error
    if code != 0 or not output.startswith("temporal version"):
        raise NotThisWay(f"{program} is not Temporal's program: {last_lines(output)}", advice)
    return output.strip()


def _kept_program(data_dir: Path) -> Path:
    return data_dir / "bin" / "temporal"


@contextlib.contextmanager
def _workspace(data_dir: Path) -> Iterator[Path]:
    """Give a folder on the same file system as the kept program, so that a rename is enough."""
    home = _kept_program(data_dir).parent
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=home) as folder:
        yield Path(folder)


def _keep(arrived: Path, data_dir: Path) -> Path:
    """Rename a complete program into place: one killed half way never gets there."""
    arrived.chmod(0o755)
    return arrived.replace(_kept_program(data_dir))


def _bytes_in(folder: Path) -> int:
    total = 0
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # the download renames its file when it is whole
            total += file.stat().st_size
    return total


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> None:
    """Have the program ready in `$MUSTER_DATA_DIR` (`var` if unset); exit code 1 if it cannot be had."""
    code = 0
    try:
        asyncio.run(find_temporal(Path(os.environ.get("MUSTER_DATA_DIR") or "var"), _tell))
    except TemporalUnavailable as error:
        _tell(str(error))
        code = 1
    # The SDK's threads can crash the interpreter on its way out, and turn a success into a failure.
    os._exit(code)


if __name__ == "__main__":
    main()
