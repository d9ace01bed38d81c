"""The examples of the API in docs/engagement.md work on a new Muster, one after the other, as they are written there."""

import asyncio
import re
from asyncio.subprocess import PIPE, STDOUT

import pytest

from services.kit.clock import now
from tests.docs.facts import ROOT
from tests.support.running import Organization

BLOCKS = re.compile(r"^```\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.feature("C9", "E3", "E7", "E9", "E10")
async def test_the_examples_work_on_a_new_muster(org: Organization) -> None:
    for name in ("ana", "ben"):
        await org.post("/individuals", {"name": name.capitalize(), "email": f"{name}@example.org"})
    await org.report("credential-leak!")
    text = (ROOT / "docs" / "engagement.md").read_text()
    # An override is refused once it is over.
    script = "\n".join(BLOCKS.findall(text)).replace("2026-12-", f"{now().year + 1}-12-").replace("curl -s", "curl -Sfs")
    given = {
        "api": str(org.api.base_url).rstrip("/"),
        "token": f"Authorization: Bearer {org.token}",
        "json": "Content-Type: application/json",
    }
    ran = await asyncio.create_subprocess_exec("bash", "-euo", "pipefail", "-c", script, env=given, stdout=PIPE, stderr=STDOUT)
    said, _ = await ran.communicate()
    assert ran.returncode == 0, said.decode()
    [rule] = (await org.get("/engagement-rules"))["data"]
    assert [*map(list, rule["engage"])] == [["team"], ["oncall"], ["individual"]]
