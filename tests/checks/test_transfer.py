"""Transfer learning is judged by weights, rows and verified answers, not by code."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from grader.checks.gain import GainParams, gain
from grader.checks.reuses import ReusesParams, reuses
from grader.checks.rows import RowsParams, rows
from grader.checks.steps import StepsParams, steps
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.schema.errors import PredictorError
from grader.schema.evidence import Evidence, FitFact, SaveFact
from grader.schema.grade import Finding, Lacking
from tests.support.factories import a_fit, an_array
from tests.support.factories import rows as rows_fact
from tests.support.transfer_cases import (
    FIRST,
    RELOADED,
    SCRATCH,
    TRANSFERRED,
    accuracies,
    adapted,
    case,
    changed,
    evidence,
    reloaded,
    rubric,
)

ORDER = [{"freeze": "all_but_last"}, "compile", "fit", {"unfreeze": "any"}, "compile", "fit"]
FROZEN = {"low": False, "middle": False, "high": True}
WARM = {"low": True, "middle": True, "high": True}


def walk(found: Evidence | None = None, order: Any = ORDER, **keys: Any) -> Finding:
    return steps(case(found), StepsParams.model_validate({"model": "transferred", "steps": order} | keys))


def held(finding: Finding) -> list[bool]:
    return [step["holds"] for step in finding.measured["steps"]]


def test_the_whole_sequence_passes_and_says_what_the_weights_did() -> None:
    finding = walk()
    assert (finding.status, finding.fraction) == ("passed", 1)
    assert "2 of 3 layers with weights frozen in the training in cell 5" in finding.message
    assert "2 layers unfrozen for the training in cell 6 and changed by it" in finding.message


def test_layers_marked_as_frozen_but_changed_are_not_frozen() -> None:
    finding = walk(changed(head={"digests_after": {"low": "x", "middle": "a-middle", "high": "head"}}))
    assert held(finding) == [False, False, False, True, True, True]
    assert "step 1 of 6 (freeze) is missing: `low` was marked as not trainable, but changed" in finding.message


def test_unfreezing_without_a_new_compile_is_named_with_its_cell() -> None:
    finding = walk(changed(tail={"compiled": 38}))
    assert (finding.status, held(finding)) == ("partial", [True, True, True, True, False, True])
    assert finding.fraction == pytest.approx(5 / 6)
    assert "step 5 of 6 (compile) is missing: not compiled again between cell 5 and the training in cell 6" in (
        finding.message
    )


def test_a_change_after_the_compile_is_a_missing_compile() -> None:
    compiles = evidence().compiles
    early = compiles[2].model_copy(update={"trainable": WARM})
    finding = walk(evidence(compiles=(*compiles[:2], early, compiles[3])))
    assert held(finding) == [True, False, True, True, True, True]
    assert "`trainable` of `low` and `middle` changed after the compile in cell 4" in finding.message


def test_unfrozen_layers_that_never_change_were_not_tuned() -> None:
    finding = walk(changed(tail={"digests_after": {"low": "a-low", "middle": "a-middle", "high": "b-head"}}))
    assert held(finding)[3] is False
    assert "`low` and `middle` were made trainable, but not changed" in finding.message


def test_trainings_without_any_freezing_earn_nothing() -> None:
    head = {"trainable": WARM, "compiled": 48, "digests_after": {"low": "1", "middle": "2", "high": "3"}}
    whole = changed(head=head)
    finding = walk(whole.model_copy(update={"compiles": whole.compiles[3:]}))
    assert (finding.status, finding.fraction) == ("failed", 0)


def test_a_network_that_stays_frozen_has_half_of_the_steps() -> None:
    finding = walk(evidence(fits=evidence().fits[:3]))
    assert held(finding) == [True, True, True, False, False, False]
    assert "no further training was left" in finding.message


@pytest.mark.parametrize("layers", ["all_but_last", "reused", ["low", "middle"]])
def test_a_layer_that_no_training_changes_need_not_be_tuned(layers: Any) -> None:
    finding = walk(adapted(), order=[{"freeze": layers}, "compile", "fit", {"unfreeze": layers}, "compile", "fit"])
    assert finding.status == "passed"
    assert "2 of 3 layers with weights frozen" in finding.message


def test_a_layer_that_no_training_changes_need_not_be_frozen_and_alone_is_no_freezing() -> None:
    whole = adapted()
    loose = tuple(f.model_copy(update={"trainable": {**f.trainable, "adapted": True}}) for f in whole.fits)
    assert walk(whole.model_copy(update={"fits": loose})).status == "passed"
    alone = tuple(
        f.model_copy(update={"trainable": dict.fromkeys(f.trainable, True) | {"adapted": False}}) for f in whole.fits
    )
    finding = walk(whole.model_copy(update={"fits": alone}), order=[{"freeze": "any"}, "compile", "fit"])
    assert held(finding)[0] is False


def test_a_third_training_afterwards_changes_nothing() -> None:
    fits = evidence().fits
    assert walk(evidence(fits=(*fits, fits[3].model_copy(update={"event": 60, "cell": 6})))).status == "passed"


def test_all_or_nothing_can_be_asked_for() -> None:
    finding = walk(changed(tail={"compiled": 38}), partial=False)
    assert (finding.status, finding.fraction) == ("failed", 0)


def test_layers_can_be_named_or_be_those_that_are_reused() -> None:
    assert walk(order=[{"freeze": "reused"}, "compile", "fit", {"unfreeze": ["low"]}, "compile", "fit"]).status == (
        "passed"
    )
    assert walk(order=[{"freeze": ["Dense"]}, "compile", "fit"]).status == "failed"


def test_a_training_whose_end_was_not_seen_is_not_judged_frozen() -> None:
    assert "was not seen" in walk(changed(head={"digests_after": {}, "status": "unfinished"})).message


@pytest.mark.parametrize("order", [[], ["fit", "compile"], [{"freeze": "any", "unfreeze": "any"}, "fit"], ["train"]])
def test_steps_that_cannot_be_judged_are_refused(order: list[Any]) -> None:
    with pytest.raises(ValidationError):
        StepsParams.model_validate({"steps": order})


def reuse(found: Evidence | None = None, **keys: Any) -> Finding:
    given = {"model": "transferred", "source": "first", "source_task": "a", "all_but_last": True} | keys
    return reuses(case(found), ReusesParams.model_validate(given))


def test_shared_layers_are_reused() -> None:
    finding = reuse(how="shared")
    assert finding.status == "passed"
    assert finding.measured["reused"] == ["low", "middle"]
    assert "2 of its 3 layers with weights (`low` and `middle`) as those of `model_a` were" in finding.message


def test_a_copy_of_the_weights_is_reuse_too_but_no_sharing() -> None:
    models = evidence().models
    copied = evidence(models=(*models[:2], models[2].model_copy(update={"shares_layers_with": ()})))
    assert reuse(copied).measured["how"] == ["copied"]
    assert reuse(copied, how="shared").status == "failed"


def test_a_network_of_the_same_build_reuses_nothing() -> None:
    finding = reuse(model="scratch")
    assert finding.status == "failed"
    assert "none of its layers began a training with weights" in finding.message


def test_a_layer_with_fresh_weights_between_is_named() -> None:
    finding = reuse(changed(head={"digests_before": {"low": "a-low", "middle": "fresh", "high": "new"}}))
    assert (finding.status, finding.measured["reused"]) == ("failed", ["low"])
    assert "`middle` began with weights of their own" in finding.message


def test_a_layer_that_no_training_changes_is_not_expected_to_be_reused() -> None:
    finding = reuse(adapted())
    assert finding.status == "passed"
    assert finding.measured["fresh"] == ["high"]
    assert "2 of its 3 layers with weights" in finding.message


def test_a_layer_that_the_source_had_frozen_comes_along() -> None:
    whole = evidence()
    frozen = whole.fits[0].model_copy(update={"digests_before": {"low": "a-low", "middle": "r2", "old": "r3"}})
    finding = reuse(evidence(fits=(frozen, *whole.fits[1:])))
    assert (finding.status, finding.measured["reused"]) == ("passed", ["middle"])
    assert finding.measured["fresh"] == ["high"]
    assert reuse(evidence(fits=(frozen, *whole.fits[1:])), at_least=2).status == "failed"


def test_weights_that_no_training_had_changed_are_not_learned() -> None:
    whole = evidence()
    idle = whole.fits[0].model_copy(update={"digests_before": whole.fits[0].digests_after})
    assert reuse(evidence(fits=(idle, *whole.fits[1:]))).status == "failed"


def test_weights_from_a_file_of_the_course_are_reuse_from_a_file() -> None:
    loaded = SaveFact(
        event=35,
        cell=3,
        action="load_weights",
        model="m9",
        path="base.h5",
        digests={"low": "a-low", "middle": "a-middle"},
    )
    found = evidence(saves=(loaded,), fits=evidence().fits[1:])
    finding = reuse(found, source=None, source_task=None, how="file")
    assert finding.status == "passed"
    assert "as those of the file base.h5 were" in finding.message


def look(found: Evidence | None = None, **keys: Any) -> Finding:
    return rows(case(found), RowsParams.model_validate({"model": "scratch", "task": "b"} | keys))


def test_two_hundred_images_of_task_b_apart_from_task_a() -> None:
    finding = look(exactly=200, validated=True, apart_from="first")
    assert finding.status == "passed"
    assert finding.measured["missed"] == []


def test_too_many_images_are_counted_and_named() -> None:
    finding = look(exactly=100, partial=True)
    assert finding.status == "partial"
    assert "trained on 200 images in cell 4 (exactly 100 wanted)" in finding.message


def test_the_other_task_is_not_this_one() -> None:
    assert "only 0 % are images of the task `b`" in look(model="first").message


def a_training(**keys: Any) -> Evidence:
    whole = evidence()
    other: FitFact = whole.fits[1].model_copy(update=keys)
    return evidence(fits=(whole.fits[0], other, *whole.fits[2:]))


def test_images_that_were_not_recognised_do_not_count_as_right() -> None:
    assert "could not be recognised" in look(a_training(x=an_array(200))).message


def test_validation_images_of_the_training_are_found() -> None:
    assert "17 images were both trained on and watched" in look(a_training(overlap=17)).message


def test_test_images_are_not_training_images() -> None:
    mixed = rows_fact(150, 50, dataset="fashion_mnist", classes={"5": 100, "6": 100})
    assert "50 test images were trained on" in look(a_training(x=an_array(200, of=mixed))).message


def test_networks_trained_on_the_same_classes_are_not_apart() -> None:
    assert "trained on images of the same classes" in look(model="transferred", apart_from="scratch").message


def compare(found: Evidence | None = None, **keys: Any) -> Finding:
    given = {"model": "transferred", "over": "scratch", "task": "b"} | keys
    return gain(case(found), GainParams.model_validate(given))


def test_a_clear_gain_is_more_than_chance() -> None:
    finding = compare(require_significant=True)
    assert finding.status == "passed"
    assert (finding.measured["only_model"], finding.measured["only_over"]) == (50, 5)
    assert finding.measured["gain"] == pytest.approx(0.0225)
    assert "which chance does not explain" in finding.message


def test_a_gain_inside_the_noise_is_said_to_be_that() -> None:
    found = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(5, 21))))
    assert compare(found).status == "passed"
    assert "inside the noise" in compare(found).message
    assert compare(found, require_significant=True).status == "failed"


def test_a_loss_is_no_gain_and_a_gain_can_be_too_small() -> None:
    worse = evidence(accuracies=accuracies((SCRATCH, range(20)), (TRANSFERRED, range(60))))
    assert compare(worse).status == "failed"
    assert "2 percentage points less" in compare(worse).message
    assert compare(at_least=0.03).status == "failed"


def test_without_single_answers_chance_cannot_be_told() -> None:
    facts = tuple(fact.model_copy(update={"wrong": None}) for fact in evidence().accuracies)
    finding = compare(evidence(accuracies=facts))
    assert (finding.status, finding.measured["p_value"]) == ("passed", None)
    assert "could not be tested" in finding.message


def test_an_accuracy_that_is_not_known_is_said() -> None:
    found = evidence(accuracies=evidence().accuracies[1:])
    lost = tuple(model.model_copy(update={"unkept_reason": "it was too large"}) for model in found.models)
    finding = compare(found.model_copy(update={"models": lost}))
    assert finding.status == "failed"
    assert "the accuracy of `model_b` on the images" in finding.message


@pytest.mark.parametrize("known", [slice(1, None), slice(0, 1), slice(0, 0)])
def test_a_comparison_that_was_written_after_the_execution_is_no_students_zero(known: slice) -> None:
    with pytest.raises(PredictorError, match="on the images of the comparison is not known although"):
        compare(evidence(accuracies=evidence().accuracies[known]))


@pytest.mark.parametrize("lacking", ["unable", "unasked"])
def test_a_comparison_that_no_execution_can_follow_for_waits_for_a_person(lacking: Lacking) -> None:
    found = evidence(accuracies=evidence().accuracies[1:])
    params = GainParams(model="transferred", over="scratch", task="b")
    finding = gain(replace(case(found), lacking=lacking), params)
    assert (finding.status, finding.measured) == ("pending", {"gain": None})


def test_the_source_can_be_a_network_that_was_never_trained_on_its_task() -> None:
    other = a_fit(
        event=20, model=FIRST, digests_before={"low": "r"}, digests_after={"low": "a-low", "middle": "a-middle"}
    )
    finding = reuse(evidence(fits=(other, *evidence().fits[1:])), all_but_last=False)
    assert finding.status == "failed"
    assert "had not been trained on the task `a` before" in finding.message


def whole_case(found: Evidence) -> Case:
    """A case whose roles were found and not given."""
    return Case(evidence=found, rubric=rubric(), roles=resolve_roles(rubric(), found))


WORK = reloaded()
SHORT = {"exactly": 200, "apart_from": "first"}


def test_a_network_that_was_saved_and_loaded_between_its_trainings_has_done_both() -> None:
    found = whole_case(WORK)
    assert found.roles["transferred"].model == RELOADED
    finding = steps(found, StepsParams.model_validate({"model": "transferred", "steps": ORDER}))
    assert held(finding) == [True] * 6, finding.message
    reused = reuses(found, ReusesParams(model="transferred", source="first", source_task="a", all_but_last=True))
    assert (reused.status, reused.measured["sources"], reused.measured["how"]) == ("passed", [FIRST], ["shared"])
    assert gain(found, GainParams(model="transferred", over="scratch", task="b")).measured["only_model"] == 50
    seen = rows(found, RowsParams.model_validate({"model": "transferred", "task": "b"} | SHORT))
    assert (seen.status, seen.measured["rows"]) == ("passed", [200, 200])


def test_what_was_reused_is_known_also_where_nothing_was_frozen_before_the_file() -> None:
    moved = {"low": "x-low", "middle": "x-middle", "high": "head"}
    found = whole_case(
        reloaded(head={"trainable": WARM, "digests_after": moved}, tail={"digests_before": moved, "trainable": WARM})
    )
    assert found.roles["transferred"].model == RELOADED
    reused = reuses(found, ReusesParams(model="transferred", source="first", source_task="a", all_but_last=True))
    assert reused.status == "passed", reused.message
    finding = steps(found, StepsParams.model_validate({"model": "transferred", "steps": ORDER}))
    assert held(finding)[0] is False


def test_images_of_a_stage_before_the_file_count() -> None:
    many = reloaded(head={"x": an_array(900, of=rows_fact(900, dataset="fashion_mnist", classes={"5": 450, "6": 450}))})
    found = whole_case(many)
    seen = rows(found, RowsParams.model_validate({"model": "transferred", "task": "b"} | SHORT))
    assert (seen.status, seen.measured["missed"]) == ("failed", ["number"])


def test_a_source_that_was_saved_loaded_and_trained_further_is_still_the_source() -> None:
    whole = evidence()
    saves = (
        *whole.saves,
        SaveFact(event=23, cell=2, action="load", model=RELOADED, path="a.keras", digests=whole.fits[0].digests_after),
    )
    learned = whole.fits[0].digests_after
    later = whole.fits[0].model_copy(
        update={"event": 25, "model": RELOADED, "digests_before": learned, "digests_after": dict.fromkeys(learned, "z")}
    )
    again = whole.models[0].model_copy(update={"id": RELOADED})
    fits = (whole.fits[0], later, *whole.fits[1:])
    found = whole_case(whole.model_copy(update={"models": (*whole.models, again), "fits": fits, "saves": saves}))
    assert found.roles["first"].model == RELOADED
    assert found.roles["transferred"].model == TRANSFERRED
    reused = reuses(found, ReusesParams(model="transferred", source="first", source_task="a", all_but_last=True))
    assert reused.status == "passed", reused.message
