"""A process of its own that serves Muster as the command does, with logs and traces, until its input ends.

Arguments: the data folder, Temporal's address and namespace. Prints one line of JSON: how to reach it, and its secrets.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from services.kit.database import Database
from services.kit.settings import Settings
from services.kit.telemetry import configure_logging
from services.kit.temporal import Target
from services.store import schema
from tests.support.running import running_muster


async def serve(folder: Path, target: Target) -> None:
    """Serve until nobody wants it any more."""
    configure_logging("DEBUG")
    trace.set_tracer_provider(TracerProvider())
    settings = Settings(data_dir=folder)
    database = Database(settings.database)
    await schema.upgrade(database)
    async with running_muster(database, target, settings) as running:
        org = await running.organization()
        link = await running.muster.accounts.issue_link(org.slug)
        print(json.dumps({"url": running.base_url, "org": org.slug, "token": org.token, "link": link}), flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Target(sys.argv[2], sys.argv[3])))
    os._exit(0)
