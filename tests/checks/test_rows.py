"""The check `rows`."""

from dataclasses import replace
from typing import Any

from grader.checks.rows import RowsParams, rows
from grader.schema.evidence import ArrayFact, EvaluateFact, Evidence, FitFact
from grader.schema.grade import Finding, RoleMatch
from tests.support.factories import an_array
from tests.support.factories import rows as rows_fact
from tests.support.says import ids, says
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
    assert says(
        finding.message, "the training in {cell:cell} used {count:number} image ({wanted} required)", cell=3, count=200
    )
    assert says(finding.message, "exactly {count:number}", count=100)


def test_the_other_task_is_not_this_one() -> None:
    finding = look(model="first")
    assert says(finding.message, "only {part:percent} of the training images in {cell:cell} are {images}", part=0.0)
    assert says(finding.message, "images of the task {task:code}", task="b")


def test_images_that_were_not_recognised_do_not_count_as_right() -> None:
    finding = look(a_training(x=an_array(200)))
    assert "the grader could not recognize the training images in {cell:cell} as {images}" in ids(finding.message)


def test_validation_images_of_the_training_are_found() -> None:
    assert says(
        look(a_training(overlap=17)).message,
        "{count:number} image was used for both training and validation in {cell:cell}",
        count=17,
    )


def test_validation_on_test_images_is_allowed_unless_the_rubric_excludes_it() -> None:
    tested = rows_fact(0, 986, dataset="fashion_mnist", classes={"5": 493, "6": 493})
    evidence = a_training(val_x=an_array(986, of=tested))
    assert look(evidence, validated=True).status == "passed"
    finding = look(evidence, validated=True, not_test=True)
    assert finding.measured["missed"] == ["validation"]
    assert says(
        finding.message, "the training in {cell:cell} was validated on {count:number} test image", cell=3, count=986
    )
    assert look(validated=True, not_test=True).status == "passed"


def test_test_images_are_not_training_images() -> None:
    mixed = rows_fact(150, 50, dataset="fashion_mnist", classes={"5": 100, "6": 100})
    finding = look(a_training(x=an_array(200, of=mixed)))
    assert says(finding.message, "{count:number} {split:split} image", count=50, split="test")


def test_networks_trained_on_the_same_classes_are_not_apart() -> None:
    finding = look(model="transferred", apart_from="scratch")
    assert "{model:code} was trained on images of the same classes" in ids(finding.message)


def test_a_missing_class_of_the_task_is_named() -> None:
    sandals = rows_fact(200, dataset="fashion_mnist", classes={"5": 200})
    finding = look(a_training(x=an_array(200, of=sandals)))
    assert finding.status == "failed"
    missing = "the training in {cell:cell} has no images of the class {classes:raw} of the task {task:code}"
    assert says(finding.message, missing, classes=[6], task="b")


def test_an_unclear_role_that_makes_no_difference_costs_nothing() -> None:
    unclear = RoleMatch(role="first", candidates=("m1", "m1"), message="Two models match.")
    whole = case()
    finding = rows(
        replace(whole, roles={**whole.roles, "first": unclear}),
        RowsParams.model_validate({"model": "scratch", "task": "b", "exactly": 200, "apart_from": "first"}),
    )
    assert finding.status == "passed"


def test_the_validation_of_a_custom_loop_waits_for_a_person() -> None:
    loop = a_training(kind="custom_loop", validation="none", val_x=None, overlap=None)
    finding = look(loop, validated=True)
    assert finding.status == "pending"
    unseen = "the grader could not see the validation data of the custom loop in {cell:cell}"
    assert says(finding.message, unseen, cell=3)
    assert look(a_training(validation="none", val_x=None, overlap=None), validated=True).status == "failed"


def test_a_custom_loop_is_disjoint_if_its_model_was_used_on_no_images_of_its_split() -> None:
    loop = a_training(kind="custom_loop", validation="none", val_x=None, overlap=None)
    unseen = "the grader could not see whether training and validation overlap"

    def used_on(x: ArrayFact | None) -> Finding:
        use = EvaluateFact(event=90, cell=5, model=loop.fits[1].model, x=x)
        return look(loop.model_copy(update={"evaluations": (use,)}), exactly=200)

    assert look(loop.model_copy(update={"evaluations": ()}), exactly=200).status == "passed"
    assert used_on(an_array(986, of=rows_fact(0, 986, dataset="fashion_mnist"))).status == "passed"
    for x in (None, an_array(986), an_array(986, of=rows_fact(986, dataset="fashion_mnist"))):
        finding = used_on(x)
        assert finding.status == "pending"
        assert unseen in ids(finding.message)
