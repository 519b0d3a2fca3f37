"""A model that was saved and loaded between its trainings: what the checks of transfer learning see of its past."""

from grader.checks.gain import GainParams, gain
from grader.checks.reuses import ReusesParams, reuses
from grader.checks.rows import RowsParams, rows
from grader.checks.steps import StepsParams, steps
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.schema.evidence import Evidence, SaveFact
from tests.support.factories import an_array
from tests.support.factories import rows as rows_fact
from tests.support.transfer_cases import FIRST, ORDER, RELOADED, TRANSFERRED, WARM, evidence, held, reloaded, rubric


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
