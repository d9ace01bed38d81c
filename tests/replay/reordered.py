"""The incident's workflow with one mistake: it makes the resources only once the incident is open. Replay has to notice."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import incident as contract
    from workflows.contracts.incident import IncidentInput
    from workflows.definitions.engaging import Effect
    from workflows.definitions.incident import IncidentWorkflow


@workflow.defn(name=contract.WORKFLOW)
class ReorderedWorkflow(IncidentWorkflow):
    @workflow.init
    def __init__(self, start: IncidentInput) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: IncidentInput) -> None:
        await super().run(start)

    def _due(self) -> dict[str, Effect]:
        due = super()._due()
        if "open" in self.running:
            return {}
        return {"open": due["open"]} if "open" in due else due
