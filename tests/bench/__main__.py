"""``make bench``: measures, and prints a table. Slow numbers are shown, never an error.

    python -m tests.bench [--quick]

``--quick`` measures next to nothing: it shows that all of it runs.
"""

import argparse
import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

from tests.bench import evaluating, incidents, matching, reports, updates
from tests.bench.bare import Shape
from tests.bench.setting import Setting, setting
from tests.bench.stocked import Size
from tests.bench.texts import HITS


@dataclass(frozen=True)
class Effort:
    """How much is measured. ``total`` is the number of a round, ``repeats`` the number of rounds."""

    incidents_total: int
    incidents_repeats: int
    updates: int
    reports_total: dict[int, int]
    reports_repeats: int
    terms: tuple[int, int, int]
    matching_repeats: int
    evaluation: Size
    evaluation_repeats: int


FULL = Effort(24, 5, 150, {1: 20, 16: 64}, 3, (1_000, 100_000, 1_000_000), 15, Size(100_000, 1_000, 5_000), 25)
QUICK = Effort(1, 1, 2, {1: 1, 16: 16}, 1, (100, 200, 400), 1, Size(100, 50, 20), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--quick", action="store_true", help="measure next to nothing, to see that all of it runs")
    effort = QUICK if parser.parse_args().quick else FULL
    data = Path(os.environ.get("MUSTER_DATA_DIR", "var")).absolute()
    asyncio.run(bench(effort, data))


async def bench(effort: Effort, data: Path) -> None:
    """One part after the other, each printed when it is done. ``data`` is where set-up keeps the Temporal program."""
    _print(_environment())
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        async with setting(Path(folder), data) as place:
            async with incidents.watching(place) as ledger:
                incident = await _incidents(place, ledger, effort)
            await _updates(place, incident, effort)
            await _reports(place, effort)
        await _matching(Path(folder), effort)
        await _evaluation(Path(folder), effort)
    _print(f"load average at the end: {_load()}")


async def _incidents(place: Setting, ledger: incidents.Ledger, effort: Effort) -> str:
    incident, shape = await incidents.example(place, ledger)
    muster, bare, ratio = await incidents.compare(place, ledger, shape, effort.incidents_total, effort.incidents_repeats)
    _print(f"\nincidents, from report to all welcomed, {incidents.CLIENTS} at once; {_shape(shape)}")
    _row("Muster", f"{muster:.2f}/s")
    _row("bare workflow of the same shape", f"{bare:.2f}/s")
    _row("ratio", f"{ratio:.2f}", f"≥ {incidents.TARGET}", ratio >= incidents.TARGET)
    return incident


def _shape(shape: Shape) -> str:
    inner = " and ".join(f"{remote} activities" for remote in shape.children)
    return f"{shape.local} local activities, {shape.remote} activities, {len(shape.children)} child workflow with {inner}"


async def _updates(place: Setting, incident: str, effort: Effort) -> None:
    bare, gateway, http = await updates.compare(place, incident, effort.updates)
    _print("\nstatus update, one at a time")
    for name, found in (("bare update with one local activity", bare), ("gateway", gateway), ("HTTP", http)):
        _row(name, _latency(found.seconds))
    _row("gateway ÷ bare", f"{gateway.ratio:.2f}", f"≤ {updates.TARGET}", gateway.ratio <= updates.TARGET)
    _row("HTTP ÷ bare", f"{http.ratio:.2f}")


async def _reports(place: Setting, effort: Effort) -> None:
    _print("\nreports acknowledged over HTTP, while those before are worked off")
    for clients, total in effort.reports_total.items():
        rounds = [await reports.load(place, clients, total) for _ in range(effort.reports_repeats)]
        each = [seconds for found in rounds for seconds in found.each]
        _row(f"{clients} client{'s' * (clients > 1)}", f"{median(found.rate for found in rounds):.0f}/s, {_latency(each)}")


async def _matching(folder: Path, effort: Effort) -> None:
    times = await matching.compare(folder, effort.terms, effort.matching_repeats)
    few, _, many = effort.terms
    _print(f"\nmatching, {len(HITS)} hits" + "".join(f"{f'{size:,} terms':>18}" for size in effort.terms))
    for words in matching.WORDS:
        _print(f"  {f'{words:,} words':<16}" + "".join(f"{times[words, size] * 1000:>15.1f} ms" for size in effort.terms))
    ratio = times[200, many] / times[200, few]
    _row(f"200 words: {many:,} ÷ {few:,} terms", f"{ratio:.2f}", f"≤ {matching.TARGET}", ratio <= matching.TARGET)


async def _evaluation(folder: Path, effort: Effort) -> None:
    found = await evaluating.compare(folder, effort.evaluation, effort.evaluation_repeats)
    _print(f"\nevaluation of {evaluating.WORDS} words")
    least = found.evaluation["least"]
    for name, size in evaluating.sizes(effort.evaluation).items():
        _row(f"{size.terms:,} terms, {size.rules:,} rules, {size.people:,} people", f"{found.evaluation[name] * 1000:.1f} ms")
    for name in ("terms", "rules", "people", "all"):
        ratio = found.evaluation[name] / least
        what = "ten times as much of all" if name == "all" else f"ten times as many {name}"
        _row(what, f"{ratio:.2f}", f"≤ {evaluating.TARGET}", ratio <= evaluating.TARGET)
    if found.spacy is None:
        _print("  spaCy is not here: uv sync --inexact --group bench")
        return
    few, many = effort.evaluation.terms, effort.evaluation.terms * evaluating.GROWN
    _row(f"spaCy {found.spacy}, rebuilt: {few:,} terms", f"{found.rebuilt * 1000:,.1f} ms")
    _row("rebuilt ÷ evaluation, as many terms", f"{found.rebuilt / least:,.0f}")
    _row(f"spaCy, built once: {many:,} terms", f"{found.built * 1000:.1f} ms, after {found.building:,.1f} s of building")
    _row("evaluation ÷ built once, as many terms", f"{found.evaluation['all'] / found.built:.1f}")


def _latency(seconds: list[float]) -> str:
    return f"p50 {median(seconds) * 1000:.1f} ms, p95 {_p95(seconds) * 1000:.1f} ms"


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def _row(name: str, value: str, target: str | None = None, reached: bool = True) -> None:
    verdict = "" if target is None else f"   target {target}: {'ok' if reached else 'over'}"
    _print(f"  {name:<48}{value}{verdict}")


def _environment() -> str:
    return "\n".join(_about())


def _about() -> Iterator[str]:
    yield f"Muster's speed on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield (
        f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, temporalio {version('temporalio')}, load average {_load()}"
    )


def _load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    # The Temporal SDK can crash when the interpreter ends.
    os._exit(0)
