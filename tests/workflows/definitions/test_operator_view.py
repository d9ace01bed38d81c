"""An incident as an operator reads it in Temporal's UI (I1)."""

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata

from tests.support.workflows import Case, World, new_command
from workflows.contracts import search_attributes
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.commands import ChangeStatus, Edit
from workflows.domain.events import Visibility

pytestmark = pytest.mark.feature("I1")


async def metadata(case: Case) -> WorkflowMetadata:
    found: WorkflowMetadata = await case.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return found


async def test_summary_details_and_search_attributes(world: World) -> None:
    case = await world.case("Checkout is down").opened()
    description = await case.handle.describe()
    assert await description.static_summary() == "High · INC-7 Checkout is down"
    assert description.workflow_type == "Incident"
    assert {key.name: description.typed_search_attributes[key] for key in search_attributes.ALL} == {
        "MusterOrganization": case.organization,
        "MusterStatus": "Investigating",
        "MusterSeverity": "High",
        "MusterType": "Outage",
        "MusterCommander": "rita",
    }
    details = (await metadata(case)).current_details
    assert details.startswith("**High · INC-7 Checkout is down**\n")
    for line in ("- Status: **Investigating** since ", "- Commander: rita", "- People: 1 present, 0 gone", "- Call: ready"):
        assert line in details


async def test_what_changes_is_seen(world: World) -> None:
    case = await world.case().opened()
    severity = Choice(id="s2", name="Low")
    await case.give(Edit(command_id=new_command(), changes=AttributeChanges(severity=severity, title="Slow *checkout*")))
    await case.give(ChangeStatus(command_id=new_command(), to="stable"))
    attributes = (await case.handle.describe()).typed_search_attributes
    assert (attributes[search_attributes.STATUS], attributes[search_attributes.SEVERITY]) == ("Stable", "Low")
    details = (await metadata(case)).current_details
    assert details.startswith("**Low · INC-7 Slow checkout**")
    assert "- Status: **Stable**" in details


@pytest.mark.feature("R7")
async def test_a_restricted_incident_does_not_show_its_title(world: World) -> None:
    case = world.case("Layoffs at the plant", visibility=Visibility.RESTRICTED)
    await case.opened()
    assert await (await case.handle.describe()).static_summary() == "High · INC-7"
    assert "Layoffs" not in (await metadata(case)).current_details
    await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title="Layoffs in the office")))
    assert "Layoffs" not in (await metadata(case)).current_details


async def test_a_long_title_is_cut_between_characters(world: World) -> None:
    case = await world.case("ü" * 200).opened()
    summary = await (await case.handle.describe()).static_summary()
    assert summary is not None
    assert len(summary.encode()) <= 200
    assert summary.endswith("ü")


async def test_every_update_says_what_it_is_for(world: World) -> None:
    case = await world.case().opened()
    names = "edit change_status assign_commander add_participant leave answer_engagement retry_resource add_note absorb catch_up"
    updates = {update.name: update.description for update in (await metadata(case)).definition.update_definitions}
    assert set(updates) == set(names.split())
    assert all(updates.values())


async def test_each_step_in_the_history_says_what_it_did(world: World) -> None:
    case = await world.case().opened()
    summaries = [
        case.world.client.data_converter.payload_converter.from_payloads([event.user_metadata.summary])[0]
        for event in (await case.history()).events
        if event.user_metadata.HasField("summary")
    ]
    for expected in ("channel", "call", "attributes as of event 1", "Welcome 1 to INC-7"):
        assert expected in summaries
