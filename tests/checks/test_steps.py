"""The check `steps`."""

from typing import Any

import pytest
from pydantic import ValidationError

from grader.checks.steps import StepsParams, steps
from grader.facts.language import english, language
from grader.schema.evidence import Evidence
from grader.schema.grade import Finding
from grader.schema.message import Message, as_message, say
from tests.support.says import ids, parts, says, values
from tests.support.transfer_cases import ORDER, WARM, adapted, case, changed, evidence, held

FROZEN = (
    "{frozen:number} of {layers:number} layers with weights were frozen in the training in {cell:cell}, which "
    "did not change them"
)
UNFROZEN = "{count:number} layer was unfrozen for the training in {cell:cell}, which changed it"
MISSING = "Step {place:number}, {step}, is missing: {observation}."
DONE = "{model:code}: {done:number} of {steps:number} steps were done: {trainings:clauses}."


def names(message: Message | str) -> list[str]:
    """The layers that a message names."""
    return [part.values["layer"] for part in parts(message) if part.id == "{layer:code}"]


def walk(found: Evidence | None = None, order: Any = ORDER, **keys: Any) -> Finding:
    return steps(case(found), StepsParams.model_validate({"model": "transferred", "steps": order} | keys))


def test_the_whole_sequence_passes_and_says_what_the_weights_did() -> None:
    finding = walk()
    assert (finding.status, finding.fraction) == ("passed", 1)
    assert says(finding.message, FROZEN, frozen=2, layers=3, cell=4)
    assert says(finding.message, UNFROZEN, count=2, cell=5)


def test_layers_marked_as_frozen_but_changed_are_not_frozen() -> None:
    finding = walk(changed(head={"digests_after": {"low": "x", "middle": "a-middle", "high": "head"}}))
    assert held(finding) == [False, False, False, True, True, True]
    assert says(finding.message, MISSING, place=1, step=say("freeze layers"))
    assert "{layers} was not trainable, but the training in {cell:cell} changed it" in ids(finding.message)
    assert names(finding.message) == ["low"]


def test_unfreezing_without_a_new_compile_is_named_with_its_cell() -> None:
    finding = walk(changed(tail={"compiled": 38}))
    assert (finding.status, held(finding)) == ("partial", [True, True, True, True, False, True])
    assert finding.fraction == pytest.approx(5 / 6)
    assert says(finding.message, MISSING, place=5, step=say("`compile`"))
    assert says(
        finding.message,
        "the model was not compiled again between {before:cell} and the training in {cell:cell}",
        before=4,
        cell=5,
    )


def test_a_change_after_the_compile_is_a_missing_compile() -> None:
    compiles = evidence().compiles
    early = compiles[2].model_copy(update={"trainable": WARM})
    finding = walk(evidence(compiles=(*compiles[:2], early, compiles[3])))
    assert held(finding) == [True, False, True, True, True, True]
    assert says(
        finding.message,
        "`trainable` of {layers} changed after the `compile` in {compiled:cell} and before the training in {cell:cell}",
        compiled=3,
    )
    assert names(finding.message) == ["low", "middle"]


def test_unfrozen_layers_that_never_change_were_not_tuned() -> None:
    finding = walk(changed(tail={"digests_after": {"low": "a-low", "middle": "a-middle", "high": "b-head"}}))
    assert held(finding)[3] is False
    unchanged = "{layers} was set trainable, but its weights did not change in the training in {cell:cell}"
    assert values(finding.message, unchanged)
    assert names(finding.message) == ["low", "middle"]


def test_unfreezing_without_a_compile_explains_why_no_weight_changed_and_what_comes_next() -> None:
    finding = walk(
        changed(tail={"compiled": 38, "digests_after": {"low": "a-low", "middle": "a-middle", "high": "b-head"}})
    )
    assert held(finding) == [True, True, True, False, False, False]
    assert english(finding.message) == (
        "`model_b_on_a`: 3 of 6 steps were done: freeze layers, `compile`, `fit` (training in cell 5). "
        "Step 4, unfreeze layers, is missing: `low` and `middle` were set trainable, but the training in cell 6 did "
        "not change them, because the model was last compiled in cell 4, before `trainable` was set. "
        "Also missing after it: `compile`, `fit`."
    )
    assert "Call `compile` after `trainable = True` and before the training in cell 6" in english(finding.advice)
    german = language("de").text(as_message(finding.message))
    assert "Schichten freigeben" in german
    assert "Zelle 6" in german


def test_trainings_without_any_freezing_earn_nothing() -> None:
    head = {"trainable": WARM, "compiled": 48, "digests_after": {"low": "1", "middle": "2", "high": "3"}}
    whole = changed(head=head)
    finding = walk(whole.model_copy(update={"compiles": whole.compiles[3:]}))
    assert (finding.status, finding.fraction) == ("failed", 0)
    assert says(finding.message, "{model:code}: The required step was not done.", count=6)


def test_a_network_that_stays_frozen_has_half_of_the_steps() -> None:
    finding = walk(evidence(fits=evidence().fits[:3]))
    assert held(finding) == [True, True, True, False, False, False]
    assert "there is no further training for this step" in ids(finding.message)


@pytest.mark.parametrize("layers", ["all_but_last", "reused", ["low", "middle"]])
def test_a_layer_that_no_training_changes_need_not_be_tuned(layers: Any) -> None:
    finding = walk(adapted(), order=[{"freeze": layers}, "compile", "fit", {"unfreeze": layers}, "compile", "fit"])
    assert finding.status == "passed"
    assert says(finding.message, FROZEN, frozen=2, layers=3)


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
    finding = walk(changed(head={"digests_after": {}, "status": "unfinished"}))
    assert "the grader could not see how the training in {cell:cell} changed the weights" in ids(finding.message)


def test_the_last_layer_in_a_call_of_the_students_may_be_any_layer() -> None:
    head_first = {"trainable": {"low": True, "middle": False, "high": False}}
    moved = {"digests_after": {"low": "b-low", "middle": "a-middle", "high": "new"}}
    found = changed(head=head_first | moved)
    assert held(walk(found))[0] is False
    written = [m.model_copy(update={"cls": "Net"}) if m.name == "model_b_on_a" else m for m in found.models]
    finding = walk(found.model_copy(update={"models": tuple(written)}))
    assert finding.status == "pending"
    assert held(finding)[0] is None
    assert "the grader could not see which layer is the last one in a `call` of the notebook" in ids(finding.message)
    named = walk(found.model_copy(update={"models": tuple(written)}), order=[{"freeze": ["low"]}, "compile", "fit"])
    assert held(named)[0] is False


@pytest.mark.parametrize("order", [[], ["fit", "compile"], [{"freeze": "any", "unfreeze": "any"}, "fit"], ["train"]])
def test_steps_that_cannot_be_judged_are_refused(order: list[Any]) -> None:
    with pytest.raises(ValidationError):
        StepsParams.model_validate({"steps": order})
