"""Which capability is carried by a passing test: the record that every test run keeps, and the report over it.

`python -m tests.features` prints the ids of docs/features.md without a passing test; one that is called delivered there
makes it fail. A test's result is that of its last run, so a part of the tests can be run at a time.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "features.md"
DELIVERED = "delivered"
_KEY = "muster/features"
_ROW = re.compile(r"^\| ([A-Z]+\d+) \| (delivered|later) \|", re.MULTILINE)


class FeatureRecord:
    """A pytest plugin that keeps, in pytest's cache, which test passed when it last ran."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A test is three reports (set-up, call, tear-down), of which none may fail and the call must pass.
        if report.when == "setup":
            self.passed[report.nodeid] = False
        if report.when == "call":
            self.passed[report.nodeid] = report.passed
        elif report.failed:
            self.passed[report.nodeid] = False

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        cache = getattr(session.config, "cache", None)
        if self.passed and cache is not None and not hasattr(session.config, "workerinput"):
            cache.set(_KEY, cache.get(_KEY, {}) | self.passed)


class _Collection:
    """Gathers the marks of all tests, and what became of each when it last ran."""

    def __init__(self) -> None:
        self.carried: dict[str, list[str]] = defaultdict(list)
        self.passed: dict[str, bool] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for mark in item.iter_markers("feature"):
                for feature in mark.args:
                    self.carried[feature].append(item.nodeid)
        cache: Any = session.config.cache
        self.passed = cache.get(_KEY, {})


def states(document: Path = DOCUMENT) -> dict[str, str]:
    """Every id of the document with its state."""
    return dict(_ROW.findall(document.read_text()))


def report(wanted: dict[str, str], carried: dict[str, Sequence[str]], passed: dict[str, bool]) -> tuple[list[str], bool]:
    """The report's lines, and whether all that is called delivered is carried by a test that passed."""
    missing = {feature for feature in wanted if not any(passed.get(test) for test in carried.get(feature, ()))}
    lines = []
    for feature in sorted(missing, key=_in_order):
        tests = carried.get(feature, ())
        why = f"none of its {len(tests)} tests passed when it last ran" if tests else "no test carries it"
        lines.append(f"{feature:4} {wanted[feature]:10} {why}")
    unknown = sorted(set(carried) - set(wanted))
    lines += [f"{feature:4} {'unknown':10} marked by {carried[feature][0]}, not in docs/features.md" for feature in unknown]
    lines.append(f"{len(wanted) - len(missing)} of {len(wanted)} capabilities are carried by a passing test.")
    return lines, not unknown and not any(wanted[feature] == DELIVERED for feature in missing)


def _in_order(feature: str) -> tuple[int, int]:
    return "RENLCOI".index(feature[0]), int(feature[1:])


def main() -> int:
    """Print the report; 1 when something delivered has no passing test, or a test carries an unknown id."""
    collection = _Collection()
    code = pytest.main(["--collect-only", "-p", "no:terminal", str(ROOT / "tests")], [collection])
    if code != pytest.ExitCode.OK:
        sys.stdout.write("The tests cannot be collected; run pytest --collect-only.\n")
        return 1
    lines, complete = report(states(), dict(collection.carried), collection.passed)
    sys.stdout.write("\n".join([*lines, ""]))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
