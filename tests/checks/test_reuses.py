"""The check `reuses`."""

from typing import Any

from grader.checks.reuses import ReusesParams, reuses
from grader.facts.language import english
from grader.schema.evidence import Evidence, SaveFact
from grader.schema.grade import Finding
from tests.support.factories import a_fit
from tests.support.says import ids, says
from tests.support.transfer_cases import FIRST, adapted, case, changed, evidence

REUSED = (
    "{reused:number} of {total:number} layers with weights of {model:code} ({layers}) started the training in "
    "{cell:cell} {origin}."
)


def reuse(found: Evidence | None = None, **keys: Any) -> Finding:
    given = {"model": "transferred", "source": "first", "source_task": "a", "all_but_last": True} | keys
    return reuses(case(found), ReusesParams.model_validate(given))


def test_shared_layers_are_reused() -> None:
    finding = reuse(how="shared")
    assert finding.status == "passed"
    assert finding.measured["reused"] == ["low", "middle"]
    assert says(finding.message, REUSED, reused=2, total=3)
    assert says(finding.message, "{layer:code}", layer="low")
    assert says(finding.message, "{layer:code}", layer="middle")
    assert says(finding.message, "with the weights of {source:code} (the same layer objects)", source="model_a")


def test_a_copy_of_the_weights_is_reuse_too_but_no_sharing() -> None:
    models = evidence().models
    copied = evidence(models=(*models[:2], models[2].model_copy(update={"shares_layers_with": ()})))
    assert reuse(copied).measured["how"] == ["copied"]
    assert reuse(copied, how="shared").status == "failed"


def test_a_network_of_the_same_build_reuses_nothing() -> None:
    finding = reuse(model="scratch")
    assert finding.status == "failed"
    assert says(
        finding.message,
        "No layer of {model:code} started a training with weights that the model {source:code} had learned.",
        source="first",
    )


def test_a_layer_with_fresh_weights_between_is_named() -> None:
    finding = reuse(changed(head={"digests_before": {"low": "a-low", "middle": "fresh", "high": "new"}}))
    assert (finding.status, finding.measured["reused"]) == ("failed", ["low"])
    assert "{layers} started from new weights." in ids(finding.message)
    assert says(finding.message, "{layer:code}", layer="middle")


def test_a_new_layer_may_be_the_last_one_in_a_call_of_the_students() -> None:
    found = changed(head={"digests_before": {"low": "new", "middle": "a-middle", "high": "a-old"}})
    assert reuse(found).status == "failed"
    written = [m.model_copy(update={"cls": "Net"}) if m.name == "model_b_on_a" else m for m in found.models]
    finding = reuse(found.model_copy(update={"models": tuple(written)}))
    assert finding.status == "pending"
    assert "A person must judge it." in english(finding.message)
    few = {"low": "new", "middle": "newer", "high": "a-old"}
    worse = changed(head={"digests_before": few}).model_copy(update={"models": tuple(written)})
    assert reuse(worse).status == "failed"


def test_a_layer_that_no_training_changes_is_not_expected_to_be_reused() -> None:
    finding = reuse(adapted())
    assert finding.status == "passed"
    assert finding.measured["fresh"] == ["high"]
    assert says(finding.message, REUSED, reused=2, total=3)


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
    assert says(finding.message, "with the weights in the file {path:code}", path="base.h5")


def test_the_source_can_be_a_network_that_was_never_trained_on_its_task() -> None:
    other = a_fit(
        event=20, model=FIRST, digests_before={"low": "r"}, digests_after={"low": "a-low", "middle": "a-middle"}
    )
    finding = reuse(evidence(fits=(other, *evidence().fits[1:])), all_but_last=False)
    assert finding.status == "failed"
    assert says(finding.message, "Their source was not trained on the task {task:code} before.", task="a")
