"""The activities of the lifecycle service."""

from temporalio import activity

from workflows.domain.events import Draft, Event, Resource, ResourceKind
from workflows.domain.model import Value


class AppendRequest(Value):
    """Events to append after ``expected_seq``. Without drafts it only asks what the log has that the caller has not."""

    organization: str
    incident: str
    expected_seq: int
    drafts: tuple[Draft, ...] = ()


class Appended(Value):
    """Every event in the log after ``expected_seq``.

    When the log had gone on already, nothing was written, and these are the events the caller did not know: it takes them in
    and decides again. When they are its own (the answer to the first try was lost), it is done.
    """

    events: tuple[Event, ...]


class ResourceRequest(Value):
    """A resource to make for an incident."""

    organization: str
    incident: str
    kind: ResourceKind


class MergeRequest(Value):
    """The incident that was merged, and the one it was merged into."""

    organization: str
    incident: str
    into: str


@activity.defn(name="lifecycle.append_events")
async def append_events(request: AppendRequest) -> Appended:
    """Append to the event log, with the projections, in one transaction. Run as a local activity."""
    raise NotImplementedError


@activity.defn(name="lifecycle.open_resource")
async def open_resource(request: ResourceRequest) -> Resource:
    """Make one resource, or find the one that was made by an earlier try."""
    raise NotImplementedError


@activity.defn(name="lifecycle.hand_over_merged")
async def hand_over_merged(request: MergeRequest) -> None:
    """Bring the people of a merged incident into the other one."""
    raise NotImplementedError
