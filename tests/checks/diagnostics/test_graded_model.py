"""The diagnostic about a better model than the graded one."""

from dataclasses import replace

import pytest

from grader.checks.diagnostics.graded_model import better_before
from grader.facts.case import Case
from grader.schema.evidence import Evidence
from grader.schema.grade import RoleMatch
from grader.schema.rubric import Role
from tests.support.diagnosing import Cases, assert_not_noted, assert_plain, each, notes_of
from tests.support.factories import a_case, a_fit, a_model, a_rubric, an_accuracy, an_array, an_evidence
from tests.support.says import says

COMPARED = (
    "Its {dataset:dataset} {split:split} accuracy is {accuracy:percent}; {better:code}, trained in "
    "{better_cell:cell}, reaches {better_accuracy:percent}."
)


def case_of(first: int, last: int, pick: str = "last_trained") -> Case:
    """Make two models with these numbers of 10,000 images right; the second model is graded."""
    evidence = an_evidence(
        models=(a_model(model_id="m1"), a_model(model_id="m2")),
        fits=(a_fit(event=6, cell=4), a_fit(event=8, cell=7, model="m2")),
        accuracies=(an_accuracy(first), an_accuracy(last, model="m2")),
    )
    rubric = a_rubric(roles={"network": Role.model_validate({"pick": pick})})
    return a_case(evidence, rubric, network=RoleMatch(role="network", model="m2", candidates=("m1", "m2")))


def loop_of(*means: float) -> Case:
    """Make two models that one cell trained, on training and validation images with these means."""
    case = case_of(9_900, 1_500)
    fits = (
        a_fit(event=6 + place, cell=4, model=f"m{place + 1}", x=an_array(mean=mean), val_x=an_array(mean=1 - mean))
        for place, mean in enumerate(means)
    )
    return replace(case, evidence=case.evidence.model_copy(update={"fits": tuple(fits)}))


MISTAKES: Cases = {
    "better-network-before": (
        case_of(9_900, 1_500),
        # A search for good settings: all trials use the same images.
        loop_of(0.13, 0.13),
    )
}
LOOKALIKES: Cases = {
    "better-network-before": (
        # The difference is within the intervals.
        case_of(9_905, 9_900),
        case_of(9_000, 9_900),
        # Two folds of a cross-validation.
        loop_of(0.13, 0.14),
        # The rubric picks another model.
        case_of(9_900, 1_500, pick="last"),
    )
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    (note,) = notes_of(name, one)
    assert (note.id, note.model) == (name, "m2")
    assert_plain(note)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_a_better_model_before_the_graded_one_is_named() -> None:
    (note,) = better_before(case_of(9_900, 1_500))
    assert note.cell == 7
    assert says(note.message, "The model trained last, in {cell:cell}, is graded.", cell=7)
    assert says(
        note.message, COMPARED, dataset="mnist", split="test", accuracy=0.15, better_cell=4, better_accuracy=0.99
    )


def test_a_graded_model_that_was_not_trained_last_was_used_last() -> None:
    case = case_of(1_500, 9_900)
    graded = replace(case, roles={"network": RoleMatch(role="network", model="m1", candidates=("m1", "m2"))})
    (note,) = better_before(graded)
    assert says(note.message, "The model from {cell:cell} is graded, because the notebook used it last.", cell=4)
    assert says(note.message, COMPARED, better_cell=7)
