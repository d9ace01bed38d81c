"""The pages by HTTP: where they lead, what they refuse, and that nothing which was typed is lost."""

import re
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update

from services.store.deliveries import Delivery
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML, Browser


@pytest.mark.feature("O1")
async def test_a_link_signs_in_once(muster: RunningMuster, org: Organization) -> None:
    link = await muster.muster.accounts.issue_link(org.slug)
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as client:
        assert (await client.get("/sign-in", params={"link": link})).status_code == 200
        first = await client.post("/sign-in", data={"link": link})
        assert (first.status_code, first.headers["location"]) == (303, f"/{org.slug}")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        assert (await client.get("/")).headers["location"] == f"/{org.slug}"
        client.cookies.clear()
        for secret in (link, "nonsense", ""):
            refused = await client.post("/sign-in", data={"link": secret})
            assert refused.status_code == 401
            assert "That link does not work" in refused.text
            assert "set-cookie" not in refused.headers


@pytest.mark.feature("O1")
async def test_who_is_not_signed_in_is_sent_to_sign_in(muster: RunningMuster, org: Organization) -> None:
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as client:
        assert (await client.get("/")).headers["location"] == "/sign-in"
        assert (await client.get("/incidents/report?title=x")).headers["location"] == "/sign-in"
        for path in ("", "/inbox", "/incidents/INC-1", "/contacts/individuals"):
            answer = await client.get(f"/{org.slug}{path}")
            assert answer.status_code == 303
            assert answer.headers["location"] == f"/{org.slug}/sign-in?next={quote(f'/{org.slug}{path}', safe='')}"
        # Whether an organization exists is not told.
        here, nowhere = [(await client.get(f"/{slug}/sign-in")).text.replace(slug, "x") for slug in (org.slug, "nowhere")]
        assert here == nowhere
        for odd in ("/%5Cevil.example/inbox", "//evil.example/inbox", "/evil.example%2F..%2Finbox"):
            answer = await client.get(odd)
            assert not re.match(r"(https?:|//|/\\)", answer.headers.get("location", ""))


@pytest.mark.feature("R1")
async def test_the_older_address_of_the_form_keeps_what_was_asked(browser: Browser) -> None:
    answer = await browser.get("/incidents/report?title=It%20broke&tags=a%2Cb")
    assert answer.headers["location"] == f"/{browser.slug}/incidents/report?title=It%20broke&tags=a%2Cb"


@pytest.mark.feature("O1")
async def test_another_organization_asks_to_sign_in_whether_or_not_there_is_one(browser: Browser, muster: RunningMuster) -> None:
    other = await muster.organization()
    for slug in (other.slug, "nowhere"):
        answer = await browser.get(f"/{slug}/inbox?recipient=x")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/{slug}/sign-in?next=%2F{slug}%2Finbox%3Frecipient%3Dx"
    await other.api.aclose()


async def test_pages_leave_the_fixed_addresses_alone(browser: Browser) -> None:
    assert (await browser.get("/healthz")).json() == {"status": "alive"}
    assert (await browser.get("/readyz")).status_code == 200
    assert (await browser.get("/static/app.css")).headers["content-type"].startswith("text/css")
    assert (await browser.get("/api/v1/openapi.json")).json()["info"]["title"] == "Muster"


async def test_a_form_from_elsewhere_is_refused(browser: Browser, org: Organization) -> None:
    answer = await browser.client.post(f"/{browser.slug}/incidents/report", data={"title": "Forged"})
    assert answer.status_code == 403
    assert (await browser.client.post(f"/{browser.slug}/sign-out", data={})).status_code == 403
    assert (await browser.get(f"/{browser.slug}")).status_code == 200
    assert (await org.get("/incidents"))["data"] == []


@pytest.mark.feature("O1")
async def test_signing_out_ends_the_session_for_whoever_kept_its_cookie(browser: Browser) -> None:
    cookie = f"muster-{browser.slug}"
    kept = browser.client.cookies[cookie]
    answer = await browser.send(f"/{browser.slug}", f"/{browser.slug}/sign-out")
    assert answer.headers["location"] == f"/{browser.slug}/sign-in?signed_out=true"
    browser.client.cookies.set(cookie, kept)
    assert (await browser.get(f"/{browser.slug}")).status_code == 303


