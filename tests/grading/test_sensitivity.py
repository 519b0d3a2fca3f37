"""Typical mistakes in the stored evidence of the shipped solutions: each criterion reacts, and for the right reason."""

import functools
from typing import Any

import nbformat
import pytest

from grader.checks import all_checks
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading.grade import grade
from grader.grading.mutations.base import NotApplicable, Target
from grader.grading.mutations.registry import all_mutations
from grader.grading.sensitivity import measure_sensitivity
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.resources import share
from grader.schema.evidence import Evidence
from grader.schema.sensitivity import MutationResult, Sensitivity
from tests.support.factories import (
    HISTORY,
    a_cell,
    a_figure,
    a_fit,
    a_rubric,
    a_run,
    a_stamp,
    a_submission,
    an_evidence,
)

NAMES = ("mnist-cnn", "parameter-golf", "fashion-transfer", "keras-mnist-cnn", "cifar-deep")
CARED_FOR = {
    "mnist-cnn": {
        *("no-convolution", "flat-input", "fewer-outputs", "no-dropout", "high-dropout-rate", "dropout-on-input"),
        *("dropout-on-output", "never-trained", "training-failed", "one-epoch", "rising-loss", "loss-not-a-number"),
        *("trained-on-test-images", "few-images", "other-data-set", "no-validation", "validated-on-training-images"),
        *("accuracy-below-threshold", "guessing", "no-figures", "unlabeled-axes", "invented-curves"),
        *("error-in-a-cell", "no-text", "few-words", "text-about-something-else", "assignment-handed-in"),
        *("nothing-preprocessed", "raw-variables", "other-parts", "overlapping-parts", "other-form-of-labels"),
        "shuffled-labels",
    },
    "parameter-golf": {
        *("more-parameters", "wide-layers", "fewer-outputs", "never-trained", "one-epoch", "rising-loss"),
        *("trained-on-test-images", "few-images", "other-data-set", "accuracy-below-threshold", "guessing"),
        "error-in-a-cell",
    },
    "fashion-transfer": {
        *("no-normalization", "no-clipping", "new-weights", "layer-not-reused", "frozen-but-changed", "never-frozen"),
        *("unfrozen-but-unchanged", "never-unfrozen", "no-second-compile", "frozen-after-compile"),
        *("no-second-training", "never-trained", "trained-on-test-images", "few-images", "more-images"),
        *("images-of-all-classes", "other-data-set", "no-validation", "validated-on-test-images"),
        *("validated-on-training-images", "accuracy-below-threshold", "guessing", "not-better-than-other-model"),
        *("constant-learning-rate", "no-penalty", "no-dropout", "high-dropout-rate", "low-dropout-rate"),
        *("dropout-on-output", "no-passes", "few-passes", "passes-without-dropout"),
        *("no-text", "few-words", "text-about-something-else", "assignment-handed-in", "error-in-a-cell"),
    },
    "keras-mnist-cnn": {
        *("no-convolution", "flat-input", "fewer-outputs", "loss-for-other-output", "other-loss", "other-optimizer"),
        *("fit-instead-of-loop", "one-epoch", "never-trained", "trained-on-test-images", "other-data-set"),
        *("accuracy-below-threshold", "guessing", "not-better-than-other-model", "error-in-a-cell"),
    },
    "cifar-deep": {
        *("fewer-layers", "more-layers", "narrow-layers", "wide-layers", "other-activation", "other-initializer"),
        *("other-loss", "loss-for-other-output", "other-optimizer", "high-learning-rate", "low-learning-rate"),
        *("no-callbacks", "last-weights-kept", "no-normalization", "normalization-on-input", "no-dropout"),
        *("plain-dropout", "high-dropout-rate", "raw-pixels", "never-trained", "one-epoch", "rising-loss"),
        *("trained-on-test-images", "few-images", "no-validation", "validated-on-test-images", "guessing"),
        *("no-passes", "few-passes", "passes-without-dropout", "constant-learning-rate"),
        *("rising-learning-rate", "no-text", "few-words", "text-about-something-else", "assignment-handed-in"),
        "error-in-a-cell",
    },
}
"""Mistakes that the texts of the assignments name or exclude."""


@functools.cache
def sensitivity(name: str) -> Sensitivity:
    loaded = find_rubric(name)
    evidence = read_reference(loaded)
    assert evidence is not None
    return measure_sensitivity(loaded.rubric, evidence, all_checks(), all_mutations())


def result_of(name: str, mutation: str) -> MutationResult:
    return next(one for one in sensitivity(name).mutations if one.id == mutation)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_every_criterion_of_a_shipped_rubric_can_fail(name: str) -> None:
    assert {one.id: one.missing for one in sensitivity(name).criteria if one.missing} == {}
    states = {one.id: one.state for one in sensitivity(name).criteria}
    manual = {criterion.id for criterion in find_rubric(name).rubric.criteria if criterion.manual}
    assert states == {one: "manual" if one in manual else "reacts" for one in states}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_every_mistake_that_an_assignment_names_costs_points(name: str) -> None:
    results = {one.id: one for one in sensitivity(name).mutations}
    free = {
        mutation
        for mutation in CARED_FOR[name]
        if not any(one.status in {"failed", "partial"} for one in results[mutation].reactions)
    }
    assert free == set()


