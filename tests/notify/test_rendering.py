"""What people wrote reads as they wrote it; only Muster's own links are links (N1)."""

import pytest

from services.engagement.schemas import NewIndividual
from services.kit.markdown import to_html
from tests.support.running import Organization


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


@pytest.mark.feature("E1")
def test_a_name_is_one_line_and_an_address_no_encoded_word() -> None:
    assert NewIndividual(name="Ana\nOpen it:  x", email="a@b.example").name == "Ana Open it: x"
    for address in ("=?utf-8?q?victim=40evil.example=2Cx?=@example.org", "a@=?utf-8?q?evil.example?="):
        with pytest.raises(ValueError, match="is not an e-mail address"):
            NewIndividual(name="Ana", email=address)
