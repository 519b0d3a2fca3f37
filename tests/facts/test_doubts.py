"""Criteria that depend on a model in doubt are left to a person."""

from dataclasses import replace
from typing import Any

import pytest

from grader.facts.case import Case
from grader.facts.doubts import has_doubts, with_doubts
from grader.inside.record.events import OTHER_PROCESS
from grader.schema.base import Assurance
from grader.schema.evidence import AccuracyFact, CopiesFact, Evidence, GapFact, ModelFact, SaveFact
from grader.schema.grade import Finding, RoleMatch
from grader.schema.message import Message, say
from grader.schema.rubric import Rubric
from grader.schema.submission import Run
from tests.support.factories import a_fit, an_array
from tests.support.says import says

DOUBT = say("the kept model has other layers than the recorded one")


def case_of(model: Message | None = None, accuracy: Message | None = None) -> Case:
    models = tuple(ModelFact(id=f"m{n}", name="cnn", cls="Sequential", dialect="keras3") for n in (1, 2))
    fact = AccuracyFact(
        model="m1",
        dataset="mnist",
        split="test",
        correct=9,
        total=10,
        value=0.9,
        low=0.6,
        high=1.0,
        assurance=Assurance.VERIFIED,
        how="keras",
        preprocessing="",
        doubt=accuracy,
    )
    models = (models[0].model_copy(update={"doubt": model}), models[1])
    run = Run(status="completed", seconds=1, cells_run=1, cells_total=1, isolation="none", seed=0, dialect="keras3")
    evidence = Evidence(run=run, models=models, accuracies=(fact,))
    roles = {name: RoleMatch(role=name, model=model) for name, model in (("network", "m1"), ("other", "m2"))}
    rubric = Rubric.model_construct(version=1, id="x", title="X", criteria=(), roles={})
    return Case(evidence=evidence, rubric=rubric, roles=roles)


@pytest.mark.parametrize("finding", [Finding.passed("good"), Finding.failed("bad"), Finding.partial("half", 0.5)])
@pytest.mark.parametrize(
    ("doubts", "roles", "read", "pending"),
    [
        ({}, ["network"], {"models"}, False),
        ({"model": DOUBT}, ["network"], {"models.layers"}, True),
        ({"model": DOUBT}, ["other"], {"models.layers"}, False),
        ({"model": DOUBT}, [], {"fits.history"}, True),
        ({"model": DOUBT}, [], {"cells"}, False),
        ({"accuracy": DOUBT}, ["network"], {"models.layers"}, False),
        ({"accuracy": DOUBT}, ["network"], {"models.layers", "accuracies"}, True),
        ({"accuracy": DOUBT}, ["other"], {"accuracies"}, False),
    ],
)
def test_a_person_judges_what_depends_on_a_doubt(
    finding: Finding, doubts: dict[str, Any], roles: list[str], read: set[str], *, pending: bool
) -> None:
    case = case_of(**doubts)
    assert has_doubts(case) is bool(doubts)
    after = with_doubts(case, finding, roles, frozenset(read))
    if not pending:
        assert after is finding
        return
    assert after.status == "pending"
    assert says(after.message, "A person has to judge this: {doubt}.", doubt=DOUBT)


@pytest.mark.parametrize(
    ("split", "roles", "read", "pending"),
    [
        ("test", ["network"], {"accuracies"}, True),
        ("test", [], {"accuracies"}, True),
        ("test", ["other"], {"accuracies"}, False),
        ("test", ["network"], {"models.layers"}, False),
        ("train", ["network"], {"accuracies"}, False),
    ],
)
def test_an_accuracy_after_a_training_on_altered_test_images_is_in_doubt(
    split: str, roles: list[str], read: set[str], *, pending: bool
) -> None:
    copies = CopiesFact(dataset="mnist", split=split, compared=64, copies=40, rows=1000)
    case = case_of()
    fits = (a_fit(x=an_array(1000, copies=copies)),)
    case = Case(evidence=case.evidence.model_copy(update={"fits": fits}), rubric=case.rubric, roles=case.roles)
    assert has_doubts(case)
    finding = with_doubts(case, Finding.passed("good"), roles, frozenset(read))
    assert (finding.status == "pending") is pending


@pytest.mark.parametrize(
    ("action", "cell", "other", "pending"),
    [
        ("load_weights", 3, None, True),
        ("set_weights", 4, None, True),
        ("load", 3, None, True),
        ("load_weights", 2, None, False),
        ("set_weights", 4, "m2", False),
        ("save", 4, None, False),
    ],
)
@pytest.mark.parametrize("unrecorded", [True, False])
def test_weights_that_arrive_after_an_unrecorded_training_are_left_to_a_person(
    action: Any, cell: int, other: str | None, *, pending: bool, unrecorded: bool
) -> None:
    case = case_of()
    gap = GapFact(cell=3, what="train.py", hook=OTHER_PROCESS if unrecorded else "FitWatch._begin")
    save = SaveFact(event=9, cell=cell, action=action, model="m1", other=other)
    case = replace(case, evidence=case.evidence.model_copy(update={"gaps": (gap,), "saves": (save,)}))
    found = with_doubts(case, Finding.passed("good"), ["network"], frozenset({"accuracies"}))
    assert (found.status == "pending") is (pending and unrecorded)
    assert has_doubts(case) is (pending and unrecorded)
