"""Terminal, class page, table, report and comparison show the same model and the same figures."""

from collections.abc import Mapping
from typing import Any

import pytest

from grader.checks import all_checks
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.rubric import Rubric
from tests.support.factories import (
    a_fit,
    a_model,
    a_rubric,
    a_stamp,
    a_submission,
    an_accuracy,
    an_evidence,
    conv,
    dense,
    dropout,
)
from tests.support.same_figures import Shown, assert_same_figures, shown_figures

ASSIGNMENTS = ("mnist-cnn", "parameter-golf", "keras-mnist-cnn", "fashion-transfer", "cifar-deep")
GRADED = {
    "mnist-cnn": ("model", "mnist/test", "29210"),
    "parameter-golf": ("entry", "mnist/test", "158"),
    "keras-mnist-cnn": ("cnn", "mnist/test", "56714"),
    "fashion-transfer": ("transferred", "fashion_mnist/test/b", "275801"),
    "cifar-deep": ("plain", "cifar10/test", "500210"),
}
"""Model, images of its accuracy, and parameters that each reference is graded by."""
OUT = dense(10, "softmax", inputs=20, name="out")
MODELS = (
    a_model(conv(), OUT, model_id="m1", name="convolutional"),
    a_model(dense(30, name="wide"), OUT, model_id="m2", name="wide"),
    a_model(dense(20, name="kept"), dropout(), OUT, model_id="m3", name="dropping"),
)
ROLES: Mapping[str, Mapping[str, Any]] = {
    "convolutional": {"has_layer": "Conv2D"},
    "dropping": {"has_layer": "Dropout"},
    "plain": {"lacks_layer": ["Conv2D", "Dropout"]},
}


def judged(evidence: Evidence, rubric: Rubric, reference: Evidence) -> Grade:
    """A grade with the comparison with a reference."""
    return grade(
        Case(evidence, rubric, resolve_roles(rubric, evidence), lacking="unable"),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics={},
        reference=reference,
        reference_roles=resolve_roles(rubric, reference),
    )


def kept(name: str) -> tuple[Evidence, Rubric]:
    """The kept evidence of a reference solution, and its rubric."""
    loaded = find_rubric(name)
    evidence = read_reference(loaded)
    assert evidence is not None
    return evidence, loaded.rubric


def without(evidence: Evidence, model: str) -> Evidence:
    """The evidence of a notebook that never made one of its models."""
    facts = {
        "models": tuple(fact for fact in evidence.models if fact.id != model),
        "fits": tuple(fact for fact in evidence.fits if fact.model != model),
        "accuracies": tuple(fact for fact in evidence.accuracies if fact.model != model),
    }
    return evidence.model_copy(update=facts)


def several(**keys: Any) -> Evidence:
    """A notebook of three trained models."""
    values: dict[str, Any] = {
        "models": MODELS,
        "fits": tuple(a_fit(model=f"m{n}", event=10 * n) for n in (1, 2, 3)),
        "accuracies": tuple(an_accuracy(9_000 + 100 * n, model=f"m{n}") for n in (1, 2, 3)),
    }
    return an_evidence(**(values | keys))


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_each_reference_is_shown_by_the_model_that_its_assignment_is_about(name: str) -> None:
    evidence, rubric = kept(name)
    shown = assert_same_figures(judged(evidence, rubric, evidence), evidence, evidence)
    assert (shown.model, shown.accuracy_on, shown.parameters) == GRADED[name]


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_a_notebook_that_lacks_a_model_is_shown_by_the_same_other_one_everywhere(name: str) -> None:
    evidence, rubric = kept(name)
    for model in evidence.models:
        lacking = without(evidence, model.id)
        assert_same_figures(judged(lacking, rubric, evidence), lacking, evidence)


@pytest.mark.parametrize("first", ROLES)
def test_the_first_role_decides_and_not_the_order_of_the_models(first: str) -> None:
    rubric = a_rubric(roles={name: ROLES[name] for name in (first, *(role for role in ROLES if role != first))})
    for models in (MODELS, MODELS[::-1]):
        evidence = several(models=models)
        shown = assert_same_figures(judged(evidence, rubric, several()), evidence, several())
        assert shown.model == first.replace("plain", "wide")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (several(), Shown("dropping", "93.00%", "mnist/test", str(MODELS[2].parameters))),
        (several(accuracies=()), Shown("dropping", "–", "", str(MODELS[2].parameters))),
        (several(accuracies=(an_accuracy(9_000),)), Shown("dropping", "–", "", str(MODELS[2].parameters))),
        (several(fits=(), accuracies=()), Shown("dropping", "–", "", str(MODELS[2].parameters))),
        (several(models=(), fits=(), accuracies=()), Shown("", "–", "", "–")),
        (several(fits=(a_fit(model="m1"),)), Shown("convolutional", "91.00%", "mnist/test", str(MODELS[0].parameters))),
    ],
    ids=["all", "no accuracy", "accuracy of another", "untrained", "no model", "first trained"],
)
def test_without_roles_the_model_trained_last_is_shown(evidence: Evidence, expected: Shown) -> None:
    assert assert_same_figures(judged(evidence, a_rubric(), several()), evidence, several()) == expected


def test_an_accuracy_that_was_only_recorded_is_shown_alike() -> None:
    facts = tuple(fact.model_copy(update={"assurance": "recorded"}) for fact in several().accuracies)
    evidence = several(accuracies=facts)
    assert assert_same_figures(judged(evidence, a_rubric(), several()), evidence, several()).accuracy == "93.00%"


def test_a_place_that_shows_another_model_is_found_out() -> None:
    evidence = several()
    graded = judged(evidence, a_rubric(), several())
    other = graded.model_copy(update={"main_model": "m1"})
    assert shown_figures(other, evidence, several())["terminal"].accuracy == "91.00%"
    with pytest.raises(AssertionError):
        assert_same_figures(other, evidence, several())
