"""The audit log: what is in it, who reads it, and that it can be taken away whole (O5)."""

import ast
import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from services.accounts import audit
from services.accounts.wording import PHRASES
from services.kit.clock import now, rfc3339
from services.kit.ids import new_id
from services.store.answers import AnswerRow
from services.store.audit import AuditRow
from tests.accounts.members import member
from tests.architecture.sources import PRODUCT, modules, tree
from tests.docs.facts import ROOT
from tests.kit.problems import problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.domain.policy import Role


async def entries(org: Organization, **query: Any) -> list[dict[str, Any]]:
    return list((await org.get("/audit", **query))["data"])


async def fill(muster: RunningMuster, org: Organization, count: int, **more: Any) -> None:
    """Entries as they come with time."""
    organization = (await org.get("/me"))["organization"]["id"]
    row = {
        "organization_id": organization, "at": now(), "account_id": None, "who": "operator", "via": "command line",
        "address": "", "action": "sign_in_link.issued", "object_id": None, "object_name": "Olive", "before": {}, "after": {},
    }  # fmt: skip
    async with muster.muster.database.write(organization) as session:
        for start in range(0, count, 1_000):
            rows = [row | {"id": new_id()} | more for _ in range(start, min(count, start + 1_000))]
            await session.execute(insert(AuditRow), rows)


@pytest.mark.feature("O5")
async def test_an_entry_says_who_did_what_to_what_from_where(org: Organization) -> None:
    made = await org.post("/tokens", {"name": "Mine", "scopes": ["read"]})
    entry = (await entries(org))[0]
    me = await org.get("/me")
    assert entry["who"] == {"id": me["account"], "name": "Olive Owner"}
    assert (entry["via"], entry["address"]) == ("token “owner-token”", "127.0.0.1")
    assert (entry["action"], entry["object"]) == ("token.created", {"id": made["id"], "name": "Mine"})
    assert entry["before"] == {}
    assert entry["after"] == {"kind": "personal", "role": "owner", "scopes": ["read"], "expires_at": None}
    assert entry["text"] == "Olive Owner made the API token “Mine”"


@pytest.mark.feature("O5")
async def test_the_log_is_narrowed(muster: RunningMuster, org: Organization) -> None:
    await fill(muster, org, 1, at=now() - timedelta(days=3), who="100%_sure", object_name="Archive")
    async with member(muster, org, "Ada", Role.ADMIN) as ada:
        await ada.api.post("/tokens", json={"name": "Adas", "scopes": ["read"]})
        everything = await entries(org)
        assert [each["object"]["name"] for each in await entries(org, who=ada.account)] == ["Adas"]
    assert everything == sorted(everything, key=lambda each: each["id"], reverse=True)
    assert {each["action"] for each in await entries(org, action="token.")} == {"token.created"}
    assert [each["action"] for each in await entries(org, action="organization.created")] == ["organization.created"]
    assert await entries(org, action="tok") == await entries(org, action="%.") == []
    day_ago = rfc3339(now() - timedelta(days=1))
    assert [each["object"]["name"] for each in await entries(org, to=day_ago)] == ["Archive"]
    assert "Archive" not in [each["object"]["name"] for each in await entries(org, **{"from": day_ago})]
    assert len(await entries(org, q="0%_S")) == len(await entries(org, q="ARCH")) == 1
    assert await entries(org, q="100_") == await entries(org, who="nobody") == []
    problem(await org.api.get("/audit", params={"from": "yesterday"}), 422, "invalid")


@pytest.mark.feature("O5")
async def test_the_log_is_read_page_by_page(muster: RunningMuster, org: Organization) -> None:
    await fill(muster, org, 7)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await org.get("/audit", page_size=3, action="sign_in_link.", **after)
        seen += [each["id"] for each in page["data"]]
        if page["pagination"]["after"] is None:
            break
        after = {"after": page["pagination"]["after"]}
        # What comes meanwhile moves nobody's page.
        await fill(muster, org, 1)
    assert len(seen) == len(set(seen)) == 7
    problem(await org.api.get("/audit", params=after), 400, "unknown_after")


@pytest.mark.feature("O5", "O4", "O1")
async def test_only_administrators_read_it_and_only_their_own(muster: RunningMuster, org: Organization) -> None:
    other = await muster.organization()
    async with member(muster, org) as mia, member(muster, org, "Ada", Role.ADMIN) as ada:
        for path in ("/audit", "/audit.csv"):
            problem(await mia.api.get(path), 403, "administrators_only")
            assert (await ada.api.get(path)).status_code == 200
    assert (await entries(org, action="audit."))[0]["who"]["name"] == "Ada"
    assert await entries(other, action="audit.") == []
    await other.api.aclose()


