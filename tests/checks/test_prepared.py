"""The check `prepared`."""

from typing import Any

import pytest
from pydantic import ValidationError

from grader.checks.prepared import PreparedParams, prepared
from grader.schema.evidence import DatasetFact, NamedArrayFact, NamedLabelFact, PipelineFact, RowsFact, TransformFact
from grader.schema.grade import Finding
from tests.support.factories import a_case, a_fit, a_named_array, a_run, an_array, an_evidence, rows
from tests.support.says import ids, says

ASKED: dict[str, Any] = {
    "dataset": "cifar10",
    "parts": {"train": 0.7, "validation": 0.3},
    "images": 50_000,
    "scale": {"divide_by": 255, "add": -0.5},
    "labels": {"one_hot": True, "classes": 10},
}
LOADED = DatasetFact(event=4, cell=6, dataset="cifar10", via="keras.datasets.cifar10.load_data")


HOLD = "{arrays} hold {sizes:number} images ({shares:percent})"


def images(name: str, count: int, **keys: Any) -> NamedArrayFact:
    """A part of CIFAR-10's training images, scaled as asked."""
    of: RowsFact | None = rows(train=count, dataset="cifar10")
    values: dict[str, Any] = {
        "of": "cifar10/train",
        "shape": (count, 32, 32, 3),
        "low": -0.5,
        "high": 0.5,
        "cell": 7,
        "rows": of,
        "transform": TransformFact(kind="affine", scale=1 / 255, shift=-0.5),
    }
    return a_named_array(name, **(values | keys))


