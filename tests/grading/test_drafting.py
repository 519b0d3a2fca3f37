"""Drafts of rubrics: valid, with full marks for the solution, and about the facts that the solution shows."""

import functools
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.checks import all_checks
from grader.facts.case import Case, CheckSpec
from grader.facts.roles import resolve_roles
from grader.grading.drafting.base import Proposal, Solution, one
from grader.grading.drafting.draft import Draft, Plan, make_draft
from grader.grading.drafting.numbers import accuracy_thresholds, apportion
from grader.grading.drafting.registry import all_topics
from grader.grading.drafting.write import write_draft
from grader.grading.grade import grade
from grader.grading.loader import read_rubric
from grader.grading.mutations.registry import all_mutations
from grader.grading.sensitivity import measure_sensitivity
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import HarnessError
from grader.schema.evidence import Evidence, LayerFact, OptimizerFact
from grader.schema.grade import CriterionGrade
from grader.schema.rubric import Criterion, Rubric
from tests.support.factories import (
    HISTORY,
    a_cell,
    a_figure,
    a_fit,
    a_model,
    a_run,
    a_stamp,
    a_submission,
    an_accuracy,
    an_array,
    an_error,
    an_evidence,
    callback,
    conv,
    dense,
    dropout,
    rows,
)
from tests.support.random_evidence import evidence as random_evidence

REFERENCES = ("cifar-deep", "fashion-transfer", "keras-mnist-cnn", "mnist-cnn", "parameter-golf")
POINTS = st.sampled_from([1, 10, 99.5, 100, 1000])
PLAN = Plan(id="draft", title="A draft")


def drafted(evidence: Evidence, plan: Plan = PLAN) -> Draft:
    return make_draft(plan, evidence, all_checks(), all_topics())


@functools.cache
def of_reference(name: str) -> Draft:
    evidence = read_reference(find_rubric(name))
    assert evidence is not None
    return drafted(evidence)


def criteria(draft: Draft) -> dict[str, Criterion]:
    return {criterion.id: criterion for criterion in draft.rubric.criteria}


def optional(draft: Draft) -> dict[str, Criterion]:
    return {one.proposal.id: Criterion.model_validate(one.data) for one in draft.optional}


def parameters(draft: Draft, name: str) -> dict[str, Any]:
    return dict((criteria(draft) | optional(draft))[name].with_)


def with_optional(draft: Draft) -> str:
    """Return the text after a person made criteria of all optional comments."""
    text = write_draft(draft)
    begin, end = text.find("  # The solution also"), text.find("  # The solution itself")
    if begin < 0:
        return text
    lines = text[begin : end if end > 0 else None].splitlines(keepends=True)[2:]
    return text[:begin] + "".join(f"  {line.removeprefix('  # ')}" for line in lines if line != "  #\n")


def graded(rubric: Rubric, evidence: Evidence) -> tuple[CriterionGrade, ...]:
    return grade(
        Case(evidence, rubric, resolve_roles(rubric, evidence)),
        submission=a_submission("solution"),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics={},
        reference=None,
    ).criteria


def assert_sound(draft: Draft, evidence: Evidence) -> None:
    """The text is a valid rubric with all points, also with its comments, and the solution gets full marks."""
    required = read_rubric(write_draft(draft).encode(), all_checks())
    assert required == draft.rubric
    assert required.max_score == pytest.approx(draft.plan.points)
    rubric = read_rubric(with_optional(draft).encode(), all_checks())
    assert [criterion.id for criterion in rubric.criteria] == [*criteria(draft), *optional(draft)]
    manual = {criterion.id for criterion in rubric.criteria if criterion.manual is not None}
    missed = {c.id: c.message for c in graded(rubric, evidence) if c.id not in manual and c.points != c.max_points}
    assert missed == {}


@pytest.mark.parametrize("name", REFERENCES)
def test_the_draft_of_a_reference_is_valid_and_gives_the_reference_full_marks(name: str) -> None:
    assert_sound(of_reference(name), of_reference(name).solution.evidence)


@pytest.mark.parametrize("name", ["mnist-cnn", "parameter-golf"])
def test_no_criterion_of_a_references_draft_overlooks_a_mistake_that_concerns_it(name: str) -> None:
    draft = of_reference(name)
    result = measure_sensitivity(draft.rubric, draft.solution.evidence, all_checks(), all_mutations())
    assert [one.id for one in result.criteria if one.cannot_fail or one.missing] == []


