"""The incident's workflow with one mistake: it looks for people before it makes the resources. Replay has to notice."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import incident as contract
    from workflows.contracts.incident import IncidentInput
    from workflows.definitions.incident import IncidentWorkflow


@workflow.defn(name=contract.WORKFLOW)
class ReorderedWorkflow(IncidentWorkflow):
    @workflow.init
    def __init__(self, start: IncidentInput) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: IncidentInput) -> None:
        await super().run(start)

    def _due(self) -> dict[str, Callable[[], Awaitable[None]]]:
        due = super()._due()
        if "evaluate" in self.running:
            return {}
        return {"evaluate": due["evaluate"]} if "evaluate" in due else due
