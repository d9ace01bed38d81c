"""The activities of the engagement service."""

from temporalio import activity

from workflows.domain.attributes import Attributes
from workflows.domain.engagement import Match
from workflows.domain.model import Value


class EvaluationRequest(Value):
    """An incident's attributes as of the event ``attributes_seq``."""

    organization: str
    incident: str
    attributes: Attributes
    attributes_seq: int


class Evaluation(Value):
    """The people who match and were never in the incident, with the evidence."""

    matches: tuple[Match, ...]


@activity.defn(name="engagement.evaluate")
async def evaluate(request: EvaluationRequest) -> Evaluation:
    """Find whom the attributes engage, and note that it was done."""
    raise NotImplementedError
