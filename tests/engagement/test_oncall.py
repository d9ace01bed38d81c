"""On-call services: their rotation, their overrides, and whoever they stand for (E10)."""

import asyncio
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy.pool import QueuePool

from services.engagement import targets
from services.engagement.oncall.provider import Duty, OnCallProvider, ProviderFailed
from services.engagement.rotation import MAX_HOURS, MAX_LAYERS, WEEKDAYS
from services.engagement.targets import PROVIDERS, Resolved
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.teams import OnCallService
from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.providers import Momentary
from tests.support.running import Organization, RunningMuster
from workflows.domain.rules import Target, TargetKind

pytestmark = pytest.mark.feature("E10")

HOUR = timedelta(hours=1)


def layer(*members: str, **more: Any) -> dict[str, Any]:
    """A layer that hands over every day at midnight, and began a while ago."""
    starts_at = f"{now() - timedelta(days=10):%Y-%m-%d}T00:00:00"
    return {"name": "Primary", "time_zone": "UTC", "starts_at": starts_at, "every": {"days": 1}, "members": list(members)} | more


async def service(org: Organization, *layers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": list(layers)}, **more})


async def on_call(org: Organization, made: dict[str, Any]) -> str | None:
    found = (await org.get(f"/oncall-services/{made['id']}/on-call"))["individual"]
    return None if found is None else str(found["name"])


async def override(org: Organization, made: dict[str, Any], person: str, begin: datetime, end: datetime) -> dict[str, Any]:
    body = {"individual": person, "from": begin.isoformat(), "until": end.isoformat()}
    return await org.post(f"/oncall-services/{made['id']}/overrides", body)


async def test_a_service_is_made_read_and_changed(org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    response = await org.api.post(
        "/oncall-services",
        json={"name": "Ledger", "rotation": {"layers": [layer(ana["id"], ben["id"])]}, "terms": ["double booking"]},
    )
    made = response.json()
    assert response.status_code == 201
    assert response.headers["ETag"] == '"1"'
    assert made["rotation"]["layers"][0]["every"]["days"] == 1
    assert [each["name"] for each in made["people"]] == ["Ana", "Ben"]
    assert made["provider"] == "rotation"
    assert await org.get(f"/oncall-services/{made['id']}") == made
    changed = await org.patch(f"/oncall-services/{made['id']}", {"rotation": {"layers": [layer(ben["id"], name="Only Ben")]}})
    assert [each["name"] for each in changed["people"]] == ["Ben"]
    assert (await org.get("/oncall-services", q="double"))["data"][0]["on_call"]["name"] == "Ben"
    assert (await org.api.delete(f"/oncall-services/{made['id']}")).status_code == 204
    assert (await org.get(f"/oncall-services/{made['id']}"))["active"] is False


async def test_a_service_that_cannot_be_is_refused(org: Organization) -> None:
    ana = (await org.individual("Ana"))["id"]
    await service(org, layer(ana))
    at = "rotation.layers.0"
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"rotation": {"layers": [layer(ana, new_id())]}}, f"{at}.members.1", "unknown"),
        ({"rotation": {"layers": [layer()]}}, f"{at}.members", "invalid"),
        ({"rotation": {"layers": [layer(ana, time_zone="Nowhere")]}}, f"{at}.time_zone", "invalid"),
        ({"rotation": {"layers": [layer(ana, time_zone="localtime")]}}, f"{at}.time_zone", "invalid"),
        ({"rotation": {"layers": [layer(ana, time_zone="Factory")]}}, f"{at}.time_zone", "invalid"),
        ({"rotation": {"layers": [layer(ana, every={"days": True})]}}, f"{at}.every.days", "invalid"),
        ({"rotation": {"layers": [layer(ana, starts_at="2026-02-30T00:00")]}}, f"{at}.starts_at", "invalid"),
        ({"rotation": {"layers": [layer(ana, every={"days": 1, "weeks": 1})]}}, f"{at}.every", "invalid"),
        ({"name": "LEDGER"}, "name", "name_taken"),
        ({"provider": "crystal ball"}, "provider", "invalid"),
    ]
    for change, field, code in wrong:
        assert fields(problem(await org.api.post("/oncall-services", json={"name": "Other"} | change), 422, code)) == {field}


