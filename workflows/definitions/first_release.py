"""How runs go on that began with Muster's first release: as they began, until something happens; then in a new run as of today.

To be removed, with the histories in ``tests/replay/histories/first-release``, once no incident is open that began with it: when
Temporal lists no running workflow of type ``Incident`` without the change ``RIGHT_PEOPLE``
(``WorkflowType = 'Incident' AND ExecutionStatus = 'Running' AND TemporalChangeVersion IS NULL``).
"""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.definitions.engaging import Effect, Engaging
    from workflows.definitions.mailbox import Mailbox
    from workflows.domain import commands as ask
    from workflows.domain.attributes import Attributes
    from workflows.domain.engagement import Roles

RIGHT_PEOPLE: Final = "the right people"
"""The change after which roles come from policies, crowds are held, and who is on call is asked for."""


class FirstEngaging(Engaging):
    """Terms only, one page after the other: no roles, no storm guard, nobody on call, and no second look at who may know."""

    is_first_release = True

    def __init__(self, mailbox: Mailbox, evaluated_seq: int) -> None:
        # What this release looked at is looked at again by the next run: it knew no rules, and nobody on call.
        super().__init__(mailbox, 0)
        is_evaluated = evaluated_seq >= self._state.attributes_seq
        self._evaluated: Attributes | None = self._state.attributes if is_evaluated else None
        self._seq = self._state.seq

    @property
    def is_first_look(self) -> bool:
        """Welcomes waited for every evaluation, not for the first one only."""
        return self._is_evaluation_due and not self._late

    def due(self) -> dict[str, Effect]:
        """An evaluation when an attribute changed, and to leave this release when anything did."""
        due: dict[str, Effect] = {"leave": self._leave} if self._seq < self._state.seq else {}
        return due | ({"evaluate": self._evaluate} if self._is_evaluation_due else {})

    def look_again(self) -> None:
        """A reopened incident was not looked at again before something changed."""

    async def roles_for_opening(self) -> Roles | None:
        """Nobody: there were no role policies."""
        return Roles()

    @property
    def _is_evaluation_due(self) -> bool:
        # By identity: changed and changed back is looked at again. A change of the visibility alone was not.
        return self._evaluated is not self._state.attributes

    async def _leave(self) -> None:
        self._seq = self._state.seq
        self._leave_by(f"event {self._seq}")

    def _leave_by(self, moment: str) -> bool:
        """Whether the present code is the first to come by here, and not in a replay: then a new run takes over.

        Each moment is a change of its own: one that was asked about in a replay is answered with no ever after.
        """
        self.is_outdated = self.is_outdated or workflow.patched(f"{RIGHT_PEOPLE}, {moment}")
        return self.is_outdated

    async def _evaluate(self) -> None:
        attributes, seq, page = self._state.attributes, self._state.attributes_seq, 0
        request = self._request()
        while True:
            found = await self._look_patiently(request)
            if self._leave_by(f"page {page} of {seq}"):
                # The new run looks again, and asks before a crowd comes in.
                return
            if request.visibility is not self._state.visibility:
                request = request.model_copy(update={"visibility": self._state.visibility})
                continue
            await self._mailbox.apply(ask.Engage(command_id=f"engage:{seq}:{page}", matches=found.matches))
            if found.after is None:
                break
            page += 1
            request = request.model_copy(update={"after": found.after, "found": request.found + len(found.matches)})
        self._late = False
        self._evaluated = attributes