@pytest.mark.parametrize(
    ("name", "mutation", "criterion", "reason"),
    [
        ("mnist-cnn", "no-dropout", "dropout", "has no dropout layer"),
        ("mnist-cnn", "high-dropout-rate", "dropout", "0.95"),
        ("mnist-cnn", "flat-input", "input-shape", "not 28 × 28 × 1"),
        ("mnist-cnn", "fewer-outputs", "accuracy", "has 9 units"),
        ("mnist-cnn", "never-trained", "accuracy", "never trained"),
        ("mnist-cnn", "rising-loss", "training-data", "did not fall"),
        ("mnist-cnn", "trained-on-test-images", "training-data", "10,000 test images"),
        ("mnist-cnn", "validated-on-training-images", "validation", "were also training images"),
        ("mnist-cnn", "accuracy-below-threshold", "accuracy", "1 more correct image"),
        ("mnist-cnn", "unlabeled-axes", "loss-curve", "have no label"),
        ("mnist-cnn", "invented-curves", "loss-curve", "no line shows the recorded"),
        ("mnist-cnn", "shuffled-labels", "cifar-prepared", "true class"),
        ("mnist-cnn", "error-in-a-cell", "runs", "NameError"),
        ("parameter-golf", "more-parameters", "golf", "parameters"),
        ("fashion-transfer", "no-clipping", "clipping", "does not clip gradients"),
        ("fashion-transfer", "layer-not-reused", "reuse", "started from new weights"),
        ("fashion-transfer", "frozen-but-changed", "freeze-and-tune", "not trainable, but the training"),
        ("fashion-transfer", "unfrozen-but-unchanged", "freeze-and-tune", "weights did not change"),
        ("fashion-transfer", "never-unfrozen", "freeze-and-tune", "still frozen"),
        ("fashion-transfer", "no-second-compile", "freeze-and-tune", "not compiled again"),
        ("fashion-transfer", "frozen-after-compile", "freeze-and-tune", "changed after the `compile`"),
        ("fashion-transfer", "no-second-training", "freeze-and-tune", "no further training"),
        ("fashion-transfer", "validated-on-test-images", "task-a", "was validated on 10,000 test images"),
        ("fashion-transfer", "not-better-than-other-model", "gain", "less"),
        ("keras-mnist-cnn", "loss-for-other-output", "logits", "must expect logits"),
        ("keras-mnist-cnn", "fit-instead-of-loop", "loop", "must be a custom loop"),
        ("cifar-deep", "last-weights-kept", "early-stopping", "restore_best_weights"),
        ("cifar-deep", "other-initializer", "plain-network", "zeros"),
        ("cifar-deep", "plain-dropout", "alpha-dropout", "No model matches the role `alpha`"),
        ("cifar-deep", "normalization-on-input", "batch-norm", "on the input"),
        ("cifar-deep", "few-passes", "mc-dropout", "at least 10 passes"),
        ("cifar-deep", "constant-learning-rate", "one-cycle", "must rise and then fall"),
    ],
)
@pytest.mark.slow
def test_a_mistake_fails_for_its_own_reason(name: str, mutation: str, criterion: str, reason: str) -> None:
    messages = {one.criterion: one.message for one in result_of(name, mutation).reactions}
    assert reason in messages[criterion]


@pytest.mark.parametrize("name", NAMES)
def test_no_mistake_is_left_to_a_person(name: str) -> None:
    waiting = {
        (one.id, reaction.criterion)
        for one in sensitivity(name).mutations
        for reaction in one.reactions
        if reaction.status == "pending"
    }
    assert waiting <= PENDING_ON_PURPOSE.get(name, set())


