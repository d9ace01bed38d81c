"""Letters, which are mails of no incident, go by the ledger as every notice does; their secret is in them and nowhere else."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from services.kit.clock import now
from services.kit.database import Database
from services.kit.settings import Settings
from services.kit.temporal import Target
from services.lifecycle.reconcile import recover
from services.store import outbox
from services.store.deliveries import Delivery, Intent, intend
from services.store.outbox import OutboxRow
from services.store.secrets import digest
from tests.kit.problems import problem
from tests.notify.letters import Addressee, addressee, secret_in
from tests.support.ports import free_port
from tests.support.running import Organization, RunningMuster, running_muster
from workflows.contracts.notify import NoticeKind
from workflows.domain.policy import Role, Scope
from workflows.gateway import IncidentGateway

pytestmark = pytest.mark.feature("N6")


async def inbox(org: Organization, ana: Addressee) -> list[dict[str, Any]]:
    """Her messages, as the owner reads them."""
    return list((await org.get("/inbox", recipient=ana.individual))["data"])


@pytest.mark.parametrize(
    ("kind", "page", "life", "subject"),
    [
        (NoticeKind.INVITATION, "invitation", timedelta(days=7), "You are invited to {} on Muster"),
        (NoticeKind.PASSWORD_RESET, "reset-password", timedelta(hours=1), "Set a new password for {} on Muster"),
    ],
)
async def test_without_a_mail_server_a_letter_is_in_the_inbox(
    muster: RunningMuster, org: Organization, kind: NoticeKind, page: str, life: timedelta, subject: str
) -> None:
    ana = await addressee(muster, org)
    delivery = await ana.intend(kind)
    await org.until(partial(ana.is_, delivery, "sent", 1))
    (message,) = await inbox(org, ana)
    assert message["subject"] == subject.format(org.slug.capitalize())
    assert (message["delivery"], message["incident"], message["incident_reference"]) == (delivery, None, None)
    assert secret_in(message["html"], org.slug, page) == secret_in(message["text"], org.slug, page)
    (credential,) = await ana.credentials()
    assert credential.secret_hash == digest(secret_in(message["text"], org.slug, page))
    assert credential.kind == kind
    assert life - timedelta(minutes=1) < credential.expires_at - now() <= life
    (line,) = (await org.get("/deliveries", recipient=ana.individual))["data"]
    assert [line[name] for name in ("incident", "incident_reference", "incident_title")] == [None, None, None]
    assert (line["id"], line["kind"], line["channel"], line["inbox_message"]) == (delivery, kind, "email", message["id"])


async def test_an_intent_that_is_repeated_is_one_letter(muster: RunningMuster, org: Organization) -> None:
    ana = await addressee(muster, org)
    delivery = await ana.intend(cause="the same")
    assert await ana.intend(cause="the same") == delivery
    await org.until(partial(ana.is_, delivery, "sent", 1))
    assert await ana.intend(cause="the same") == delivery
    await org.until(lambda: nothing_waits(ana))
    assert len(await inbox(org, ana)) == 1
    assert len(await ana.credentials()) == 1


async def nothing_waits(ana: Addressee) -> bool:
    async with ana.database.read(ana.organization) as session:
        return await session.scalar(select(func.count(OutboxRow.id))) == 0


async def test_two_who_intend_at_once_intend_one(muster: RunningMuster, org: Organization) -> None:
    ana = await addressee(muster, org)
    assert len(set(await asyncio.gather(*(ana.intend(cause="the same") for _ in range(5))))) == 1
    async with ana.database.read(ana.organization) as session:
        assert await session.scalar(select(func.count(Delivery.id)).where(Delivery.recipient_id == ana.individual)) == 1


@pytest.mark.feature("N7")
@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        (NoticeKind.INVITATION, {"active": False}, "not active"),
        (NoticeKind.PASSWORD_RESET, {"active": False}, "not active"),
        (NoticeKind.INVITATION, {"password_hash": "x"}, "accepted"),
        (NoticeKind.INVITATION, {"oidc_subject": "x"}, "accepted"),
        (NoticeKind.PASSWORD_RESET, {"password_hash": "x"}, None),
    ],
)
async def test_what_is_pointless_by_now_is_folded(
    muster: RunningMuster, org: Organization, kind: NoticeKind, change: dict[str, Any], reason: str | None
) -> None:
    ana = await addressee(muster, org)
    await ana.change(**change)
    delivery = await ana.intend(kind)
    await org.until(partial(ana.is_, delivery, "folded" if reason else "sent"))
    if reason:
        assert reason in ((await ana.row(delivery)).reason or "")
        assert not await inbox(org, ana)
        assert not await ana.credentials()


@pytest.mark.feature("R4", "N7")
async def test_while_temporal_is_away_letters_wait_and_only_the_latest_is_sent(
    database: Database, tmp_path: Path, namespace: Target
) -> None:
    async with running_muster(database, Target(f"127.0.0.1:{free_port()}"), Settings(data_dir=tmp_path)) as muster:
        org = await muster.organization()
        ana = await addressee(muster, org)
        earlier, later = await ana.intend(NoticeKind.PASSWORD_RESET), await ana.intend(NoticeKind.PASSWORD_RESET)
        await org.until(lambda: _was_put_off(ana))
        assert (await ana.row(later)).state == "pending"
        assert await ana.credentials() == []
        await org.api.aclose()
    async with database.write() as session:
        await session.execute(update(OutboxRow).values(next_at=OutboxRow.created_at), execution_options=outbox.EVERY)
    async with running_muster(database, namespace, Settings(data_dir=tmp_path)) as muster:
        client = await ana.client()
        await org.until(partial(ana.is_, later, "sent", 1))
        await org.until(partial(ana.is_, earlier, "folded"))
        found = (await client.get(f"{muster.base_url}/api/v1/{org.slug}/inbox")).json()["data"]
        assert [message["delivery"] for message in found] == [later]
        await client.aclose()


@pytest.mark.feature("R4")
async def test_a_letter_whose_workflow_is_lost_is_taken_up_again(muster: RunningMuster, org: Organization) -> None:
    ana = await addressee(muster, org)
    async with ana.database.write(ana.organization) as session:
        await intend(session, ana.organization, None, NoticeKind.INVITATION, "x", [Intent(ana.individual, ana.address, "email")])
        lost = (await session.scalars(select(Delivery.id).where(Delivery.recipient_id == ana.individual))).one()
    await recover(ana.database, IncidentGateway(muster.muster.client))
    await org.until(partial(ana.is_, lost, "sent", 1))


async def _was_put_off(ana: Addressee) -> bool:
    async with ana.database.read(ana.organization) as session:
        rows = (await session.scalars(select(OutboxRow))).all()
    return len(rows) == 2 and all(row.errand == "deliver" and row.last_error for row in rows)


@pytest.mark.feature("O4", "N5")
async def test_who_sees_a_letter_and_who_may_open_it(muster: RunningMuster, org: Organization) -> None:
    people = {role: await addressee(muster, org, role, role.capitalize()) for role in Role}
    other = await addressee(muster, org, Role.MEMBER, "Other")
    letters = {role: await person.intend() for role, person in people.items()}
    for role, person in people.items():
        await org.until(partial(person.is_, letters[role], "sent"))
    seen = {letters[role]: role for role in Role}
    expected: list[tuple[Addressee, set[Role], set[Role]]] = [
        (people[Role.OWNER], set(Role), set(Role)),
        (people[Role.ADMIN], set(Role), {Role.ADMIN, Role.MEMBER}),
        (people[Role.MEMBER], {Role.MEMBER}, {Role.MEMBER}),
        (other, set(), set()),
    ]
    for reader, lines, opened in expected:
        async with await reader.client() as client:
            ledger = (await client.get("/deliveries")).json()["data"]
            assert {seen[line["id"]] for line in ledger} == lines
            assert {seen[line["id"]] for line in ledger if line["inbox_message"]} == opened
            kept = (await client.get("/inbox")).json()["data"]
            assert {seen[message["delivery"]] for message in kept} == opened
            for role in set(Role) - lines:
                problem(await client.post(f"/deliveries/{letters[role]}/retry"), 404, "not_found")
    async with await people[Role.OWNER].client(Scope.READ) as reading:
        assert (await reading.get("/inbox")).json()["data"] == []
        assert not any(line["inbox_message"] for line in (await reading.get("/deliveries")).json()["data"])


async def test_a_letter_on_the_pages_belongs_to_no_incident(muster: RunningMuster, org: Organization) -> None:
    ana = await addressee(muster, org)
    delivery = await ana.intend()
    await org.until(partial(ana.is_, delivery, "sent"))
    pages = f"{org.base_url}/{org.slug}"
    (message,) = await inbox(org, ana)
    ledger = (await org.api.get(f"{pages}/deliveries")).text
    assert f"/{org.slug}/inbox/{message['id']}" in ledger
    for page in (ledger, (await org.api.get(f"{pages}/inbox/{message['id']}")).text):
        assert "/incidents/INC" not in page
        assert "None" not in page
    assert secret_in((await org.api.get(f"{pages}/inbox/{message['id']}/html")).text, org.slug, "invitation")
    assert (await org.api.get(f"{pages}/inbox?recipient={ana.individual}")).text.count("You are invited to") == 1
