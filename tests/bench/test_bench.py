"""`make bench` measures everything it promises. How fast it is, is not this test's business."""

import asyncio
import sys

LINES = (
    "load average",
    "incidents, from report to all welcomed",
    "bare workflow of the same shape",
    "target ≥ 0.7",
    "status update",
    "gateway ÷ bare",
    "target ≤ 1.5",
    "HTTP ÷ bare",
    "reports acknowledged",
    "1 client ",
    "16 clients",
    "matching",
    "20 words",
    "200 words",
    "2,000 words",
    "target ≤ 3.0",
    "evaluation of 200 words",
    "1,000 terms, 500 rules, 200 people",
    "ten times as many terms",
    "ten times as many rules",
    "ten times as many people",
    "ten times as much of all",
    "spaCy",
    "load average at the end",
)


async def test_it_prints_every_line() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench", "--quick", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    printed = output.decode()
    assert [line for line in LINES if line not in printed] == []