async def test_shifts_have_no_gaps_and_say_who_and_why(org: Organization) -> None:
    ana, ben, cai = [(await org.individual(name))["id"] for name in ("Ana", "Ben", "Cai")]
    tomorrow = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    made = await service(org, layer(ana, ben))
    over = await override(org, made, cai, tomorrow + 2 * HOUR, tomorrow + 5 * HOUR)
    query = {"from": tomorrow.isoformat(), "until": (tomorrow + timedelta(days=2)).isoformat()}
    found = (await org.get(f"/oncall-services/{made['id']}/shifts", **query))["data"]
    first = "Ana" if (tomorrow.date() - (now() - timedelta(days=10)).date()).days % 2 == 0 else "Ben"
    second = {"Ana": "Ben", "Ben": "Ana"}[first]
    assert [shift["individual"]["name"] for shift in found] == [first, "Cai", first, second]
    assert [shift["override"] for shift in found] == [None, over["id"], None, None]
    assert [shift["layer"] for shift in found] == ["Primary", None, "Primary", "Primary"]
    assert all(before["until"] == after["from"] for before, after in pairwise(found))
    for wrong in (
        {"until": query["from"]},
        {"until": (tomorrow + timedelta(days=93)).isoformat()},
        {"from": "1999-01-01T00:00Z"},
    ):
        response = await org.api.get(f"/oncall-services/{made['id']}/shifts", params=query | wrong)
        assert fields(
            problem(response, 422, "out_of_range" if wrong.get("until") == query["from"] or "from" in wrong else "too_long")
        )


async def test_at_the_end_of_the_calendar_there_are_no_shifts(org: Organization) -> None:
    here = f"/oncall-services/{(await service(org))['id']}/shifts"
    for moment in ("9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z", "2100-01-01T00:00:00Z"):
        for query in ({"from": moment}, {"from": moment, "until": moment}):
            assert fields(problem(await org.api.get(here, params=query), 422, "out_of_range")) == {"from"}
        assert fields(problem(await org.api.get(here, params={"until": moment}), 422, "out_of_range")) == {"until"}
    late = await org.api.get(here, params={"from": "2099-12-31T00:00:00Z"})
    assert fields(problem(late, 422, "out_of_range")) == {"until"}


async def test_nobody_is_said_as_well(org: Organization) -> None:
    made = await service(org)
    assert await on_call(org, made) is None
    [shift] = (await org.get(f"/oncall-services/{made['id']}/shifts"))["data"]
    assert (shift["individual"], shift["layer"], shift["override"]) == (None, None, None)
    assert (await org.get(f"/oncall-services/{made['id']}/on-call"))["until"] is None


async def test_an_override_wins_until_it_is_taken_back(org: Organization) -> None:
    ana, cai = await org.individual("Ana"), await org.individual("Cai")
    made = await service(org, layer(ana["id"]))
    here = f"/oncall-services/{made['id']}"
    running = await override(org, made, cai["id"], now() - HOUR, now() + HOUR)
    ahead = await override(org, made, cai["id"], now() + 3 * HOUR, now() + 4 * HOUR)
    seen = await org.get(f"{here}/on-call")
    assert (seen["individual"]["name"], seen["following"]["name"], seen["override"]) == ("Cai", "Ana", running["id"])
    assert [each["id"] for each in (await org.get(here))["overrides"]] == [running["id"], ahead["id"]]
    for each in (running, ahead):
        assert (await org.api.delete(f"{here}/overrides/{each['id']}")).status_code == 204
    assert await on_call(org, made) == "Ana"
    problem(await org.api.delete(f"{here}/overrides/{running['id']}"), 409, "over")
    problem(await org.api.delete(f"{here}/overrides/{ahead['id']}"), 404, "not_found")
    past = {"from": (now() - HOUR / 2).isoformat(), "until": (now() + HOUR).isoformat()}
    names = [shift["individual"]["name"] for shift in (await org.get(f"{here}/shifts", **past))["data"]]
    assert names == ["Ana", "Cai", "Ana"], "what was, stays: it began when it was made, and ended when it was taken back"