@settings(max_examples=12)
@given(evidence=random_evidence(), points=POINTS)
def test_any_evidence_gives_a_valid_draft_that_its_solution_passes(evidence: Evidence, points: float) -> None:
    assert_sound(drafted(evidence, Plan(id="draft", title="It's: {a} #draft", points=points)), evidence)


@pytest.mark.slow
@pytest.mark.early
@settings(max_examples=150)
@given(evidence=random_evidence(), points=POINTS)
def test_much_more_evidence_gives_a_valid_draft_that_its_solution_passes(evidence: Evidence, points: float) -> None:
    assert_sound(drafted(evidence, Plan(id="draft", title="It's: {a} #draft", points=points)), evidence)


# ---------------------------------------------------------------------------------------------------------------------
# The facts that a draft shows


def test_a_transfer_is_drafted_with_its_tasks_its_roles_and_its_steps() -> None:
    draft = of_reference("fashion-transfer")
    rubric = draft.rubric
    assert {name: task.classes for name, task in rubric.tasks.items()} == {"a": (0, 1, 2, 3, 4, 7, 8, 9), "b": (5, 6)}
    assert next(iter(rubric.roles)) == "transferred"
    assert (rubric.roles["transferred"].task, rubric.roles["transferred"].reuses) == ("b", "first")
    assert rubric.roles["scratch"].from_scratch is True
    steps = [{"freeze": "all_but_last"}, "compile", "fit", {"unfreeze": "any"}, "compile", "fit"]
    assert parameters(draft, "freeze-and-tune")["steps"] == steps
    assert parameters(draft, "reuse") == {
        "model": "transferred",
        "source": "first",
        "source_task": "a",
        "all_but_last": True,
    }
    assert parameters(draft, "scratch-task")["exactly"] == 200
    assert parameters(draft, "scratch-task")["apart_from"] == "first"
    assert parameters(draft, "gain")["over"] == "scratch"


def test_models_with_the_same_purpose_get_roles_by_what_distinguishes_them() -> None:
    roles = of_reference("cifar-deep").rubric.roles
    assert roles["with-norm"].has_layer == "BatchNormalization"
    assert (roles["plain"].activation, roles["plain"].lacks_layer) == ("elu", "BatchNormalization")
    assert {role.pick for role in roles.values()} == {"last_trained"}
    assert all(role.name is None for role in roles.values())


def test_a_deep_stack_early_stopping_and_a_cycle_of_the_rate_are_drafted() -> None:
    draft = of_reference("cifar-deep")
    plain = parameters(draft, "plain-dense-layers")
    assert (plain["at_least"], plain["activation"], plain["initialiser"]) == (20, "elu", ["he_normal", "he_uniform"])
    assert parameters(draft, "plain-early-stopping")["restore_best_weights"] is True
    assert parameters(draft, "learning-rate") == {"shape": "one_cycle"}
    assert parameters(draft, "mc-dropout") == {"passes_at_least": 10}


def test_advice_on_standardized_images_is_not_the_advice_on_scaled_ones() -> None:
    advice = {name: str(one.advice) for name, one in criteria(of_reference("cifar-deep")).items()}
    assert "standard deviation" in advice["standardized"]
    assert ("x / 255" in advice["standardized"], "x / 255" in advice["plain-scaled"]) == (False, True)


def test_preprocessing_is_drafted_with_its_formula() -> None:
    params = parameters(of_reference("mnist-cnn"), "cifar10-prepared")
    assert params["parts"] == {"train": 0.7, "validation": 0.3}
    assert (params["scale"], params["labels"]) == ({"add": -0.5}, {"one_hot": True, "classes": 10})
    assert of_reference("mnist-cnn").rubric.stand_in == ("cifar10",)


def test_a_custom_loop_and_a_small_model_are_drafted() -> None:
    assert parameters(of_reference("keras-mnist-cnn"), "loop")["kind"] == "custom_loop"
    assert parameters(of_reference("keras-mnist-cnn"), "beats") == {"model": "cnn", "than": "mlp"}
    assert parameters(of_reference("parameter-golf"), "size")["at_most"] == 200


def test_thresholds_of_accuracy_are_below_the_result_and_above_guessing() -> None:
    params = parameters(of_reference("mnist-cnn"), "accuracy")
    assert 0.5 < params["partial_from"] < params["at_least"] < 0.9925
    assert params["require_verified"] is True


