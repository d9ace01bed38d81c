"""What the ledger keeps of attempts that overlap, and of people who come back (N6, N7)."""

from collections.abc import Awaitable, Callable

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from services.notify.activities import NotifyActivities
from services.notify.channels.channel import ChannelName, NotSent, Outgoing
from services.notify.rendering import Renderer
from services.store.deliveries import Delivery
from tests.support.running import Organization, RunningMuster
from workflows.contracts.notify import DeliveryRequest, NoticeInput, NoticeKind

pytestmark = pytest.mark.feature("N6")


class Scripted:
    """A provider that does what the test says, attempt by attempt."""

    provider = "scripted"
    idempotent = False

    def __init__(self, *steps: Callable[[], Awaitable[str]]) -> None:
        self._steps = iter(steps)

    async def send(self, message: Outgoing) -> str:
        """See ``Channel``."""
        return await next(self._steps)()


async def sent() -> str:
    return "it went out"


async def not_sent() -> str:
    raise NotSent("busy")


async def _planned(muster: RunningMuster, org: Organization, *steps: Callable[[], Awaitable[str]]) -> "Notice":
    ana = await org.individual("Ana", "attempts")
    incident = (await org.report("Attempts"))["id"]
    await org.until(lambda: org.all_sent(incident))
    organization = (await org.get("/me"))["organization"]["id"]
    notice = NoticeInput(
        organization=organization, incident=incident, kind=NoticeKind.WELCOME, cause="test", recipients=(ana["id"],)
    )
    return Notice(
        muster, notice, NotifyActivities(muster.muster.database, Renderer("http://m"), {ChannelName.EMAIL: Scripted(*steps)})
    )


class Notice:
    """A notice to one person by one channel."""

    def __init__(self, muster: RunningMuster, notice: NoticeInput, activities: NotifyActivities) -> None:
        self._muster, self.notice, self._activities = muster, notice, activities

    async def plan(self) -> tuple[str, ...]:
        return (await self._activities.plan(self.notice)).deliveries

    async def deliver(self, delivery: str) -> str:
        request = DeliveryRequest(organization=self.notice.organization, delivery=delivery)
        return (await ActivityEnvironment().run(self._activities.deliver, request)).state

    async def row(self, delivery: str) -> Delivery:
        async with self._muster.muster.database.read(self.notice.organization) as session:
            return await session.get_one(Delivery, delivery)


async def test_an_attempt_that_fails_late_does_not_undo_one_that_sent(muster: RunningMuster, org: Organization) -> None:
    async def overtaken() -> str:
        assert await notice.deliver(delivery) == "sent"
        return await not_sent()

    notice = await _planned(muster, org, overtaken, sent)
    (delivery,) = await notice.plan()
    with pytest.raises(ApplicationError):
        await notice.deliver(delivery)
    row = await notice.row(delivery)
    assert (row.state, row.attempts, row.provider_id) == ("sent", 2, "it went out")


async def test_an_attempt_that_sends_late_is_kept_and_leaves_a_doubt(muster: RunningMuster, org: Organization) -> None:
    async def overtaken() -> str:
        with pytest.raises(ApplicationError):
            await notice.deliver(delivery)
        return await sent()

    notice = await _planned(muster, org, overtaken, not_sent)
    (delivery,) = await notice.plan()
    assert await notice.deliver(delivery) == "sent"
    row = await notice.row(delivery)
    assert (row.state, row.attempts, row.in_doubt) == ("sent", 2, True)


@pytest.mark.feature("N7")
async def test_who_left_and_came_back_is_told(muster: RunningMuster, org: Organization) -> None:
    notice = await _planned(muster, org, sent)
    (delivery,) = await notice.plan()
    participants = f"/incidents/{notice.notice.incident}/participants"
    (ana,) = notice.notice.recipients
    await org.api.delete(f"{participants}/{ana}")
    assert await notice.deliver(delivery) == "folded"
    await org.post(participants, {"individual": ana})
    assert await notice.plan() == (delivery,)
    assert (await notice.row(delivery)).reason is None
    assert await notice.deliver(delivery) == "sent"
    assert await notice.plan() == ()