@pytest.mark.feature("R1", "R2")
async def test_a_refused_report_keeps_what_was_typed(browser: Browser, org: Organization) -> None:
    form = f"/{browser.slug}/incidents/report"
    answer = await browser.send(
        form, form, title="", description="<b>It</b> broke", severity="Enormous", tags="a, b", mode="retrospective",
        occurred_at="2999-01-01T00:00",
    )  # fmt: skip
    assert answer.status_code == 422
    assert "Say in a few words what is wrong." in answer.text
    assert "&lt;b&gt;It&lt;/b&gt; broke" in answer.text
    again = await browser.send(form, form, title="It broke", severity="Enormous", commander="nobody@example.org")
    assert "There is no severity “Enormous”" in again.text
    assert "Nobody here has the address nobody@example.org." in again.text
    late = await browser.send(form, form, title="It broke", mode="retrospective", occurred_at="2999-01-01T00:00")
    assert "cannot have begun in the future" in late.text
    odd = await browser.send(form, form, title="It broke", mode="retrospective", occurred_at="yesterday")
    assert "Give a date and a time" in odd.text
    assert (await org.get("/incidents"))["data"] == []


@pytest.mark.feature("R7")
async def test_a_report_of_the_past_says_when(browser: Browser, org: Organization) -> None:
    form = f"/{browser.slug}/incidents/report"
    answer = await browser.send(form, form, title="It broke", mode="retrospective", occurred_at="2026-01-02T03:04")
    assert answer.status_code == 303
    assert (await org.get("/incidents/INC-1"))["started_at"] == "2026-01-02T03:04:00Z"


@pytest.mark.feature("E1")
async def test_contacts_are_added_changed_and_searched(browser: Browser, org: Organization) -> None:
    contacts = f"/{browser.slug}/contacts/individuals"
    refused = await browser.send(contacts, contacts, name="Kai", email="nowhere", terms="a b c d e f g h i\nqueue")
    assert refused.status_code == 422
    assert "This is not an e-mail address" in refused.text
    assert "“a b c d e f g h i” has 9 words" in refused.text
    assert "a b c d e f g h i\nqueue</textarea>" in refused.text
    added = await browser.send(contacts, contacts, name="Kai", email="kai@example.org", terms="queue\r\n\r\nbig  lag\r\n")
    assert added.status_code == 303
    assert "Kai was added." in (await browser.get(added.headers["location"])).text
    kai = (await org.get("/individuals", q="lag"))["data"][0]
    assert kai["terms"] == ["queue", "big  lag"]
    taken = await browser.send(contacts, contacts, name="Kai", email="KAI@example.org")
    assert "Another individual has this address" in taken.text

    entry = f"{contacts}/{kai['id']}"
    changed = await browser.send(entry, entry, name="Kai O.", email="kai@example.org", terms="lag")
    assert changed.status_code == 303
    now = await org.get(f"/individuals/{kai['id']}")
    assert (now["name"], now["terms"], now["active"]) == ("Kai O.", ["lag"], False)
    late = await browser.send(entry, entry, name="Late", email="kai@example.org", version="1")
    assert late.status_code == 412
    assert 'value="Late"' in late.text
    assert "Kai O." in (await browser.get(f"{contacts}?q=LAG")).text
    assert "Nobody matches" in (await browser.get(f"{contacts}?q=invoice")).text