def test_parameters_are_lenient_and_the_comment_says_what_could_be_stricter() -> None:
    draft = drafted(an_evidence())
    assert parameters(draft, "convolution") == {"model": "network", "layer": "any_convolution"}
    text = write_draft(draft)
    assert "    # cell 3: 2 × Conv2D\n    # Stricter: at_least: 2" in text
    assert "  #   # cell 3: Dropout(0.4)\n" in text
    assert parameters(draft, "dropout")["rate"] == {"at_least": 0.05, "at_most": 0.6}


def test_every_criterion_has_evidence_points_to_adjust_and_advice() -> None:
    for draft in map(of_reference, REFERENCES):
        for criterion in draft.criteria:
            assert criterion.proposal.seen
            assert criterion.proposal.advice.endswith(".") or "manual" in criterion.way
        assert write_draft(draft).count("  # adjust\n") >= len(draft.criteria)


def test_no_line_of_a_draft_is_longer_than_the_lines_of_shipped_rubrics() -> None:
    assert [
        line for name in REFERENCES for line in write_draft(of_reference(name)).splitlines() if len(line) > 120
    ] == []


def test_plotted_histories_are_drafted() -> None:
    assert {"loss-curve", "accuracy-curve"} <= set(optional(drafted(an_evidence())))
    loss = drafted(an_evidence(figures=(a_figure(HISTORY["loss"], ylabel="loss"),)))
    assert "loss-curve" in optional(loss)
    assert "accuracy-curve" in {left.criterion.proposal.id for left in loss.left_out}


def test_advice_on_plots_fits_the_kind_of_training() -> None:
    advice = {name: optional(of_reference(name))["loss-curve"].advice for name in ("mnist-cnn", "keras-mnist-cnn")}
    assert ["history.history" in str(text) for text in advice.values()] == [True, False]


def test_callbacks_and_clipped_gradients_are_drafted() -> None:
    fit = a_fit(
        callbacks=(callback("ModelCheckpoint", save_best_only=True),),
        compiled=None,
        optimizer=OptimizerFact(cls="Nadam", config={"clipvalue": 0.5}),
    )
    draft = drafted(an_evidence(fits=(fit,)))
    assert parameters(draft, "model-checkpoint") == {
        "model": "network",
        "cls": "ModelCheckpoint",
        "save_best_only": True,
    }
    assert parameters(draft, "clipping") == {"model": "network", "clipping": True}
    assert parameters(draft, "optimizer") == {"model": "network", "cls": "adaptive"}


def test_choices_that_another_right_solution_may_not_make_are_comments() -> None:
    draft = of_reference("mnist-cnn")
    assert set(optional(draft)) == {
        *("dropout", "batch-norm", "optimizer", "learning-rate", "loss-curve", "accuracy-curve", "explanation-text"),
    }
    assert "dropping-dropout" in criteria(of_reference("fashion-transfer"))  # the difference between two models
    weights = {one.proposal.weight: one.points for one in draft.criteria}
    assert all(
        one.points == pytest.approx(weights.get(one.proposal.weight, one.points), abs=1) for one in draft.optional
    )


# ---------------------------------------------------------------------------------------------------------------------
# Criteria that the solution misses


def test_a_criterion_that_the_solution_misses_is_a_comment_with_the_reason() -> None:
    evidence = an_evidence(run=a_run(errors=(an_error(),), status="completed"), cells=(a_cell(3, error="NameError"),))
    draft = drafted(evidence)
    assert "runs" not in criteria(draft)
    assert next(left.criterion.proposal.id for left in draft.left_out) == "runs"
    text = write_draft(draft)
    assert re.search(r"^  # Left out: .*NameError", text, re.MULTILINE)
    assert "  # - id: runs\n" in text
    assert_sound(draft, evidence)


def test_a_comment_can_be_turned_into_a_criterion_again() -> None:
    evidence = an_evidence(figures=(), fits=(a_fit(x=an_array(54_000, low=0.0, high=255.0)),))
    text = write_draft(drafted(evidence))
    start = text.index("  # - id: scaled")
    back = "".join(
        line.removeprefix("  # ") if line.startswith("  # ") else line
        for line in text[start:].splitlines(keepends=True)
    )
    indented = "".join(f"  {line}" for line in back.splitlines(keepends=True))
    rubric = read_rubric((text[: text.index("  # The solution itself")] + indented).encode(), all_checks())
    assert "scaled" in {criterion.id for criterion in rubric.criteria}


