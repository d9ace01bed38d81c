"""The `muster` command, in which a process is killed at a chosen moment: right before or right after a commit.

`python -m tests.faults.dies_at up` does what `muster up` does, and journals each moment. Nothing of Muster is changed or
replaced: SQLAlchemy's own events tell when a transaction is about to be committed, and when it has been.

- `FAULT_JOURNAL`: the file that gets one line a moment.
- `FAULT_AT`: the number of the moment (the first is 1) at which to kill; without it nothing is killed.
- `FAULT_AMONG`: count only moments in whose line this regular expression is found.
- `FAULT_VICTIM`: `muster` (this process) or `temporal` (the embedded server).
"""

import os
import re
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from services.cli import main

STRUCK = "struck"
_WRITE = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (\w+)")


class _Fault:
    def __init__(self) -> None:
        self.journal = Path(os.environ["FAULT_JOURNAL"]).open("a", buffering=1)  # noqa: SIM115  (open until the end)
        self.at = int(os.environ.get("FAULT_AT", "0"))
        self.among = os.environ.get("FAULT_AMONG", "")
        self.moments = 0
        self.writes = ""

    def begin(self, connection: Connection) -> None:
        connection.info["writes"] = []

    def write(self, connection: Connection, _: Any, statement: str, __: Any, context: Any, ___: bool) -> None:
        if found := _WRITE.match(statement):
            # What is of some kind, as events and deliveries are, is told by it.
            rows = (context and context.compiled_parameters) or []
            kinds = dict.fromkeys(f" {row['kind']}" for row in rows if "kind" in row)
            what = f"{found[1].split()[0].lower()} {found[2]}"
            connection.info.setdefault("writes", []).extend(f"{what}{kind}" for kind in kinds or [""])

    def before(self, connection: Connection) -> None:
        # Writers of SQLite take turns, so this is what the next commit is about.
        self.writes = ", ".join(dict.fromkeys(connection.info.get("writes", []))) or "nothing"
        self._moment(f"before {self.writes}")

    def after(self, _: Session) -> None:
        self._moment(f"after {self.writes}")

    def _moment(self, what: str) -> None:
        counts = re.search(self.among, what) is not None
        self.moments += counts
        self.journal.write(f"{what}\n")
        if counts and self.moments == self.at and (victim := _victim()) is not None:
            self.journal.write(f"{STRUCK}\n")
            os.kill(victim, signal.SIGKILL)


def _victim() -> int | None:
    if os.environ["FAULT_VICTIM"] == "muster":
        return os.getpid()
    file = Path(os.environ["MUSTER_DATA_DIR"]) / "temporal.pid"
    return int(text) if file.exists() and (text := file.read_text()) else None


if __name__ == "__main__":
    fault = _Fault()
    event.listen(Engine, "begin", fault.begin)
    event.listen(Engine, "before_cursor_execute", fault.write)
    event.listen(Engine, "commit", fault.before)
    event.listen(Session, "after_commit", fault.after)
    main()