async def test_an_override_is_told_until_it_ends(org: Organization) -> None:
    ana = await org.individual("Ana")
    made = await service(org, layer(ana["id"]))
    over = await override(org, made, ana["id"], now(), now() + HOUR)
    seen = await org.get(f"/oncall-services/{made['id']}/on-call")
    assert (seen["override"], seen["until"], seen["following"]["name"]) == (over["id"], over["until"], "Ana")


async def test_who_is_on_call_and_not_active_is_told(org: Organization) -> None:
    ana = await org.individual("Ana")
    made = await service(org, layer(ana["id"]), terms=["disk"])
    assert made["on_call"]["active"]
    await org.patch(f"/individuals/{ana['id']}", {"active": False})
    here = f"/oncall-services/{made['id']}"
    assert (await org.get(here))["on_call"]["active"] is False
    assert (await org.get(f"{here}/on-call"))["individual"]["active"] is False
    incident = await org.report("Disk full")
    await org.until(lambda: waits(org, incident["id"]))
    [awaited] = (await org.get(f"/incidents/{incident['id']}"))["awaited_on_call"]
    said = "Whoever is on call for Ledger is no longer active. Name somebody else by an override."
    assert awaited["reason"] == said


async def waits(org: Organization, incident: str) -> bool:
    return bool((await org.get(f"/incidents/{incident}"))["awaited_on_call"])


async def test_an_override_that_cannot_be_is_refused(org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    made = await service(org, layer(ana["id"]))
    await org.patch(f"/individuals/{ben['id']}", {"active": False})
    good = {"individual": ana["id"], "from": now().isoformat(), "until": (now() + HOUR).isoformat()}
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"until": good["from"]}, "until", "out_of_range"),
        ({"until": (now() + timedelta(days=400)).isoformat()}, "until", "too_long"),
        ({"from": (now() - 2 * HOUR).isoformat(), "until": (now() - HOUR).isoformat()}, "until", "over"),
        ({"until": "9999-12-31T23:59:59Z"}, "until", "out_of_range"),
        ({"from": "9999-12-31T00:00:00Z", "until": "9999-12-31T23:59:59Z"}, "from", "out_of_range"),
        ({"individual": new_id()}, "individual", "unknown"),
        ({"individual": ben["id"]}, "individual", "inactive"),
    ]
    for change, field, code in wrong:
        response = await org.api.post(f"/oncall-services/{made['id']}/overrides", json=good | change)
        assert fields(problem(response, 422, code)) == {field}


