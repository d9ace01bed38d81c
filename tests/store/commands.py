"""Commands as they may come, in any order, for property tests over the real log."""

from hypothesis import strategies as st

from workflows.domain import commands as ask
from workflows.domain.attributes import AttributeChanges
from workflows.domain.engagement import Evidence, EvidenceKind, Match
from workflows.domain.events import Departure, Resource, ResourceKind, ResourceState, Visibility
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE

PEOPLE = tuple(f"00000000-0000-7000-8000-00000000000{n}" for n in range(4))
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)
_person = st.sampled_from(PEOPLE)
_match = _person.map(lambda person: Match(individual=person, evidence=(Evidence(kind=EvidenceKind.MANUAL, text="test"),)))
_changes = st.builds(
    AttributeChanges,
    title=st.none() | _TEXT,
    description=st.none() | _TEXT,
    tags=st.none() | st.lists(_TEXT, max_size=3).map(tuple),
)
_status = st.sampled_from([status.id for status in DEFAULT_LIFECYCLE.statuses if status.id != "merged"])
_id = st.just("")

COMMANDS: st.SearchStrategy[ask.Command] = st.one_of(
    st.builds(ask.Open, command_id=_id),
    st.builds(ask.Edit, command_id=_id, changes=_changes, visibility=st.none() | st.sampled_from(Visibility)),
    st.builds(ask.ChangeStatus, command_id=_id, to=_status, reason=st.none() | _TEXT),
    st.builds(ask.AssignCommander, command_id=_id, individual=_person),
    st.builds(
        ask.Engage, command_id=_id, matches=st.lists(_match, max_size=3, unique_by=lambda each: each.individual).map(tuple)
    ),
    st.builds(ask.Add, command_id=_id, match=_match, joined=st.booleans()),
    st.builds(ask.Leave, command_id=_id, individual=_person, how=st.sampled_from(Departure)),
    st.builds(
        ask.SetResource,
        command_id=_id,
        resource=st.builds(Resource, kind=st.sampled_from(ResourceKind), state=st.sampled_from(ResourceState)),
    ),
    st.builds(ask.Complete, command_id=_id),
    st.builds(ask.AddNote, command_id=_id, text=_TEXT),
)
