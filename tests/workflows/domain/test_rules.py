"""Rules (E3): judged as they read, and always found by their anchors."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.domain.attributes import Choice
from workflows.domain.events import Visibility
from workflows.domain.rules import (
    LIMITS,
    MAX_CONDITIONS,
    RANKED,
    RESPONDER,
    Attribute,
    Condition,
    Facts,
    Group,
    Operator,
    Quantifier,
    Rule,
    Target,
    TargetKind,
    anchors,
    judge,
    operators,
    sentence,
)
from workflows.domain.text import normalise

pytestmark = pytest.mark.feature("E3")

RANKS: Final = {
    Attribute.SEVERITY: {"low": 0, "medium": 1, "high": 2, "critical": 3},
    Attribute.PRIORITY: {"later": 0, "soon": 5, "also-soon": 5, "now": 9},
}
LISTS: Final = {
    Attribute.TYPE: ("outage", "security", "other"),
    # The last of each is one that has been deleted, and has no rank.
    Attribute.SEVERITY: (*RANKS[Attribute.SEVERITY], "gone"),
    Attribute.PRIORITY: (*RANKS[Attribute.PRIORITY], "gone"),
    Attribute.PROJECT: ("default", "payments"),
    Attribute.VISIBILITY: tuple(Visibility),
}
TAGS: Final = ("Payments", "pay-ments", "PAYMENTS!", "ledger", "🔥", "Ｌedger")
NAMES: Final = {each: each.capitalize() for values in LISTS.values() for each in values}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    attribute = draw(st.sampled_from(Attribute))
    operator = draw(st.sampled_from(operators(attribute)))
    known = ("payments", "pay ments", "ledger") if attribute is Attribute.TAG else LISTS[attribute]
    most = 1 if operator in LIMITS else 3
    values = draw(st.lists(st.sampled_from(known), min_size=1, max_size=most, unique=True))
    return Condition(attribute=attribute, operator=operator, values=tuple(values))


def groups(depth: int = 3) -> st.SearchStrategy[Group]:
    member = conditions() if depth == 1 else conditions() | groups(depth - 1)
    return st.builds(
        Group,
        quantifier=st.sampled_from(Quantifier),
        members=st.lists(member, min_size=1, max_size=2 if depth > 1 else 3).map(tuple),
    )


def choice(attribute: Attribute) -> st.SearchStrategy[Choice]:
    return st.sampled_from(LISTS[attribute]).map(lambda value: Choice(id=value, name=NAMES[value]))


FACTS = st.builds(
    Facts,
    type=choice(Attribute.TYPE),
    severity=choice(Attribute.SEVERITY),
    priority=choice(Attribute.PRIORITY),
    project=choice(Attribute.PROJECT),
    tags=st.lists(st.sampled_from(TAGS), max_size=3, unique=True).map(tuple),
    visibility=st.sampled_from(Visibility),
    ranks=st.just(RANKS),
)


def rule(when: Group, *engage: Target, role: str = RESPONDER) -> Rule:
    return Rule(id="r", version=1, name="Rule", when=when, engage=engage or (Target(kind=TargetKind.TEAM, id="t"),), role=role)


def group(quantifier: Quantifier, *members: Condition | Group) -> Group:
    return Group(quantifier=quantifier, members=members)


def condition(attribute: Attribute, operator: Operator, *values: str) -> Condition:
    return Condition(attribute=attribute, operator=operator, values=values)


def reference(member: Condition | Group, facts: Facts) -> bool:
    """What a rule means, as plainly as it can be said."""
    if isinstance(member, Group):
        answers = [reference(each, facts) for each in member.members]
        return False not in answers if member.quantifier == "all" else True in answers
    if member.attribute == "tag":
        occurs = any(normalise(tag) == value for tag in facts.tags for value in member.values)
        return occurs if member.operator == "is" else not occurs
    own = facts.visibility.value if member.attribute == "visibility" else getattr(facts, member.attribute).id
    if member.operator in {"is", "is_not"}:
        return (own in member.values) is (member.operator == "is")
    if "gone" in {own, member.values[0]}:
        return False
    ranks = RANKS[member.attribute]
    more = ranks[own] - ranks[member.values[0]]
    return more >= 0 if member.operator == "at_least" else more <= 0


@given(groups(), FACTS)
def test_a_rule_means_what_it_says(when: Group, facts: Facts) -> None:
    judgement = judge(rule(when), facts)
    assert judgement.holds == reference(when, facts)
    assert [part.condition for part in judgement.parts] == list(when.conditions())
    assert [part.holds for part in judgement.parts] == [reference(each, facts) for each in when.conditions()]


@given(groups(), FACTS)
def test_a_rule_that_holds_is_found_by_its_anchors(when: Group, facts: Facts) -> None:
    if judge(rule(when), facts).holds:
        assert anchors(when) & facts.anchors()


@given(groups(), FACTS, st.permutations(range(4)))
def test_the_anchors_stay_when_the_order_of_a_list_changes(when: Group, facts: Facts, order: list[int]) -> None:
    severities = dict(zip(RANKS[Attribute.SEVERITY], order, strict=True))
    reordered = facts.model_copy(update={"ranks": RANKS | {Attribute.SEVERITY: severities}})
    if judge(rule(when), reordered).holds:
        assert anchors(when) & reordered.anchors()


def test_the_most_selective_condition_is_the_anchor() -> None:
    severe = condition(Attribute.SEVERITY, Operator.AT_LEAST, "high")
    tagged = condition(Attribute.TAG, Operator.IS, "payments", "ledger")
    not_other = condition(Attribute.TYPE, Operator.IS_NOT, "other")
    assert anchors(group(Quantifier.ALL, severe, tagged, not_other)) == {"tag is payments", "tag is ledger"}
    assert anchors(group(Quantifier.ALL, severe, not_other)) == {"severity at_least high"}
    assert anchors(group(Quantifier.ANY, severe, tagged)) == {"severity at_least high", "tag is payments", "tag is ledger"}
    assert anchors(group(Quantifier.ANY, severe, not_other)) == {"always"}
    hidden = condition(Attribute.VISIBILITY, Operator.IS_NOT, "public")
    assert anchors(group(Quantifier.ALL, hidden, severe)) == {"visibility is restricted"}


@given(groups(), st.sampled_from(TargetKind), FACTS)
def test_rules_and_judgements_survive_being_kept(when: Group, kind: TargetKind, facts: Facts) -> None:
    kept = rule(when, Target(kind=kind, id="x"))
    assert Rule.model_validate_json(kept.model_dump_json()) == kept
    judgement = judge(kept, facts)
    assert type(judgement).model_validate_json(judgement.model_dump_json()) == judgement


def test_a_judgement_says_what_was_found() -> None:
    facts = Facts(
        type=Choice(id="outage", name="Outage"),
        severity=Choice(id="high", name="High"),
        priority=Choice(id="now", name="Now"),
        project=Choice(id="default", name="Default"),
        tags=("PAYMENTS!", "🔥"),
        ranks=RANKS,
    )
    when = group(
        Quantifier.ANY,
        condition(Attribute.SEVERITY, Operator.AT_LEAST, "critical"),
        condition(Attribute.TAG, Operator.IS, "payments"),
        condition(Attribute.VISIBILITY, Operator.IS, "restricted"),
    )
    parts = judge(rule(when), facts).parts
    assert [(part.found, part.holds) for part in parts] == [(("High",), False), (("PAYMENTS!",), True), (("public",), False)]


PAYMENTS = Target(kind=TargetKind.TEAM, id="team")
LEDGER = Target(kind=TargetKind.ONCALL, id="service")
ANA = Target(kind=TargetKind.INDIVIDUAL, id="ana")
CALLED = NAMES | {"team": "Team Payments", "crew": "Ledger crew", "service": "Ledger", "ana": "Ana"}
SEVERE = condition(Attribute.SEVERITY, Operator.AT_LEAST, "high")
TAGGED = condition(Attribute.TAG, Operator.IS, "payments")


@pytest.mark.parametrize(
    ("when", "engage", "role", "said"),
    [
        (
            group(Quantifier.ALL, SEVERE, TAGGED),
            (PAYMENTS, LEDGER),
            RESPONDER,
            "when severity is at least High and any tag is payments, "
            "engage Team Payments and whoever is on call for Ledger, as responders",
        ),
        (
            group(
                Quantifier.ALL,
                group(Quantifier.ANY, SEVERE, condition(Attribute.PRIORITY, Operator.AT_MOST, "soon")),
                condition(Attribute.TYPE, Operator.IS, "outage", "security"),
                group(Quantifier.ANY, TAGGED),
            ),
            (ANA,),
            RESPONDER,
            "when (severity is at least High or priority is at most Soon) and type is Outage or Security "
            "and any tag is payments, engage Ana, as responder",
        ),
        (
            group(
                Quantifier.ANY,
                condition(Attribute.PROJECT, Operator.IS_NOT, "default"),
                condition(Attribute.TYPE, Operator.IS_NOT, "outage", "security", "other"),
                condition(Attribute.TAG, Operator.IS_NOT, "ledger", "payments"),
                condition(Attribute.VISIBILITY, Operator.IS, "restricted"),
            ),
            (ANA, LEDGER, Target(kind=TargetKind.TEAM, id="crew")),
            "Scribe",
            "when project is not Default or type is neither Outage, Security nor Other or no tag is ledger or payments "
            "or it is restricted, engage Ana, whoever is on call for Ledger and team Ledger crew, as Scribe",
        ),
        (
            group(Quantifier.ALL, condition(Attribute.TYPE, Operator.IS, "deleted")),
            (LEDGER,),
            RESPONDER,
            "when type is something that is gone, engage whoever is on call for Ledger, as responder",
        ),
    ],
)
def test_a_rule_reads_as_a_sentence(when: Group, engage: tuple[Target, ...], role: str, said: str) -> None:
    assert sentence(rule(when, *engage, role=role), CALLED) == said


@given(groups())
def test_a_sentence_names_everything_that_is_asked(when: Group) -> None:
    said = sentence(rule(when), CALLED)
    for each in when.conditions():
        literal = each.attribute in {Attribute.TAG, Attribute.VISIBILITY}
        assert all((value if literal else NAMES[value]) in said for value in each.values)


@pytest.mark.parametrize("attribute", [each for each in Attribute if each not in RANKED])
def test_only_what_has_an_order_has_limits(attribute: Attribute) -> None:
    with pytest.raises(ValidationError, match="has no order"):
        condition(attribute, Operator.AT_LEAST, "x")


def test_rules_stay_small_enough_to_be_read() -> None:
    with pytest.raises(ValidationError, match="takes one value"):
        condition(Attribute.SEVERITY, Operator.AT_LEAST, "high", "low")
    with pytest.raises(ValidationError, match="at least 1"):
        group(Quantifier.ALL)
    three = group(Quantifier.ALL, group(Quantifier.ALL, group(Quantifier.ANY, TAGGED)))
    assert rule(three).when == three
    with pytest.raises(ValidationError, match="more than 3 deep"):
        rule(group(Quantifier.ALL, three))
    ten = group(Quantifier.ALL, *[TAGGED] * 10)
    assert len(list(rule(group(Quantifier.ALL, ten, ten)).when.conditions())) == MAX_CONDITIONS
    with pytest.raises(ValidationError, match="has 21 conditions"):
        rule(group(Quantifier.ALL, ten, ten, TAGGED))