async def test_edits_of_two_people_are_merged_field_by_field(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows", tags=["a"])
    edit = f"/{browser.slug}/incidents/INC-1/edit"
    opened = (await browser.get(edit)).text
    form = dict(re.findall(r'type="hidden" name="(was_\w+)" value="([^"]*)"', opened))
    form |= {name.removeprefix("was_"): value for name, value in form.items()}
    assert form["severity"]
    # Both have it open: one changes the title, the other the description.
    assert (await browser.send(edit, edit, **form | {"title": "Queue grows fast"})).status_code == 303
    assert (await browser.send(edit, edit, **form | {"description": "Since noon", "tags": "a"})).status_code == 303
    now = await org.get("/incidents/INC-1")
    assert (now["title"], now["description"], now["tags"]) == ("Queue grows fast", "Since noon", ["a"])

    late = await browser.send(edit, edit, **form | {"title": "Queue stands", "tags": "a, b"})
    assert late.status_code == 412
    assert "Meanwhile it became “Queue grows fast”" in late.text
    assert late.text.count("Meanwhile it became") == 2  # above the form, and at the title
    assert 'value="Queue stands"' in late.text
    assert 'value="a, b"' in late.text
    assert "Since noon</textarea>" in late.text
    assert (await org.get("/incidents/INC-1"))["title"] == "Queue grows fast"
    # Whoever has seen it may overwrite it.
    assert (await browser.send(edit, edit, title="Queue stands", tags="a, b")).status_code == 303
    now = await org.get("/incidents/INC-1")
    assert (now["title"], now["description"], now["tags"]) == ("Queue stands", "Since noon", ["a", "b"])
    assert (await browser.send(edit, edit, title=" ")).status_code == 422


@pytest.mark.feature("L1")
async def test_a_move_that_is_not_allowed_is_said_on_the_incident(browser: Browser, org: Organization) -> None:
    await org.individual("Kai Okafor")
    await org.report("Queue grows")
    here = f"/{browser.slug}/incidents/INC-1"
    refused = await browser.send(here, f"{here}/transitions", to="investigating")
    assert refused.status_code == 409
    assert "The incident is already Investigating." in refused.text
    declined = await browser.send(f"{here}/transitions?to=declined", f"{here}/transitions", reason=" ")
    assert declined.status_code == 422
    assert "Say why the incident is declined" in declined.text
    assert (await browser.get(f"{here}/transitions?to=stable")).headers["location"] == here
    alone = await browser.send(here, f"{here}/participants", individual="")
    assert (alone.status_code, "Name a person." in alone.text) == (422, True)


async def test_a_refused_entry_keeps_its_text(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows")
    here = f"/{browser.slug}/incidents/INC-1"
    for tab, action in (("timeline", "timeline"), ("channel", "messages")):
        refused = await browser.send(f"{here}?tab={tab}", f"{here}/{action}", text="x" * 20_001)
        assert refused.status_code == 422
        assert "x" * 20_001 in refused.text
        assert "at most 20000 characters" in refused.text


@pytest.mark.feature("E5")
async def test_people_leave_and_join_by_form(browser: Browser, org: Organization) -> None:
    kai = await org.individual("Kai Okafor")
    await org.report("Queue grows")
    here = f"/{browser.slug}/incidents/INC-1"
    assert (await browser.send(here, f"{here}/participants", individual=kai["id"])).status_code == 303
    assert "choose another commander first" in (await browser.get(here)).text
    assert (await browser.send(here, f"{here}/commander", individual=kai["id"])).status_code == 303
    page = (await browser.get(here)).text
    assert "choose another commander first" not in page
    assert "Remove from the incident" not in page  # Kai leads, and of oneself one says that one leaves
    assert (await browser.send(here, f"{here}/leave")).status_code == 303
    assert (await org.participants("INC-1"))["Olive Owner"]["state"] == "left"
    assert (await browser.send(here, f"{here}/join")).status_code == 303
    assert (await browser.send(here, f"{here}/not-relevant")).status_code == 303
    assert (await org.participants("INC-1"))["Olive Owner"]["state"] == "left"


@pytest.mark.feature("N5")
async def test_a_mail_is_framed_without_any_right(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows")
    await org.until(lambda: org.all_sent("INC-1"))
    messages = {message["channel"]: message["id"] for message in (await org.get("/inbox"))["data"]}
    mail = await browser.get(f"/{browser.slug}/inbox/{messages['email']}/html")
    policy = mail.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy
    assert (await browser.get(f"/{browser.slug}/inbox/{messages['chat']}/html")).status_code == 404
    chat = (await browser.get(f"/{browser.slug}/inbox/{messages['chat']}")).text
    assert "<iframe" not in chat
    assert '<div class="prose"><p>' in chat


@pytest.mark.feature("N5", "N6")
async def test_mail_that_stays_here_is_not_said_to_be_sent(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows")
    await org.until(lambda: org.all_sent("INC-1"))
    for path in ("/deliveries?channel=email", "/incidents/INC-1?tab=deliveries"):
        page = (await browser.get(f"/{browser.slug}{path}")).text
        assert '<span class="state quiet">In the inbox</span>' in page
        assert page.count("no mail server is set up") == 1
    assert "Mail is not going out until MUSTER_SMTP_HOST is set" in (await browser.get(f"/{browser.slug}/inbox")).text
    mail = next(message["id"] for message in (await org.get("/inbox"))["data"] if message["channel"] == "email")
    assert "no mail server is set up" in (await browser.get(f"/{browser.slug}/inbox/{mail}")).text


@pytest.mark.feature("E2")
@pytest.mark.parametrize(("term", "said"), [("queue", "term"), ("credential leak", "phrase")])
async def test_a_match_of_several_words_is_a_phrase(browser: Browser, org: Organization, term: str, said: str) -> None:
    await org.individual("Kai Okafor", term)
    await org.report("Queue has a Credential_Leak")
    assert f"{said} “<mark>" in (await browser.get(f"/{browser.slug}/incidents/INC-1")).text


@pytest.mark.feature("C9")
async def test_the_list_says_how_many_match_and_what_is_unknown(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows")
    await org.report("Queue stands")
    assert "2 matches" in (await browser.get(f"/{browser.slug}?q=queue")).text
    assert "1 match<" in (await browser.get(f"/{browser.slug}?q=stands")).text
    assert "There is no status “bogus”." in (await browser.get(f"/{browser.slug}?status=bogus")).text


async def test_the_record_is_downloaded_from_the_page(browser: Browser, org: Organization) -> None:
    await org.report("Queue grows")
    link = re.search(r'href="([^"]*/record\.json)"', (await browser.get(f"/{browser.slug}/incidents/INC-1")).text)
    assert link
    assert (await browser.get(link.group(1))).json()["reference"] == "INC-1"


@pytest.mark.feature("N6")
async def test_the_ledger_is_filtered(browser: Browser, org: Organization) -> None:
    await org.individual("Kai Okafor", "queue")
    await org.report("Queue grows")
    await org.until(lambda: org.all_sent("INC-1"))
    ledger = f"/{browser.slug}/deliveries"
    assert (await browser.get(ledger)).text.count('id="delivery-') == 4
    assert (await browser.get(f"{ledger}?recipient=okafor&channel=email")).text.count('id="delivery-') == 1
    for nothing in ("state=failed", "incident=INC-9", "incident=rubbish", "recipient=nobody"):
        assert "No delivery matches these filters" in (await browser.get(f"{ledger}?{nothing}")).text
    assert (await browser.get(f"{ledger}?after=elsewhere")).status_code == 400


@pytest.mark.feature("C9")
async def test_pages_ask_a_constant_number_of_queries(
    browser: Browser, org: Organization, muster: RunningMuster, statements: list[str]
) -> None:
    pages = (f"/{browser.slug}", f"/{browser.slug}/contacts/individuals", f"/{browser.slug}/inbox", f"/{browser.slug}/deliveries")
    incident = (f"/{browser.slug}/incidents/INC-1", f"/{browser.slug}/incidents/INC-1?tab=channel")
    await org.individual("Kai Okafor", "queue")
    await org.report("Queue grows")
    await org.until(lambda: org.all_sent("INC-1"))
    await org.post("/incidents/INC-1/messages", {"text": "hello"})
    before = {path: await _count(browser, path, statements) for path in pages + incident}
    for number in range(4):
        await org.individual(f"Person {number}", "queue", "lag")
        await org.post("/incidents/INC-1/messages", {"text": "hello"})
    for number in range(3):
        await org.report(f"Queue {number}")
    await org.until(lambda: org.all_sent("INC-4"))
    assert {path: await _count(browser, path, statements) for path in pages + incident} == before


@pytest.mark.feature("N6")
async def test_the_ledger_asks_a_constant_number_of_queries_about_what_failed(
    browser: Browser, org: Organization, muster: RunningMuster, statements: list[str]
) -> None:
    ledger = f"/{browser.slug}/deliveries"
    await _all_failed(org, muster, "Queue grows")
    before = await _count(browser, ledger, statements)
    for number in range(3):
        project = await org.post("/projects", {"name": f"Project {number}"})
        await _all_failed(org, muster, f"Queue {number}", project=project["id"])
    assert await _count(browser, ledger, statements) == before
    # Whether each may be tried again was asked.
    assert (await browser.get(ledger)).text.count("/retry") == 4 * 2


async def _all_failed(org: Organization, muster: RunningMuster, title: str, **more: str) -> None:
    """Report an incident, none of whose messages arrives."""
    incident = (await org.report(title, **more))["id"]
    await org.until(lambda: org.all_sent(incident))
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.write(organization) as session:
        await session.execute(update(Delivery).where(Delivery.incident_id == incident).values(state="failed"))


async def _count(browser: Browser, path: str, statements: list[str]) -> int:
    statements.clear()
    assert (await browser.get(path)).status_code == 200
    return len([statement for statement in statements if statement.startswith("SELECT")])
