"""How an incident reads in Temporal's UI (I1). What people wrote is shown only for incidents that everyone may see."""

from workflows.domain.events import Visibility
from workflows.domain.incident import IncidentState


def summary(state: IncidentState) -> str:
    """One line for lists: at most 200 bytes, so that Temporal's UI shows it whole."""
    line = f"{state.attributes.severity.name} · INC-{state.reference}"
    if state.visibility is Visibility.PUBLIC:
        line = f"{line} {state.attributes.title}"
    return line.encode()[:200].decode(errors="ignore")


def details(state: IncidentState) -> str:
    """The present state, in Markdown."""
    present = sum(person.departed is None for person in state.participants.values())
    lines = [
        f"**{summary(state).replace('*', '')}**",
        "",
        f"- Status: **{state.status.name}** since {state.stamps[state.status_id]:%Y-%m-%d %H:%M} UTC",
        f"- Type: {state.attributes.type.name} · Priority: {state.attributes.priority.name}",
        f"- Commander: {state.commander or 'none yet'}",
        f"- People: {present} present, {len(state.participants) - present} gone",
        *(f"- {kind.value.capitalize()}: {resource.state.value.replace('_', ' ')}" for kind, resource in state.resources.items()),
        *dict.fromkeys(f"- On call for {each.service.name} ({each.role}): not known yet" for each in state.asking),
        *([f"- Held back until {state.held_until:%H:%M} UTC: {len(state.asked())} people"] if state.held_until else []),
        f"- Events in the log: {state.seq}",
    ]
    return "\n".join(lines)
