"""A role policy while it is being written: what a form holds of it, also when it is not whole yet (E9)."""

from collections.abc import Mapping, Sequence

from starlette.datastructures import FormData

from services.engagement.conditions.schemas import OnCallTarget
from services.engagement.roles.schemas import PolicyView
from services.web.condition_draft import MISSING, ConditionalDraft, group_from, group_of, new_group, text
from workflows.domain.engagement import COMMANDER
from workflows.domain.roles import choice_in_words
from workflows.domain.rules import Target, TargetKind


class Draft(ConditionalDraft):
    """A role policy as it stands in the form. ``kind`` says which counts of ``person``, as typed, and the service ``oncall``."""

    role: str = COMMANDER
    kind: TargetKind = TargetKind.ONCALL
    person: str = ""
    oncall: str = ""

    def body(self) -> dict[str, object]:
        """The policy as the API takes it."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "role": self.role,
            "when": self.when(),
            "assignee": {self.kind.value: self._assignee},
        }

    def field(self, path: Sequence[str]) -> str:
        """See ``ConditionalDraft``; what is wrong with an assignee is told where one says who it is."""
        if path[:1] == ["assignee"]:
            return "oncall" if self.kind is TargetKind.ONCALL else "person"
        return super().field(path)

    def sentence(self, names: Mapping[str, str]) -> str:
        """What it says so far."""
        assignee = Target(kind=self.kind, id=self._assignee.strip() or MISSING)
        # Who was typed is not looked up yet; the address behind a name only tells people apart.
        person = self.person.strip()
        called = {**names, MISSING: MISSING, person: person.partition(" <")[0]}
        return f"When {self.when_in_words(names)}, {choice_in_words(self.role or MISSING, assignee, called)}."

    @property
    def _assignee(self) -> str:
        return self.oncall if self.kind is TargetKind.ONCALL else self.person


def new_draft() -> Draft:
    """A policy that nobody has written yet."""
    return Draft(root=new_group())


def draft_of(policy: PolicyView, person: str) -> Draft:
    """A policy that is to be changed; ``person`` is its assignee as a field shows them, "" if that is no person."""
    on_call = policy.assignee.oncall if isinstance(policy.assignee, OnCallTarget) else ""
    return Draft(
        name=policy.name,
        enabled=policy.enabled,
        role=policy.role,
        root=group_of(policy.when),
        kind=TargetKind.ONCALL if on_call else TargetKind.INDIVIDUAL,
        person=person,
        oncall=on_call,
        version=str(policy.version),
    )


def draft_from(form: FormData) -> Draft:
    """The policy that a form holds, as far as it holds one."""
    draft = Draft(
        name=text(form, "name"),
        enabled="enabled" in form,
        role=text(form, "role"),
        root=group_from(form),
        kind=TargetKind.INDIVIDUAL if text(form, "kind") == TargetKind.INDIVIDUAL else TargetKind.ONCALL,
        person=text(form, "person"),
        oncall=text(form, "oncall"),
        version=text(form, "version"),
    )
    draft.read(form)
    return draft