PENDING_ON_PURPOSE: dict[str, set[tuple[str, str]]] = {
    # No accuracy of both models on the same images, or within the number of steps.
    "keras-mnist-cnn": {(one, "beats-mlp") for one in ("fewer-outputs", "other-data-set", "single-images")},
    # Without a model of task A, nobody can decide whether it was trained on other images.
    "fashion-transfer": {
        ("never-trained", "task-b-from-scratch"),
        ("training-failed", "task-b-from-scratch"),
        ("other-data-set", "task-b-from-scratch"),
        ("images-of-all-classes", "task-b-from-scratch"),
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_every_mutant_is_evidence_that_can_be_stored(name: str) -> None:
    loaded = find_rubric(name)
    evidence = read_reference(loaded)
    assert evidence is not None
    models = tuple(model.id for model in evidence.models)
    for mutation in all_mutations():
        mutant = mutation.apply(evidence, Target(loaded.rubric), models)
        if not isinstance(mutant, NotApplicable):
            assert Evidence.model_validate_json(mutant.model_dump_json()).model_dump_json() == mutant.model_dump_json()


def test_every_check_has_a_mistake_that_it_must_notice() -> None:
    assert set(all_checks()) - {check for mutation in all_mutations() for check in mutation.concerns} == set()
    assert len({mutation.id for mutation in all_mutations()}) == len(all_mutations()) >= 35


def a_sensitivity(*criteria: dict[str, Any], evidence: Evidence | None = None, **keys: Any) -> Sensitivity:
    return measure_sensitivity(a_rubric(*criteria, **keys), evidence or an_evidence(), all_checks(), all_mutations())


def states(result: Sensitivity) -> dict[str, str]:
    return {one.id: one.state for one in result.criteria}


ANY_DENSE = {"model": "network", "layer": "Dense", "at_least": 0}
ANY_MODEL: dict[str, Any] = {"roles": {"network": {"pick": "last_trained"}}}


def test_a_criterion_that_cannot_fail_is_found() -> None:
    result = a_sensitivity(
        {"id": "layers", "points": 5, "check": "has_layer", "with": ANY_DENSE},
        {"id": "trained", "points": 5, "check": "trained", "with": {"model": "network"}},
        **ANY_MODEL,
    )
    assert states(result) == {"layers": "never_reacts", "trained": "reacts"}
    assert result.defects == ("layers",)


def test_a_criterion_that_the_solution_misses_is_no_test() -> None:
    result = a_sensitivity({"id": "accuracy", "points": 5, "check": "accuracy", "with": {"at_least": 0.999}})
    assert states(result) == {"accuracy": "not_passed"}


def test_a_criterion_that_a_person_judges_is_no_defect() -> None:
    result = a_sensitivity({"id": "own", "points": 5, "manual": {"guide": "Read it."}})
    assert (states(result), result.defects) == ({"own": "manual"}, ())


def test_an_alternative_that_hides_a_mistake_is_found() -> None:
    drops = {"check": "has_layer", "with": {"model": "network", "layer": "any_dropout"}}
    result = a_sensitivity(
        {"id": "loose", "points": 5, "any_of": [drops, {"check": "runs"}]},
        {"id": "strict", "points": 5, "all_of": [drops, {"check": "runs"}]},
        **ANY_MODEL,
    )
    reactions = {one.id: one.reacts_to for one in result.criteria}
    assert reactions["loose"] == ()
    assert set(reactions["strict"]) >= {"no-dropout", "error-in-a-cell"}


def test_a_mistake_that_no_criterion_notices_is_listed() -> None:
    result = a_sensitivity({"id": "runs", "points": 5, "check": "runs"})
    assert "no-dropout" in result.undetected
    assert "error-in-a-cell" not in result.undetected


def test_a_mistake_without_a_place_names_the_reason() -> None:
    result = a_sensitivity({"id": "runs", "points": 5, "check": "runs"})
    frozen = next(one for one in result.mutations if one.id == "never-frozen")
    assert (frozen.applied, frozen.reason) == (False, "no training of `model` has frozen layers")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("code", ["a = 1", None])
def test_the_assignment_handed_in_unchanged_earns_nothing(name: str, code: str | None) -> None:
    handed_out = nbformat.read(share("rubrics") / f"{name}-assignment.ipynb", as_version=4)
    sources = [(cell.cell_type, cell.source) for cell in handed_out.cells]
    if code is not None:
        sources = [*((kind, text) for kind, text in sources if kind == "markdown"), ("code", code)]
    cells = tuple(a_cell(at, text, kind) for at, (kind, text) in enumerate(sources))
    evidence = Evidence(run=a_run(cells_total=1, cells_run=1), cells=cells)
    rubric = find_rubric(name).rubric
    graded = grade(
        Case(evidence, rubric, resolve_roles(rubric, evidence)),
        submission=a_submission(),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics={},
        reference=None,
    )
    assert {line.id: line.message for line in graded.criteria if line.points} == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_template_of_a_shipped_rubric_is_the_text_that_is_handed_out(name: str) -> None:
    handed_out = nbformat.read(share("rubrics") / f"{name}-assignment.ipynb", as_version=4)
    texts = tuple(cell.source for cell in handed_out.cells if cell.cell_type == "markdown")
    assert find_rubric(name).rubric.template_text == texts


def test_a_curve_of_several_trainings_is_changed_with_them() -> None:
    later = {key: tuple(value / 2 for value in values) for key, values in HISTORY.items()}
    evidence = an_evidence(
        fits=(a_fit(), a_fit(event=20, cell=6, history=later)),
        figures=(a_figure(HISTORY["loss"], later["loss"]),),
    )
    loss = {"id": "loss", "points": 5, "check": "trained", "with": {"model": "network", "loss_falls": True}}
    result = a_sensitivity(loss, evidence=evidence, **ANY_MODEL)
    assert {"rising-loss", "loss-not-a-number"} <= set(result.criteria[0].reacts_to)
