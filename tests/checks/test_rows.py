"""The check `rows`."""

from typing import Any

from grader.checks.rows import RowsParams, rows
from grader.schema.evidence import Evidence, FitFact
from grader.schema.grade import Finding
from tests.support.factories import an_array
from tests.support.factories import rows as rows_fact
from tests.support.transfer_cases import case, evidence


def look(found: Evidence | None = None, **keys: Any) -> Finding:
    return rows(case(found), RowsParams.model_validate({"model": "scratch", "task": "b"} | keys))


def a_training(**keys: Any) -> Evidence:
    whole = evidence()
    other: FitFact = whole.fits[1].model_copy(update=keys)
    return evidence(fits=(whole.fits[0], other, *whole.fits[2:]))


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


def test_images_that_were_not_recognised_do_not_count_as_right() -> None:
    assert "could not be recognised" in look(a_training(x=an_array(200))).message


def test_validation_images_of_the_training_are_found() -> None:
    assert "17 images were both trained on and watched" in look(a_training(overlap=17)).message


def test_test_images_are_not_training_images() -> None:
    mixed = rows_fact(150, 50, dataset="fashion_mnist", classes={"5": 100, "6": 100})
    assert "50 test images were trained on" in look(a_training(x=an_array(200, of=mixed))).message


def test_networks_trained_on_the_same_classes_are_not_apart() -> None:
    assert "trained on images of the same classes" in look(model="transferred", apart_from="scratch").message
