"""The services behind the pages."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.accounts.service import AccountsService
from services.engagement.service import EngagementService
from services.intake.service import IntakeService
from services.kit.database import Database
from services.kit.settings import Settings
from services.lifecycle.service import LifecycleService
from services.notify.service import NotifyService


@dataclass(frozen=True)
class Services:
    """What pages ask, as the composition root put it together."""

    settings: Settings
    database: Database
    accounts: AccountsService
    intake: IntakeService
    engagement: EngagementService
    lifecycle: LifecycleService
    notify: NotifyService


def _services(request: Request) -> Services:
    state = request.app.state
    return Services(
        settings=state.settings,
        database=state.database,
        accounts=state.accounts,
        intake=state.intake,
        engagement=state.engagement,
        lifecycle=state.lifecycle,
        notify=state.notify,
    )


AllServices = Annotated[Services, Depends(_services)]