@pytest.mark.feature("O4")
async def test_members_of_the_organization_see_but_do_not_change(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        made = await service(org, layer(mia.individual))
        here = f"/oncall-services/{made['id']}"
        assert (await mia.api.get(f"{here}/shifts")).status_code == 200
        body = {"individual": mia.individual, "from": now().isoformat(), "until": (now() + HOUR).isoformat()}
        problem(await mia.api.post(f"{here}/overrides", json=body), 403, "contacts_not_yours")
        problem(await mia.api.patch(here, json={"name": "x"}), 403, "contacts_not_yours")
        problem(await mia.api.post("/oncall-services", json={"name": "x"}), 403, "contacts_not_yours")


class Told(Momentary):
    """A provider that does as it is told."""

    def __init__(self, answer: tuple[str, ...] | Exception | float) -> None:
        self._answer = answer

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """Answer, fail, or take so many seconds."""
        if isinstance(self._answer, Exception):
            raise self._answer
        if isinstance(self._answer, float):
            await asyncio.sleep(self._answer)
            return ()
        return self._answer


async def test_a_provider_that_fails_or_is_slow_holds_up_only_itself(
    muster: RunningMuster, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "PATIENCE", 0.3)
    ana, gone = await org.individual("Ana"), await org.individual("Gone")
    await org.patch(f"/individuals/{gone['id']}", {"active": False})
    providers: dict[str, OnCallProvider] = {
        **PROVIDERS,
        "good": Told((ana["id"],)),
        "down": Told(ProviderFailed("Pagers are down.")),
        "slow": Told(60.0),
        "broken": Told(KeyError("schedule")),
        "stale": Told((gone["id"],)),
        "empty": Told(()),
    }
    organization = (await org.get("/me"))["organization"]["id"]
    database = muster.muster.database
    ids = {name: new_id() for name in [*providers, "unheard of"]}
    async with database.write(organization) as session:
        session.add_all(
            OnCallService(id=id_, organization_id=organization, name=name, provider=name, definition={}, created_at=now())
            for name, id_ in ids.items()
        )
    wanted = {name: Target(kind=TargetKind.ONCALL, id=id_) for name, id_ in ids.items()}
    person = Target(kind=TargetKind.INDIVIDUAL, id=ana["id"])
    async with database.read(organization) as session:
        found: Resolved = await targets.resolve(session, [*wanted.values(), person], now(), providers)
    assert found.people == {wanted["rotation"]: [], wanted["good"]: [ana["id"]], wanted["empty"]: [], person: [ana["id"]]}
    assert set(found.failed) == {ids[name] for name in ("down", "slow", "broken", "stale", "unheard of")}
    assert found.failed[ids["down"]] == "Pagers are down."
    assert "is no longer active" in found.failed[ids["stale"]]
    assert all(reason.endswith(".") for reason in found.failed.values())


async def test_a_provider_is_asked_for_what_is_shown_as_well(
    muster: RunningMuster, org: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await org.individual("Ana")
    monkeypatch.setitem(PROVIDERS, "good", Told((ana["id"],)))
    monkeypatch.setitem(PROVIDERS, "down", Told(ProviderFailed("Pagers are down.")))
    organization = (await org.get("/me"))["organization"]["id"]
    ids = {name: new_id() for name in ("good", "down")}
    async with muster.muster.database.write(organization) as session:
        session.add_all(
            OnCallService(id=id_, organization_id=organization, name=name, provider=name, definition={}, created_at=now())
            for name, id_ in ids.items()
        )
    listed = {each["name"]: each for each in (await org.get("/oncall-services"))["data"]}
    assert (listed["good"]["on_call"]["name"], listed["good"]["unanswered"]) == ("Ana", None)
    assert (listed["down"]["on_call"], listed["down"]["unanswered"]) == (None, "Pagers are down.")
    assert (await org.get(f"/oncall-services/{ids['good']}/on-call"))["individual"]["name"] == "Ana"
    for what in ("on-call", "shifts"):
        refused = problem(await org.api.get(f"/oncall-services/{ids['down']}/{what}"), 503, "on_call_unknown")
        assert refused["detail"] == "Pagers are down."


async def test_others_go_on_while_a_rotation_is_worked_out() -> None:
    hours = [{"weekdays": WEEKDAYS, "from": time(hour), "until": time(hour, 30)} for hour in range(MAX_HOURS)]
    layers = [layer(new_id(), time_zone="Europe/Berlin", only=hours)] * MAX_LAYERS
    duty = Duty("x", "Ledger", "rotation", {"layers": layers}, ())
    provider = PROVIDERS["rotation"]
    for asked in (provider.on_call(duty, now()), provider.shifts(duty, now(), now() + timedelta(days=14))):
        working = asyncio.ensure_future(asked)
        others = 0
        while not working.done():
            await asyncio.sleep(0)
            others += 1
        # One turn is what it takes to begin.
        assert others > 2
        assert working.result() is not None


async def test_a_provider_that_is_slow_keeps_no_connection_from_others(muster: RunningMuster, org: Organization) -> None:
    at_once, asked, answer = 8, asyncio.Semaphore(0), asyncio.Event()

    class Waited(Momentary):
        async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
            asked.release()
            await answer.wait()
            return ()

    made = await service(org)
    organization = (await org.get("/me"))["organization"]["id"]
    database = muster.muster.database

    async def ask() -> Resolved:
        async with database.read(organization) as session:
            return await targets.resolve(session, [Target(kind=TargetKind.ONCALL, id=made["id"])], now(), {"rotation": Waited()})

    asking = [asyncio.create_task(ask()) for _ in range(at_once)]
    for _ in asking:
        await asked.acquire()
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() < at_once
    answer.set()
    assert {tuple(each.failed) for each in await asyncio.gather(*asking)} == {()}