def labels(name: str, count: int, **right: float) -> NamedLabelFact:
    """One-hot labels, with the part that is right of each array of as many images."""
    classes = {str(digit): count // 10 for digit in range(10)}
    return NamedLabelFact(
        name=name, cell=8, shape=(count, 10), dtype="float64", one_hot=True, classes=classes, right=right
    )


def numbers(name: str, count: int, **right: float) -> NamedLabelFact:
    """The same as a column of numbers."""
    return labels(name, count, **right).model_copy(update={"one_hot": False, "shape": (count, 1)})


TRAIN, VALIDATION = images("x_train", 35_000), images("x_val", 15_000)
Y_TRAIN, Y_VAL = labels("y_train", 35_000, x_train=1.0), labels("y_val", 15_000, x_val=1.0)


def judge(*facts: NamedArrayFact | NamedLabelFact, evidence: dict[str, Any] | None = None, **params: Any) -> Finding:
    held = {
        "arrays": tuple(f for f in facts if isinstance(f, NamedArrayFact)),
        "labels": tuple(f for f in facts if isinstance(f, NamedLabelFact)),
        "datasets": (LOADED,),
    }
    return prepared(
        a_case(an_evidence(**(held | (evidence or {})))), PreparedParams.model_validate({**ASKED, **params})
    )


def test_a_right_preparation_passes_and_says_what_was_seen_and_where() -> None:
    found = judge(TRAIN, VALIDATION, Y_TRAIN, Y_VAL)
    assert (found.status, found.fraction, found.assurance) == ("passed", 1.0, "recorded")
    assert says(found.message, HOLD, sizes=[35_000, 15_000], shares=[0.7, 0.3])
    assert says(found.message, "{observation} from the {split:split} set", split="train")
    assert "{observation}, with no image in common" in ids(found.message)
    assert says(found.message, "the pixels are {formula:code}", formula="x / 255 - 0.5")
    assert "the labels are one-hot: {labels}" in ids(found.message)
    assert says(found.message, "{labels} of shape {shape:shape}", shape=[35_000, 10])
    for name, cell in (("x_train", 7), ("x_val", 7), ("y_train", 8)):
        assert says(found.message, "{variable:code} ({cell:cell})", variable=name, cell=cell)
    assert [pointer.cell for pointer in found.evidence] == [7, 8]


def test_names_and_order_play_no_part() -> None:
    raw = TransformFact(kind="affine", scale=1.0, shift=0.0)
    others = (
        images("a", 50_000, transform=raw, rows=rows(train=50_000, dataset="cifar10")),
        images("b", 15_000),
        images("c", 10_000, of="cifar10/test", rows=rows(test=10_000, dataset="cifar10")),
        images("d", 35_000, transform=raw),
        images("e", 35_000),
    )
    found = judge(*others, numbers("p", 15_000, b=1.0), labels("q", 15_000, b=1.0), labels("r", 35_000, d=1.0, e=1.0))
    assert found.status == "passed"
    assert found.measured["arrays"] == ["e", "b"]
    assert found.measured["labels"] == ["r", "q"]


@pytest.mark.parametrize(
    ("facts", "missed", "fault", "values"),
    [
        pytest.param(
            (images("x_train", 40_000), images("x_val", 10_000), *(Y_TRAIN, Y_VAL)),
            "split",
            "the shares must be {shares:percent}",
            {"shares": [0.7, 0.3]},
            id="80/20",
        ),
        pytest.param(
            (images("x_train", 40_000), images("x_val", 10_000), *(Y_TRAIN, Y_VAL)),
            "split",
            HOLD,
            {"sizes": [40_000, 10_000], "shares": [0.8, 0.2]},
            id="sizes",
        ),
        pytest.param(
            (TRAIN.model_copy(update={"common": {"x_val": 14_000}}), VALIDATION, Y_TRAIN, Y_VAL),
            "split",
            "{count:number} image is in both {first:code} and {second:code}",
            {"count": 14_000, "first": "x_train", "second": "x_val"},
            id="overlapping",
        ),
        pytest.param(
            (
                TRAIN,
                images("x_val", 15_000, rows=rows(train=5_000, test=10_000, dataset="cifar10")),
                Y_TRAIN,
                Y_VAL,
            ),
            "split",
            "{count:number} {split:split} image",
            {"count": 10_000, "split": "test"},
            id="test images",
        ),
        pytest.param(
            (images("x_train", 3_500), images("x_val", 1_500), Y_TRAIN, Y_VAL),
            "split",
            "together they hold {images:number} images instead of {wanted:number}",
            {"images": 5_000, "wanted": 50_000},
            id="a part of the images",
        ),
        pytest.param(
            (TRAIN, images("x_val", 15_000, rows=rows(train=7_500, dataset="cifar10", matched=0.5)), Y_TRAIN, Y_VAL),
            "split",
            "the grader recognizes only {part:percent} of the images in {array:code}",
            {"part": 0.5, "array": "x_val"},
            id="half unknown",
        ),
        pytest.param(
            (images("x_train", 35_000, rows=rows(train=35_000, dataset="cifar10", duplicates=9_000)), VALIDATION,
             Y_TRAIN, Y_VAL),
            "split",
            "{array:code} holds {count:number} image more than once",
            {"count": 9_000, "array": "x_train"},
            id="drawn with replacement",
        ),
        pytest.param(
            (TRAIN, images("x_val", 15_000, low=0.0, high=1.0,
                           transform=TransformFact(kind="affine", scale=1 / 255, shift=0.0)), Y_TRAIN, Y_VAL),
            "scale",
            "{array} holds numbers from {low:number} to {high:number}",
            {"low": 0.0, "high": 1.0},
            id="0 to 1",
        ),
        pytest.param(
            (TRAIN, images("x_val", 15_000, transform=TransformFact(kind="unknown")), Y_TRAIN, Y_VAL),
            "scale",
            "{ranges}, but the pixels must be {formula:code}",
            {"formula": "x / 255 - 0.5"},
            id="no formula",
        ),
        pytest.param(
            (TRAIN, VALIDATION, Y_TRAIN),
            "labels",
            "no variable holds labels for the images in {array:code}",
            {"array": "x_val"},
            id="no labels",
        ),
        pytest.param(
            (TRAIN, VALIDATION, Y_TRAIN, numbers("y_val", 15_000, x_val=1.0)),
            "labels",
            "{labels} holds numbers, not one-hot rows (shape {shape:shape})",
            {"shape": [15_000, 1]},
            id="not one-hot",
        ),
        pytest.param(
            (TRAIN, VALIDATION, Y_TRAIN, labels("y_val", 15_000, x_val=0.101)),
            "labels",
            "{labels} names the true class of only {part:percent} of the images in {array:code}",
            {"part": 0.101, "array": "x_val"},
            id="shuffled apart",
        ),
        pytest.param(
            (TRAIN, VALIDATION, Y_TRAIN, labels("y_val", 15_000, x_val=1.0).model_copy(update={"shape": (15_000, 11)})),
            "labels",
            "{labels} has {classes:number} classes, not {wanted:number}",
            {"classes": 11, "wanted": 10},
            id="too many columns",
        ),
    ],
)  # fmt: skip
def test_each_flaw_is_said_and_costs_its_own_part(
    facts: tuple[NamedArrayFact | NamedLabelFact, ...], missed: str, fault: str, values: dict[str, Any]
) -> None:
    relabelled = [
        fact.model_copy(update={"right": {"x_train": 1.0}})
        if isinstance(fact, NamedLabelFact) and fact.name == "y_train"
        else fact
        for fact in facts
    ]
    strict, lenient = judge(*relabelled), judge(*relabelled, partial=True)
    assert (strict.status, strict.fraction) == ("failed", 0.0)
    assert strict.measured["missed"] == [missed]
    assert says(strict.message, fault, **values)
    assert (lenient.status, round(lenient.fraction, 3)) == ("partial", 0.667)


def test_an_array_that_was_never_divided_keeps_what_is_right_of_it() -> None:
    whole = images("x", 50_000, rows=rows(train=50_000, dataset="cifar10"))
    found = judge(whole, labels("y", 50_000, x=1.0), partial=True)
    assert found.measured["missed"] == ["split"]
    assert "separate variables must hold {parts}" in ids(found.message)
    assert says(found.message, "{share:percent} {part:raw}", share=0.7, part="train")
    assert says(found.message, "{share:percent} {part:raw}", share=0.3, part="validation")


def test_identical_images_of_a_data_set_do_not_make_labels_wrong() -> None:
    assert judge(TRAIN, VALIDATION, labels("y", 35_000, x_train=0.9998), Y_VAL).status == "passed"


def test_labels_as_numbers_can_be_asked_for() -> None:
    facts = (TRAIN, VALIDATION, numbers("y_train", 35_000, x_train=1.0), numbers("y_val", 15_000, x_val=1.0))
    assert judge(*facts, labels={"one_hot": False, "classes": 10}).status == "passed"
    found = judge(TRAIN, VALIDATION, Y_TRAIN, Y_VAL, labels={"one_hot": False})
    assert "{labels} holds one-hot rows, not numbers (shape {shape:shape})" in ids(found.message)


def test_without_parts_one_array_will_do() -> None:
    found = judge(VALIDATION, Y_VAL, parts={}, images=None)
    assert found.status == "passed"


def test_what_was_not_compared_waits_for_a_person() -> None:
    unseen = images("x_val", 15_000, rows=None, transform=None)
    found = judge(TRAIN, unseen, Y_TRAIN, partial=True)
    assert (found.status, found.fraction) == ("pending", 0.0)
    assert says(found.message, "{message} A person must judge the open points.")
    assert "the grader did not compare the labels with the images" in ids(found.message)


def test_the_range_of_what_was_not_compared_can_still_refute_it() -> None:
    raw = images("x_val", 15_000, rows=None, transform=None, low=0.0, high=255.0)
    found = judge(TRAIN, raw, Y_TRAIN)
    assert found.status == "failed"
    assert found.measured["missed"] == ["split"]


PIPELINE = PipelineFact(name="train_ds", cell=7, rows_of="cifar10/train")
LOADED_ONLY = (
    "{dataset:dataset} was loaded in {cell:cell}, but at the end no variable holds its images: the grader cannot see "
    "how they were prepared."
)
NOT_RUN = "The grader does not run the pipeline or generator {pipelines}, which may prepare them."


@pytest.mark.parametrize(
    ("evidence", "status", "reason"),
    [
        ({"datasets": ()}, "failed", "The notebook never loads {dataset:dataset}."),
        ({"datasets": (), "pipelines": (PIPELINE,)}, "failed", "The notebook never loads {dataset:dataset}."),
        (
            {"datasets": (LOADED.model_copy(update={"served": False}),)},
            "pending",
            "The notebook loads {dataset:dataset}, but the grader did not provide it.",
        ),
        (
            {},
            "pending",
            LOADED_ONLY,
        ),
        ({"pipelines": (PIPELINE,)}, "pending", NOT_RUN),
        (
            {"run": a_run(status="timeout", reason="x")},
            "failed",
            "The notebook did not reach its end, where the grader looks at its variables.",
        ),
    ],
)
def test_where_no_variable_holds_the_images_it_is_said_what_happened_to_them(
    evidence: dict[str, Any], status: str, reason: str
) -> None:
    found = judge(a_named_array("x"), evidence=evidence)
    assert found.status == status
    assert reason in ids(found.message)
    assert says(
        found.message,
        "The grader recognizes no {dataset:dataset} images in the notebook's variables.",
        dataset="cifar10",
    )


def test_a_pipeline_that_may_prepare_the_images_waits_for_a_person() -> None:
    raw = images("x_train", 50_000, low=0.0, high=255.0, transform=TransformFact(kind="affine", scale=1.0, shift=0.0))
    assert judge(raw).status == "failed"
    for rows_of in ("cifar10/train", None):
        given = PIPELINE.model_copy(update={"rows_of": rows_of})
        for partial in (False, True):
            found = judge(raw, evidence={"pipelines": (given,)}, partial=partial)
            assert found.status == "pending"
            assert NOT_RUN in ids(found.message)
    other = PIPELINE.model_copy(update={"rows_of": "mnist/train"})
    assert judge(raw, evidence={"pipelines": (other,)}).status == "failed"
    assert judge(TRAIN, VALIDATION, Y_TRAIN, Y_VAL, evidence={"pipelines": (PIPELINE,)}).status == "passed"


def test_images_that_only_a_training_used_wait_for_a_person() -> None:
    raw = images("x_train", 50_000, transform=None)
    part = an_array(35_000, of=rows(train=35_000, dataset="cifar10"))
    found = judge(raw, evidence={"fits": (a_fit(x=part),)})
    assert found.status == "pending"
    used = "The training in {cells:cell} used other images of {dataset:dataset}, which no variable holds."
    assert says(found.message, used, dataset="cifar10")
    whole = an_array(50_000, of=rows(train=50_000, dataset="cifar10"))
    assert judge(raw, evidence={"fits": (a_fit(x=whole),)}).status == "failed"


def test_a_stand_in_is_said_whatever_the_verdict() -> None:
    made_up = {"stand_ins": ("cifar10",)}
    stand_in = "The grader's machine has no copy of {dataset:dataset}, so it used a stand-in of the same shape."
    for finding in (
        judge(TRAIN, VALIDATION, Y_TRAIN, Y_VAL, evidence=made_up),
        judge(TRAIN, evidence=made_up),
        judge(evidence=made_up),
    ):
        assert says(finding.message, stand_in, dataset="cifar10")
    assert stand_in not in ids(judge(TRAIN, VALIDATION, Y_TRAIN, Y_VAL).message)


def test_parts_are_a_whole() -> None:
    with pytest.raises(ValidationError, match=r"the parts add up to 1\.1, not 1"):
        PreparedParams.model_validate(ASKED | {"parts": {"train": 0.8, "validation": 0.3}})
