"""The incident's workflow as the first release ran it: for tests of what becomes of incidents that are open during an upgrade."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import incident as contract
    from workflows.contracts.incident import IncidentInput
    from workflows.definitions.first_release import FirstEngaging
    from workflows.definitions.incident import IncidentWorkflow
    from workflows.definitions.mailbox import Mailbox


class StayingEngaging(FirstEngaging):
    """That release knew of no other."""

    def _leave_by(self, moment: str) -> bool:
        return False


@workflow.defn(name=contract.WORKFLOW)
class ReleasedWorkflow(IncidentWorkflow):
    @workflow.init
    def __init__(self, start: IncidentInput) -> None:
        self.mailbox = Mailbox(start.state)
        self.engaging = StayingEngaging(self.mailbox, start.evaluated_seq)
        self.welcomed_seq = start.welcomed_seq
        self.history_limit = start.history_limit
        self.asked = start.asked
        self.told_seq = start.told_seq
        self.starting_notices = 0
        self.running = {}

    @workflow.run
    async def run(self, start: IncidentInput) -> None:
        await super().run(start)
