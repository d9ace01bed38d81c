"""A rule while it is being written: what a form holds of it, also when it is not whole yet (E3)."""

from collections.abc import Mapping, Sequence

from pydantic import Field
from starlette.datastructures import FormData

from services.engagement.rules.schemas import RuleView
from services.web.condition_draft import MISSING, ConditionalDraft, group_from, group_of, new_group, text, texts
from workflows.domain.rules import MAX_TARGETS, RESPONDER, Target, TargetKind, engage_in_words


class Draft(ConditionalDraft):
    """A rule as it stands in the form.

    ``person`` is whoever was typed and not added yet; ``chosen`` are the team and the on-call service that were chosen likewise.
    """

    role: str = RESPONDER
    targets: list[Target] = Field(default_factory=list)
    person: str = ""
    chosen: list[Target] = Field(default_factory=list)

    def engage(self, target: Target) -> None:
        """Engage somebody too, once."""
        if target not in self.targets:
            self.targets.append(target)
        self.chosen = [each for each in self.chosen if each != target]

    def engage_chosen(self) -> None:
        """Engage what was chosen, also if the button beside it was not pressed. What is too much is told when it is saved."""
        self.targets += self.chosen
        self.chosen = []

    def drop(self, target: str) -> None:
        """Engage somebody no longer; ``target`` is as ``target_field`` writes it."""
        self.targets = [each for each in self.targets if target_field(each) != target]
        self.focus = "engage"

    def body(self) -> dict[str, object]:
        """The rule as the API takes it."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "role": self.role,
            "when": self.when(),
            "engage": [{target.kind.value: target.id} for target in self.targets],
        }

    def sentence(self, names: Mapping[str, str], typed: Sequence[Target] = ()) -> str:
        """What it would say if it were saved now; ``typed`` is whoever is meant by ``person``."""
        meant = list(dict.fromkeys([*self.targets, *self.chosen, *typed]))
        targets = meant or [Target(kind=TargetKind.INDIVIDUAL, id=MISSING)]
        said = engage_in_words(targets, self.role.strip() or MISSING, {**names, MISSING: MISSING})
        return f"When {self.when_in_words(names)}, {said}."


def target_field(target: Target) -> str:
    """A target as one field of a form."""
    return f"{target.kind}:{target.id}"


def new_draft() -> Draft:
    """A rule that nobody has written yet."""
    return Draft(root=new_group())


def draft_of(rule: RuleView) -> Draft:
    """A rule that is to be changed."""
    return Draft(
        name=rule.name,
        enabled=rule.enabled,
        role=rule.role,
        root=group_of(rule.when),
        targets=[Target(kind=TargetKind(kind), id=identity) for each in rule.engage for kind, identity in each],
        version=str(rule.version),
    )


def draft_from(form: FormData) -> Draft:
    """The rule that a form holds, as far as it holds one."""
    draft = Draft(
        name=text(form, "name"),
        enabled="enabled" in form,
        role=text(form, "role"),
        root=group_from(form),
        person=next((value for name, value in texts(form) if name.startswith("person_")), ""),
        version=text(form, "version"),
    )
    draft.read(form)
    for name, value in texts(form):
        if len(draft.targets) == MAX_TARGETS:
            break
        if name == "target" and (target := _target(value)) is not None:
            draft.engage(target)
    kinds = (TargetKind.TEAM, TargetKind.ONCALL)
    chosen = [Target(kind=kind, id=identity) for kind in kinds if (identity := text(form, kind))]
    draft.chosen = [target for target in chosen if target not in draft.targets]
    return draft


def _target(given: str) -> Target | None:
    kind, _, identity = given.partition(":")
    return Target(kind=TargetKind(kind), id=identity) if kind in set(TargetKind) else None
