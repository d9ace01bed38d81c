"""What is no text as databases take it, from whoever is not signed in: a problem, never a fault."""

import httpx
import pytest

from tests.kit.problems import problem
from tests.support.running import PATIENCE, Organization, RunningMuster

PAGES = ["sign-in", "forgot-password", "invitation", "reset-password", "sign-in/provider", "sign-in/callback"]
FORMS = ["sign-in", "forgot-password", "invitation", "reset-password", "sign-out"]


@pytest.fixture
def anybody(muster: RunningMuster) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE)


@pytest.mark.feature("O4")
@pytest.mark.parametrize("slug", ["%00", "a%00b", "%2500"])
async def test_nul_in_an_address_is_not_found(anybody: httpx.AsyncClient, slug: str) -> None:
    async with anybody:
        for page in PAGES:
            problem(await anybody.get(f"/{slug}/{page}"), 404, "not_found")
            page_shown = await anybody.get(f"/{slug}/{page}", headers={"Accept": "text/html"})
            assert (page_shown.status_code, page_shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
        for page in FORMS:
            problem(await anybody.post(f"/{slug}/{page}", data={"email": "mia@x.example", "password": "x"}), 404, "not_found")
        problem(await anybody.get(f"/api/v1/{slug}/me"), 404, "not_found")


@pytest.mark.feature("O4")
async def test_nul_in_a_query_is_not_valid(anybody: httpx.AsyncClient, org: Organization) -> None:
    async with anybody:
        for query in ("secret=%00", "state=a%00b&code=x", "a%00b=x", "next=%00"):
            for page in PAGES:
                problem(await anybody.get(f"/{org.slug}/{page}?{query}"), 422, "invalid")


@pytest.mark.feature("O4")
@pytest.mark.parametrize(
    "charset", ["unicode_escape", "raw_unicode_escape", "punycode", "undefined", "utf-7", "idna", "hex", "x"]
)
async def test_a_form_in_a_strange_charset_is_refused(anybody: httpx.AsyncClient, org: Organization, charset: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n\\ud83d\\x00\xff\r\n--b--\r\n'
    async with anybody:
        for declared in (
            f"charset={charset}",
            f'Charset = "{charset}"',
            f"charset=utf-8; charset={charset}",
            f"charset*={charset}",
        ):
            headers = {"Content-Type": f"multipart/form-data; boundary=b; {declared}"}
            for page in FORMS:
                problem(await anybody.post(f"/{org.slug}/{page}", content=body, headers=headers), 400, "charset_unknown")


@pytest.mark.feature("O4")
@pytest.mark.parametrize("more", ["", "; charset=utf-8", '; charset="UTF-8"'])
async def test_a_form_in_parts_is_read_as_utf_8(anybody: httpx.AsyncClient, org: Organization, more: str) -> None:
    body = '--b\r\nContent-Disposition: form-data; name="email"\r\n\r\nmüller@x.example\r\n--b--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=b{more}", "Accept": "text/html"}
    async with anybody:
        answer = await anybody.post(f"/{org.slug}/forgot-password", content=body.encode(), headers=headers)
    assert (answer.status_code, "müller@x.example" in answer.text) == (200, True)
