"""The activities of the engagement service."""

from temporalio import activity

from workflows.domain.attributes import Attributes
from workflows.domain.engagement import Match
from workflows.domain.events import Visibility
from workflows.domain.model import Value


class EvaluationRequest(Value):
    """An incident's attributes as of the event ``attributes_seq``, and whom of those who match to answer with: a page.

    ``after`` is where the page before ended (an individual's id), ``found`` how many people all pages before had. In a restricted
    incident, terms that people set for themselves do not count.
    """

    organization: str
    incident: str
    attributes: Attributes
    attributes_seq: int
    visibility: Visibility
    after: str | None = None
    found: int = 0


class Evaluation(Value):
    """A page of the people who match and were never in the incident, by their id, with the evidence.

    ``after`` is where the next page begins, None when this is the last.
    """

    matches: tuple[Match, ...]
    after: str | None = None


@activity.defn(name="engagement.evaluate")
async def evaluate(request: EvaluationRequest) -> Evaluation:
    """Find whom the attributes engage, page by page; with the last page, note that it was done."""
    raise NotImplementedError
