"""The activities of the engagement service."""

from temporalio import activity

from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import STORM_LIMIT, Match, Roles, Waiting
from workflows.domain.events import Visibility
from workflows.domain.model import Value


class EvaluationRequest(Value):
    """An incident as of the event ``attributes_seq``, and whom of those who match to answer with: a page.

    ``after`` is where the page before ended (an individual's id), ``found`` how many people all pages before had. In a restricted
    incident, terms that people set for themselves do not count. The first release asked without a ``project``.
    """

    organization: str
    incident: str
    attributes: Attributes
    attributes_seq: int
    project: Choice | None = None
    visibility: Visibility
    after: str | None = None
    found: int = 0


class Evaluation(Value):
    """A page of the people who match, by their id, with the evidence; nobody who went, is held or was left out.

    Who is in is among them if a rule gives them a role that they have not. ``after`` is where the next page begins, None when
    this is the last; ``further`` people who are not in are on the pages that follow. ``waiting`` are the on-call services that
    are needed and could not answer. More than ``limit`` people are not brought in at once without asking; the first release told
    no limit.
    """

    matches: tuple[Match, ...]
    after: str | None = None
    further: int = 0
    waiting: tuple[Waiting, ...] = ()
    limit: int = STORM_LIMIT


class OnCallRequest(Value):
    """An on-call service that an incident waits for."""

    organization: str
    incident: str
    waiting: Waiting


class OnCall(Value):
    """Who is on call, with the evidence and role they are waited for with; nobody, if nobody is on call.

    ``reason`` says why it was not left to the service after all: the role policies that waited for it choose otherwise.
    """

    matches: tuple[Match, ...]
    reason: str | None = None


class RolesRequest(Value):
    """An incident for which commander and custom roles are to be chosen."""

    organization: str
    incident: str
    attributes: Attributes
    project: Choice
    visibility: Visibility


class RecallRequest(Value):
    """The event ``seq``, by which people were held."""

    organization: str
    incident: str
    seq: int


class Recalled(Value):
    """Everyone whom that event held, with the evidence."""

    matches: tuple[Match, ...]


@activity.defn(name="engagement.evaluate")
async def evaluate(request: EvaluationRequest) -> Evaluation:
    """Find whom the attributes engage, page by page, and keep a record of each; the evidence names it."""
    raise NotImplementedError


@activity.defn(name="engagement.resolve_on_call")
async def resolve_on_call(request: OnCallRequest) -> OnCall:
    """Ask an on-call service; fails while it cannot answer, and for good when it is not to be asked again."""
    raise NotImplementedError


@activity.defn(name="engagement.choose_roles")
async def choose_roles(request: RolesRequest) -> Roles:
    """Ask the role policies."""
    raise NotImplementedError


@activity.defn(name="engagement.recall")
async def recall(request: RecallRequest) -> Recalled:
    """Read from the log why people match who were held: their evidence can be too much to be kept in the state."""
    raise NotImplementedError
