"""Mail by SMTP: delivered once, whatever the server does, and the ledger says how it went (N1, N6, N7)."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from services.store.secrets import digest
from tests.conftest import new_muster
from tests.kit.problems import problem
from tests.notify.letters import Addressee, addressee, secret_in
from tests.notify.mail_server import MailServer, links, mail_server
from tests.support.running import Organization, RunningMuster
from workflows.contracts.notify import NoticeKind


@pytest.fixture(scope="module")
async def mail() -> AsyncIterator[MailServer]:
    """The server of this module's Muster."""
    async with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
async def mailing(
    database_kind: str, temporal: Any, mail: MailServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[RunningMuster]:
    """A Muster that sends mail."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MUSTER_SMTP_HOST", "127.0.0.1")
        environment.setenv("MUSTER_SMTP_PORT", str(mail.port))
        environment.setenv("MUSTER_SMTP_SECURITY", "none")
        environment.setenv("MUSTER_SMTP_SENDER", "Muster <muster@corp.example>")
        async with new_muster(database_kind, temporal, tmp_path_factory, request) as running:
            yield running


@pytest.fixture
async def org(mailing: RunningMuster) -> AsyncIterator[Organization]:
    """An organization whose mail goes out."""
    made = await mailing.organization()
    yield made
    await made.api.aclose()


async def delivery(org: Organization, person: dict[str, Any]) -> dict[str, Any] | None:
    """The mail to a person, as the ledger has it."""
    found = await org.get("/deliveries", recipient=person["id"], channel="email")
    return dict(found["data"][0]) if found["data"] else None


async def is_(org: Organization, person: dict[str, Any], **wanted: Any) -> bool:
    found = await delivery(org, person)
    return found is not None and all(found[name] == value for name, value in wanted.items())


@pytest.mark.feature("N1", "N5", "N6", "E6")
async def test_a_mail_arrives_whole_and_once(org: Organization, mail: MailServer) -> None:
    address = f"ana@{org.slug}.example"
    ana = await org.post("/individuals", {"name": "Ana\r\nBcc: x@y.example", "email": address, "terms": ["leak"]})
    incident = await org.report("A <b>leak</b>\nSubject: other", description="[x](javascript:alert(1)) **now** 🙈")
    await org.until(partial(is_, org, ana, state="sent"))
    (found,) = mail.to(ana["email"])
    assert "A <b>leak</b> Subject: other" in found["Subject"]
    assert found["Bcc"] is None
    assert found["From"] == "Muster <muster@corp.example>"
    assert found["Auto-Submitted"] == "auto-generated"
    ledger = await delivery(org, ana)
    assert ledger is not None
    assert found["Message-ID"] == ledger["provider_id"] == f"<{ledger['id']}@corp.example>"
    assert found["X-Muster-Delivery"] == ledger["id"]
    assert (ledger["provider"], ledger["attempts"], ledger["in_doubt"], ledger["reason"]) == ("smtp", 1, False, None)
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    text, html = (str(part.get_content()) for part in found.iter_parts())
    for form in (text, html):
        assert "leak" in form
        assert incident["links"]["page"] in form
        assert "🙈" in form
    assert "<b>leak" not in html
    assert 'href="javascript' not in html
    assert "<strong>now</strong>" in html


@pytest.mark.feature("N6", "N7")
async def test_while_the_server_is_down_the_rest_goes_on(org: Organization, mail: MailServer) -> None:
    await mail.down()
    ana = await org.individual("Ana", "outage")
    gone = await org.individual("Gone", "outage")
    incident = await org.report("An outage of mail")
    assert {"Ana", "Gone"} <= set(await org.participants(incident["id"]))
    for person in (ana, gone):
        await org.until(partial(_has_reason, org, person))
    chat = [each for each in await org.deliveries(incident["id"]) if each["channel"] == "chat"]
    await org.until(lambda: _all_chat(org, incident["id"]))
    assert len(chat) == 3
    waiting = await delivery(org, ana)
    assert waiting is not None
    assert (waiting["state"], waiting["in_doubt"]) == ("pending", False)
    assert "does not take connections" in waiting["reason"]
    problem(await org.api.post(f"/deliveries/{waiting['id']}/retry"), 409, "delivery_not_failed")
    await org.api.delete(f"/incidents/{incident['id']}/participants/{gone['id']}")
    await mail.up()
    await org.until(partial(is_, org, ana, state="sent"))
    await org.until(partial(is_, org, gone, state="folded"))
    assert len(mail.to(ana["email"])) == 1
    assert mail.to(gone["email"]) == []
    folded = await delivery(org, gone)
    assert folded is not None
    assert folded["reason"]


async def _has_reason(org: Organization, person: dict[str, Any]) -> bool:
    found = await delivery(org, person)
    return found is not None and bool(found["reason"])


async def _all_chat(org: Organization, incident: str) -> bool:
    return all(each["state"] == "sent" for each in await org.deliveries(incident) if each["channel"] == "chat")


@pytest.mark.feature("N6")
async def test_a_refused_mail_has_failed_until_it_is_tried_again(org: Organization, mail: MailServer) -> None:
    mail.refuse = "550 no such mailbox"
    ana = await org.individual("Ana", "refused")
    await org.report("Refused")
    await org.until(partial(is_, org, ana, state="failed"))
    failed = await delivery(org, ana)
    assert failed is not None
    assert "550" in failed["reason"]
    assert "no such mailbox" in failed["reason"]
    assert (await org.api.post(f"/deliveries/{failed['id']}/retry")).status_code == 202
    await org.until(partial(is_, org, ana, state="failed", attempts=2))
    mail.refuse = None
    assert (await org.api.post(f"/deliveries/{failed['id']}/retry")).status_code == 202
    await org.until(partial(is_, org, ana, state="sent", attempts=3))
    assert len(mail.to(ana["email"])) == 1
    problem(await org.api.post(f"/deliveries/{failed['id']}/retry"), 409, "delivery_not_failed")


@pytest.mark.feature("N6")
async def test_a_mail_in_doubt_is_sent_again_under_its_name_and_shown(org: Organization, mail: MailServer) -> None:
    ana = await org.individual("Ana", "doubt")
    await org.report("Without any of it", commander=(await org.get("/me"))["individual"]["id"])
    await org.until(lambda: org.all_sent("INC-1"))
    mail.drop_next = 1
    await org.patch("/incidents/INC-1", {"title": "A doubt"})
    await org.until(partial(is_, org, ana, state="sent"))
    sent = await delivery(org, ana)
    assert sent is not None
    assert (sent["in_doubt"], sent["attempts"]) == (True, 2)
    assert sent["reason"]
    first, second = mail.to(ana["email"])
    assert first["Message-ID"] == second["Message-ID"] == sent["provider_id"]


@pytest.mark.feature("N6")
async def test_a_mail_twice_in_doubt_is_left_to_a_person(org: Organization, mail: MailServer) -> None:
    ana = await org.individual("Ana", "twice")
    await org.report("Without any of it", commander=(await org.get("/me"))["individual"]["id"])
    await org.until(lambda: org.all_sent("INC-1"))
    mail.drop_next = 2
    await org.patch("/incidents/INC-1", {"title": "In doubt twice"})
    await org.until(partial(is_, org, ana, state="failed"))
    failed = await delivery(org, ana)
    assert failed is not None
    assert (failed["in_doubt"], failed["attempts"]) == (True, 2)
    assert "may have arrived" in failed["reason"]
    assert len(mail.to(ana["email"])) == 2
    assert (await org.api.post(f"/deliveries/{failed['id']}/retry")).status_code == 202
    await org.until(partial(is_, org, ana, state="sent", attempts=3, in_doubt=True))


@pytest.mark.feature("N6")
async def test_a_connection_lost_before_the_mail_leaves_no_doubt(org: Organization, mail: MailServer) -> None:
    mail.cut_early = 2
    ana = await org.individual("Ana", "early")
    await org.report("Cut early", commander=(await org.get("/me"))["individual"]["id"])
    await org.until(partial(is_, org, ana, state="sent"))
    sent = await delivery(org, ana)
    assert sent is not None
    assert sent["in_doubt"] is False
    assert len(mail.to(ana["email"])) == 1


@pytest.mark.feature("N1", "N6", "N7")
async def test_who_missed_the_welcome_gets_it_when_the_incident_is_reopened(org: Organization, mail: MailServer) -> None:
    await mail.down()
    ana = await org.individual("Ana", "again")
    await org.report("Again")
    await org.until(partial(_has_reason, org, ana))
    await org.post("/incidents/INC-1/transitions", {"to": "closed"})
    await mail.up()
    await org.until(partial(is_, org, ana, state="folded"))
    await org.post("/incidents/INC-1/transitions", {"to": "investigating"})
    await org.until(partial(is_, org, ana, state="sent"))
    assert len(mail.to(ana["email"])) == 1


@pytest.mark.feature("E9", "N6", "N7")
async def test_who_missed_a_hand_over_is_told_when_the_incident_is_reopened(org: Organization, mail: MailServer) -> None:
    ana = await org.individual("Ana", "handed")
    await org.report("Handed over")
    await org.until(partial(is_, org, ana, kind="welcome", state="sent"))
    await mail.down()
    await org.api.put("/incidents/INC-1/commander", json={"individual": ana["id"], "note": "Look at db-1 first."})
    await org.until(partial(is_, org, ana, kind="hand_over"))
    await org.until(partial(_has_reason, org, ana))
    await org.post("/incidents/INC-1/transitions", {"to": "closed"})
    await mail.up()
    await org.until(partial(is_, org, ana, state="folded", reason="The incident was closed when it could be sent."))
    await org.post("/incidents/INC-1/transitions", {"to": "investigating"})
    await org.until(partial(is_, org, ana, state="sent"))
    [_, found] = mail.to(ana["email"])
    assert all("Look at db-1 first." in str(part.get_content()) for part in found.iter_parts())


@pytest.mark.feature("N6")
async def test_an_address_the_server_cannot_take_has_failed(org: Organization, mail: MailServer) -> None:
    ana = await org.post("/individuals", {"name": "Ana", "email": "änä@example.org", "terms": ["unicode"]})
    await org.report("Unicode")
    await org.until(partial(is_, org, ana, state="failed"))
    assert mail.to(ana["email"]) == []


@pytest.mark.feature("N6", "N7")
async def test_a_notice_of_an_incident_that_ended_is_folded(org: Organization, mail: MailServer) -> None:
    await mail.down()
    ana = await org.individual("Ana", "ended")
    await org.report("Ended meanwhile")
    await org.until(partial(_has_reason, org, ana))
    await org.post("/incidents/INC-1/transitions", {"to": "closed"})
    await mail.up()
    await org.until(partial(is_, org, ana, state="folded"))
    folded = await delivery(org, ana)
    assert folded is not None
    assert "closed" in folded["reason"]
    assert mail.to(ana["email"]) == []


@pytest.mark.parametrize(("kind", "page"), [(NoticeKind.INVITATION, "invitation"), (NoticeKind.PASSWORD_RESET, "reset-password")])
@pytest.mark.feature("N6")
async def test_a_letters_secret_is_in_the_mail_alone(
    mailing: RunningMuster,
    org: Organization,
    mail: MailServer,
    kind: NoticeKind,
    page: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ana = await addressee(mailing, org)
    mail.quoting = [554, 451]
    delivery = await ana.intend(kind)
    await org.until(partial(ana.is_, delivery, "failed", 1))
    kept = [str(vars(await ana.row(delivery)))]
    assert (await org.api.post(f"/deliveries/{delivery}/retry")).status_code == 202
    await org.until(partial(ana.is_, delivery, "sent", 3))
    kept.append(str(vars(await ana.row(delivery))))
    secrets = [secret_in(links(each), org.slug, page) for each in mail.to(ana.address)]
    assert len(set(secrets)) == 3
    (credential,) = await ana.credentials()
    assert credential.secret_hash == digest(secrets[-1])
    for wave in (delivery, f"retry:{delivery}:1"):
        handle = mailing.muster.client.get_workflow_handle(f"notice:{ana.organization}:{kind}:{wave}")
        await handle.result()
        async for event in handle.fetch_history_events():
            kept.append(event.SerializeToString().decode(errors="replace"))
    # The ledger has the first refusal, Temporal the second.
    assert ["not liked" in each for each in kept].count(True) == 2
    written = "".join([*kept, caplog.text, *capfd.readouterr()])
    assert not any(secret in written for secret in secrets)


@pytest.mark.feature("N6", "N7")
async def test_a_letter_that_waits_for_the_server_goes_to_the_address_of_then(
    mailing: RunningMuster, org: Organization, mail: MailServer
) -> None:
    ana = await addressee(mailing, org)
    await mail.down()
    delivery = await ana.intend()
    await org.until(lambda: _tried(ana, delivery))
    (before,) = await ana.credentials()
    corrected = f"right@{org.slug}.example"
    assert (await org.api.patch(f"/individuals/{ana.individual}", json={"email": corrected})).is_success
    await mail.up()
    await org.until(partial(ana.is_, delivery, "sent"))
    assert mail.to(ana.address) == []
    (found,) = mail.to(corrected)
    (credential,) = await ana.credentials()
    assert credential.secret_hash == digest(secret_in(links(found), org.slug, "invitation")) != before.secret_hash
    assert (await ana.row(delivery)).address == corrected


async def _tried(ana: Addressee, delivery: str) -> bool:
    return bool((await ana.row(delivery)).reason)


@pytest.mark.feature("N6")
async def test_a_letter_is_tried_again_from_the_ledgers_page(mailing: RunningMuster, org: Organization, mail: MailServer) -> None:
    ana = await addressee(mailing, org)
    mail.refuse = "550 no such mailbox"
    delivery = await ana.intend()
    await org.until(partial(ana.is_, delivery, "failed"))
    mail.refuse = None
    answer = await org.api.post(f"{org.base_url}/{org.slug}/deliveries/{delivery}/retry")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/{org.slug}/deliveries")
    await org.until(partial(ana.is_, delivery, "sent", 2))