@pytest.mark.feature("O5")
async def test_the_export_is_whole_in_order_and_no_formula(muster: RunningMuster, org: Organization) -> None:
    dangerous = [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        'two\r\nlines, "said"',
        "plain",
    ]
    for name in dangerous:
        await fill(muster, org, 1, object_name=name)
    await fill(muster, org, 1_200, who="Many")
    response = await org.api.get("/audit.csv", params={"action": "sign_in_link.issued"})
    assert response.headers["content-type"].startswith("text/csv")
    assert 'filename="audit.csv"' in response.headers["content-disposition"]
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.content.endswith(b"\r\n")
    header, *rows = csv.reader(io.StringIO(response.text, newline=""))
    assert tuple(header) == audit.COLUMNS
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["object"] for row in found[:12]] == [
        *(f"'{name}" for name in dangerous[:10]), 'two\r\nlines, "said"', "plain"
    ]  # fmt: skip
    assert len(found) == 1_212
    assert [row["at"] for row in found] == sorted(row["at"] for row in found)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    entry = (await entries(org))[0]
    assert (entry["action"], entry["after"]) == ("audit.exported", {"entries": 1_212, "action": "sign_in_link.issued"})


@pytest.mark.feature("O5")
async def test_an_export_that_fails_midway_is_an_error(muster: RunningMuster, org: Organization) -> None:
    await fill(muster, org, 1_200)
    # Nothing writes such an entry, so nothing can read it.
    await fill(muster, org, 1, after=["no", "mapping"])
    assert (await org.api.get("/audit.csv")).status_code == 500
    assert (await org.api.get("/audit.csv", params={"action": "token."})).status_code == 200
    assert [each["after"]["entries"] for each in await entries(org, action="audit.")] == [1]


@pytest.mark.feature("O5")
async def test_that_a_record_was_taken_away_is_kept(muster: RunningMuster, org: Organization) -> None:
    incident = await org.report("Disk full")
    await org.get(f"/incidents/{incident['id']}/record.json")
    entry = (await entries(org))[0]
    assert (entry["action"], entry["object"]) == ("record.exported", {"id": incident["id"], "name": "INC-1"})
    problem(await org.api.get("/incidents/INC-2/record.json"), 404, "not_found")
    assert len(await entries(org, action="record.")) == 1


@pytest.mark.feature("O5", "O3")
async def test_no_secret_is_in_the_log(
    muster: RunningMuster, org: Organization, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    old, new = "seventeen purple herons", "a wholly different sentence"
    made = await org.post("/tokens", {"name": "Mine", "scopes": ["read"]}, headers={"Idempotency-Key": "a"})
    link = await muster.muster.accounts.issue_link(org.slug)
    await org.api.post("/members", json={"name": "Mia", "email": "mia@x.example", "role": "member"})
    await org.api.put(
        "/sign-in-provider",
        json={"name": "P", "issuer": "http://127.0.0.1:1", "client_id": "muster", "client_secret": "client-secret-value"},
    )
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE) as browser:
        await browser.post("/sign-in", data={"link": link})
        session = browser.cookies[f"muster-{org.slug}"]
        for before, after in (("", old), (old, new), ("wrong guess at it", new)):
            page = (await browser.get(f"/{org.slug}/preferences")).text
            token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
            form = {"csrf_token": token, "old_password": before, "password": after, "command_id": new_id()}
            await browser.post(f"/{org.slug}/preferences/password", data=form)
        await browser.post(f"/{org.slug}/sign-in", data={"email": f"olive@{org.slug}.example", "password": "not this either"})
        signed = await browser.post(f"/{org.slug}/sign-in", data={"email": f"olive@{org.slug}.example", "password": new})
        assert signed.status_code == 303
    actions = {each["action"] for each in await entries(org, page_size=100)}
    assert actions >= {"token.created", "sign_in_link.issued", "sign_in", "password.changed", "sign_in.refused"}
    kept = (await org.api.get("/audit.csv")).text + await everything_kept(muster, org) + caplog.text + "".join(capfd.readouterr())
    for secret in (made["secret"], link, session, old, new, "wrong guess", "not this either", "client-secret-value"):
        assert secret not in kept


async def everything_kept(muster: RunningMuster, org: Organization) -> str:
    """The organization's audit log and answers, as they are in the database."""
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        rows = [row for table in (AuditRow, AnswerRow) for row in await session.scalars(select(table))]
    return "\n".join(str(vars(row)) for row in rows)


def recorded() -> Iterator[str]:
    """Every action that the code records."""
    for path in modules(*PRODUCT):
        module = tree(path)
        tables = {
            target.id: node.value
            for node in module.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            local = {
                target.id: node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if ast.unparse(call.func) == "audit.record":
                    found = set(_texts(call.args[2], tables | local))
                    assert found, f"{path}:{call.lineno}: which actions this records cannot be told"
                    yield from found


def _texts(node: ast.AST, names: dict[str, ast.expr]) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Name(id=name) if name in names:
            yield from _texts(names[name], {})
        case ast.Subscript(value=table):
            yield from _texts(table, names)
        case ast.Dict(values=values):
            for value in values:
                yield from _texts(value, names)
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, names)
            yield from _texts(other, names)


@pytest.mark.feature("O5")
def test_every_action_is_explained_and_has_its_words() -> None:
    table = (ROOT / "docs" / "audit.md").read_text().partition("| Action |")[2].partition("\n\n")[0]
    explained = re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)
    assert explained == sorted(set(explained))
    assert set(explained) == set(recorded()) == set(PHRASES)
