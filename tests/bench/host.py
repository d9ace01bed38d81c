"""One process with a whole Muster on SQLite, and beside it, with the same worker settings, the bare workflows.

    python -m tests.bench.host FOLDER TEMPORAL_ADDRESS

says on one line of JSON where it is, and ends when its standard input does.
"""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from services.kit.database import Database, sqlite_url
from services.kit.settings import Settings
from services.kit.telemetry import configure_logging
from services.kit.temporal import Target, connect, register_search_attributes, working
from services.store import schema
from tests.bench import bare
from tests.support.running import running_muster


async def host(folder: Path, address: str) -> None:
    """Serve until standard input ends."""
    database = Database(sqlite_url(folder / "muster.db"))
    await schema.upgrade(database)
    target = Target(address)
    client = await connect(target, lazy=False)
    await register_search_attributes(client)
    async with AsyncExitStack() as stack:
        muster = await stack.enter_async_context(running_muster(database, target, Settings(data_dir=folder)))
        for queue, workflows, activities in bare.WORKERS:
            await stack.enter_async_context(working(client, queue, workflows, activities))
        organization = await muster.organization()
        await organization.api.aclose()
        where = {"api": str(organization.api.base_url), "token": organization.token, "pid": os.getpid()}
        sys.stdout.write(json.dumps(where) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    await database.close()


if __name__ == "__main__":
    configure_logging("WARNING")
    asyncio.run(host(Path(sys.argv[1]), sys.argv[2]))
    # The Temporal SDK can crash when the interpreter ends.
    os._exit(0)
