"""The search attributes by which operators find incidents in Temporal (I1). They hold ids and settings' names, never content."""

from typing import Final

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate, TypedSearchAttributes
from temporalio.common import SearchAttributePair as Pair

from workflows.domain.incident import IncidentState

ORGANIZATION: Final = SearchAttributeKey.for_keyword("MusterOrganization")
STATUS: Final = SearchAttributeKey.for_keyword("MusterStatus")
SEVERITY: Final = SearchAttributeKey.for_keyword("MusterSeverity")
TYPE: Final = SearchAttributeKey.for_keyword("MusterType")
COMMANDER: Final = SearchAttributeKey.for_keyword("MusterCommander")

ALL: Final = (ORGANIZATION, STATUS, SEVERITY, TYPE, COMMANDER)
"""All that must be registered with a namespace."""


def of(state: IncidentState) -> dict[SearchAttributeKey[str], str]:
    """The values for an incident."""
    return {
        ORGANIZATION: state.organization,
        STATUS: state.status.name,
        SEVERITY: state.attributes.severity.name,
        TYPE: state.attributes.type.name,
        COMMANDER: state.commander or "none",
    }


def typed(values: dict[SearchAttributeKey[str], str]) -> TypedSearchAttributes:
    """The values in the form a start takes."""
    return TypedSearchAttributes([Pair(key, value) for key, value in values.items()])


def changed(
    before: dict[SearchAttributeKey[str], str], after: dict[SearchAttributeKey[str], str]
) -> list[SearchAttributeUpdate[str]]:
    """What has to be upserted to get from one set of values to the other."""
    return [key.value_set(value) for key, value in after.items() if before.get(key) != value]
