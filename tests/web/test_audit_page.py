"""The audit log's page (O5)."""

import pytest
from sqlalchemy import insert

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.audit import AuditRow
from tests.support.running import Organization, RunningMuster
from tests.web.browser import Browser


@pytest.mark.feature("O5")
async def test_the_audit_page_asks_as_much_of_many_entries_as_of_few(
    muster: RunningMuster, org: Organization, browser: Browser, statements: list[str]
) -> None:
    organization = (await org.get("/me"))["organization"]["id"]
    row = {
        "organization_id": organization, "at": now(), "account_id": None, "who": "Olive", "via": "session", "address": "",
        "action": "member.role_changed", "object_id": None, "object_name": "Mia", "before": {"role": "member"},
    }  # fmt: skip
    counts = []
    for size in (30, 10_000):
        async with muster.muster.database.write(organization) as session:
            for _ in range(0, size, 1_000):
                rows = [row | {"id": new_id(), "after": {"role": "admin"}} for _ in range(min(size, 1_000))]
                await session.execute(insert(AuditRow), rows)
        statements.clear()
        page = await browser.get(f"/{org.slug}/settings/audit?q=olive&about=member.")
        counts.append(sum(each.startswith("SELECT") for each in statements))
        assert page.text.count("gave Mia the role “Administrator”") == 25
        assert "Older entries" in page.text
    assert counts[0] == counts[1]
    assert "Export as CSV" in page.text
    assert (await browser.get(f"/{org.slug}/settings/audit?from=nonsense&to=2026-01-01")).text.count("<li data-row>") == 0


@pytest.mark.feature("O5")
async def test_days_that_are_the_wrong_way_round_are_told(browser: Browser) -> None:
    here = f"/{browser.slug}/settings/audit"
    backwards = (await browser.get(f"{here}?from=2026-11-20&to=2026-11-19")).text
    assert 'id="error-to">This is before “From”: no day lies between them.' in backwards
    assert "error-to" not in (await browser.get(f"{here}?from=2026-11-20&to=2026-11-20")).text