def test_a_model_that_guesses_gets_no_threshold_of_accuracy() -> None:
    assert "accuracy" not in criteria(drafted(an_evidence(accuracies=(an_accuracy(1_000),))))


def test_evidence_without_any_fact_leaves_the_work_to_a_person() -> None:
    empty = Evidence(run=a_run(status="died", cells_run=0))
    draft = drafted(empty)
    assert [criterion.id for criterion in draft.rubric.criteria if criterion.manual is None] == []
    assert_sound(draft, empty)


def test_a_preferred_way_that_fails_gives_way_to_a_more_lenient_one() -> None:
    layers: tuple[LayerFact, ...] = (conv(), dense(64, "relu"), dense(10, "softmax"), dropout(0.9))
    draft = drafted(an_evidence(models=(a_model(*layers),)))
    assert parameters(draft, "dropout") == {"model": "network", "layer": "any_dropout"}


def test_a_check_that_fails_by_itself_is_left_out() -> None:
    def broken(_case: Case, _params: Any) -> Any:
        msg = "broken"
        raise HarnessError(msg)

    checks = dict(all_checks())
    spec = checks["optimizer"]
    checks["optimizer"] = CheckSpec(name=spec.name, parameters=spec.parameters, run=broken, doc=spec.doc)
    draft = make_draft(PLAN, an_evidence(), checks, all_topics())
    assert {left.criterion.proposal.id for left in draft.left_out} >= {"optimizer"}
    assert "convolution" in criteria(draft)


def test_a_topic_of_another_package_takes_part_and_an_unknown_check_is_left_out() -> None:
    def topic(solution: Solution) -> Any:
        assert solution.main is not None
        for check in ("trained", "of_another_package"):
            yield Proposal("more", "More", 5, (one(check, model=solution.main.role),), "Train more.", "seen")

    draft = make_draft(PLAN, an_evidence(), all_checks(), (*all_topics(), topic))
    assert criteria(draft)["more"].check == "trained"
    reasons = {left.criterion.proposal.id: left.reason for left in draft.left_out}
    assert reasons["more-2"] == "the check 'of_another_package' is not installed"


# ---------------------------------------------------------------------------------------------------------------------
# Roles


def test_a_stage_that_was_saved_and_trained_further_needs_no_role() -> None:
    fits = tuple(a_fit(event=event) for event in (6, 8))
    draft = drafted(an_evidence(fits=fits))
    assert dict(draft.rubric.roles["network"].model_dump(exclude_defaults=True)) == {"pick": "last_trained"}


def test_models_that_nothing_distinguishes_share_a_role() -> None:
    models = (a_model(model_id="m1"), a_model(model_id="m2"))
    fits = (a_fit(), a_fit(event=16, model="m2"))
    draft = drafted(an_evidence(models=models, fits=fits, figures=()))
    assert list(draft.rubric.roles) == ["network"]
    assert [subject.model.id for subject in draft.solution.subjects] == ["m2"]


def test_the_data_set_of_the_command_line_overrides_the_recognized_one() -> None:
    fits = (a_fit(x=an_array(900, of=rows(train=900, dataset="cifar10"))),)
    evidence = an_evidence(fits=fits)
    assert drafted(evidence).rubric.dataset == "cifar10"
    assert drafted(evidence, Plan(id="draft", title="A draft", dataset="mnist")).rubric.dataset == "mnist"


# ---------------------------------------------------------------------------------------------------------------------
# Numbers


@given(
    weights=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    points=st.integers(100, 100_000).map(lambda cents: cents / 100),
)
def test_points_add_up_exactly_and_follow_the_weights(weights: list[int], points: float) -> None:
    shares = apportion(weights, points)
    assert round(sum(shares), 6) == points
    assert min(shares) > 0
    heavy, light = max(range(len(weights)), key=weights.__getitem__), min(range(len(weights)), key=weights.__getitem__)
    assert shares[heavy] >= shares[light]


def test_a_hundred_points_are_whole_numbers() -> None:
    assert all(share == int(share) for share in apportion([5, 4, 3, 30, 10], 100))


@given(value=st.floats(0, 1), classes=st.integers(2, 100), total=st.sampled_from([100, 10_000]))
def test_thresholds_are_ordered(value: float, classes: int, total: int) -> None:
    low = max(0.0, value - 1.96 * (value * (1 - value) / total) ** 0.5)
    thresholds = accuracy_thresholds(value, low, 1 / classes)
    if thresholds is not None:
        full, none = thresholds
        assert 1 / classes < none < full <= value
