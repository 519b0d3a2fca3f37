"""The check `steps`."""

from typing import Any

import pytest
from pydantic import ValidationError

from grader.checks.steps import StepsParams, steps
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding
from tests.support.transfer_cases import ORDER, WARM, adapted, case, changed, evidence, held


def walk(found: Evidence | None = None, order: Any = ORDER, **keys: Any) -> Finding:
    return steps(case(found), StepsParams.model_validate({"model": "transferred", "steps": order} | keys))


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
