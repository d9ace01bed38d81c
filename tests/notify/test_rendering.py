"""What people wrote reads as they wrote it; only Muster's own links are links (N1)."""

import re
from typing import Final

import pytest
from sqlalchemy import select

from services.desk.lookup import Person
from services.engagement.schemas import NewIndividual
from services.kit.markdown import to_html
from services.notify.rendering import Facts, InShort, Renderer
from services.store.incidents import Incident
from tests.support.running import Organization, RunningMuster
from workflows.domain.engagement import Evidence, EvidenceKind, ViaKind
from workflows.domain.incident import IncidentState

ON_CALL: Final = "on call for Ledger"
NO_SERVICE: Final = "on call for everything"
"""What a team can be called as well."""
BY_POLICY: Final = "commander by the role policy “Security”"
WHY: Final[list[tuple[EvidenceKind, str, str | None, str]]] = [
    (EvidenceKind.TERM, "disk", None, 'your term "disk" occurs in the title'),
    (EvidenceKind.TERM, "disk", "Team Pay", 'the term "disk" of Team Pay occurs in the title'),
    (EvidenceKind.TERM, "full disk", "Team Pay", 'the phrase "full disk" of Team Pay occurs in the title'),
    (EvidenceKind.TERM, "disk", ON_CALL, 'the term "disk" occurs in the title, and you are on call for Ledger'),
    (EvidenceKind.RULE, "Severe", None, 'the rule "Severe" holds'),
    (EvidenceKind.RULE, "Severe", "Team Pay", 'the rule "Severe" holds and engages Team Pay'),
    (EvidenceKind.TERM, "disk", NO_SERVICE, 'the term "disk" of on call for everything occurs in the title'),
    (EvidenceKind.RULE, "Severe", NO_SERVICE, 'the rule "Severe" holds and engages on call for everything'),
    (EvidenceKind.RULE, "Severe", ON_CALL, 'the rule "Severe" holds, and you are on call for Ledger'),
    (EvidenceKind.ROLE, "reporter of the incident", None, "you are the reporter of the incident"),
    (EvidenceKind.ROLE, BY_POLICY, None, f"you are the {BY_POLICY}"),
    (EvidenceKind.ROLE, BY_POLICY, ON_CALL, f"you are the {BY_POLICY}, and you are on call for Ledger"),
    (EvidenceKind.MANUAL, "added by Olive Owner", None, "you were added by Olive Owner"),
    (EvidenceKind.SELF_JOIN, "joined", None, "you joined"),
]
"""Evidence by its kind, its text and what it engaged somebody as; and how the welcome says it."""


@pytest.mark.feature("N1", "N5")
async def test_names_and_titles_put_no_markup_into_the_welcome(org: Organization) -> None:
    ana = await org.post(
        "/individuals", {"name": "[Ana](http://evil.example) **now**", "email": "ana@example.org", "terms": ["markup"]}
    )
    await org.report(
        "x](http://evil.example) markup _of_ mine",
        description="# Heading\n1. [Log in](http://evil.example) <http://evil.example>",
    )
    await org.until(lambda: org.all_sent("INC-1"))
    inbox = (await org.get("/inbox", recipient=ana["id"]))["data"]
    chat = to_html(next(each["text"] for each in inbox if each["channel"] == "chat"))
    assert 'href="http://evil.example' not in chat
    assert "Welcome, [Ana](http://evil.example) **now**." in chat
    assert "x](http://evil.example) markup _of_ mine</a>" in chat
    assert "<h1>" not in chat
    assert "1. [Log in](http://evil.example)" in chat
    assert all("incident_title" not in each for each in inbox)


@pytest.mark.feature("N1", "E6", "E10")
async def test_the_welcome_says_as_what_one_was_engaged(muster: RunningMuster, org: Organization) -> None:
    incident = await org.report("Full disk")
    async with muster.muster.database.read((await org.get("/me"))["organization"]["id"]) as session:
        row = (await session.scalars(select(Incident).where(Incident.id == incident["id"]))).one()
    short = InShort.model_validate(IncidentState.model_validate(row.state), from_attributes=True)
    who = Person(id=row.reporter_id, name="Olive", email="olive@example.org")
    common = {"organization_name": "Org", "slug": "org", "recipient": who, "incident": short, "reporter": who, "commander": who}
    renderer = Renderer("http://127.0.0.1")
    for kind, text, via, said in WHY:
        attribute = "title" if kind is EvidenceKind.TERM else None
        stands_for: ViaKind | None = None if via is None else "oncall" if via == ON_CALL else "team"
        piece = Evidence(kind=kind, text=text, via=via, via_kind=stands_for, attribute=attribute)
        told = renderer.welcome(Facts.model_validate(common | {"evidence": [piece, piece]}))
        assert f"because {said} and because {said}." in told.text
        in_chat, in_html = said.replace('"', "**"), re.sub(r'"([^"]+)"', r"“\1”", said)
        assert f"because {in_chat} and because {in_chat} ([why?]" in told.chat
        shown = " ".join(re.sub(r"<[^>]+>", "", told.html).split())
        assert f"You are a participant: {in_html}; {in_html}." in shown
        assert f"because {in_html} and because {in_html}. Why?" in shown


@pytest.mark.feature("N1", "E1")
async def test_what_a_team_is_called_is_no_markup(org: Organization) -> None:
    ana = await org.individual("Ana")
    await org.post("/teams", {"name": "<b>[x](http://evil.example)", "members": [ana["id"]], "terms": ["markup"]})
    await org.report("The markup")
    await org.until(lambda: org.all_sent("INC-1"))
    inbox = (await org.get("/inbox", recipient=ana["id"]))["data"]
    chat = to_html(next(each["text"] for each in inbox if each["channel"] == "chat"))
    assert "of &lt;b&gt;[x](http://evil.example) occurs in the title" in chat


@pytest.mark.feature("E1")
def test_a_name_is_one_line_and_an_address_no_encoded_word() -> None:
    assert NewIndividual(name="Ana\nOpen it:  x", email="a@b.example").name == "Ana Open it: x"
    for address in ("=?utf-8?q?victim=40evil.example=2Cx?=@example.org", "a@=?utf-8?q?evil.example?="):
        with pytest.raises(ValueError, match="is not an e-mail address"):
            NewIndividual(name="Ana", email=address)
