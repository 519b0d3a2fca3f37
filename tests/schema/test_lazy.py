"""Lazy documents are the same documents, whatever is done with them first."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import from_json

from grader.schema.base import Assurance, Pointer
from grader.schema.evidence import AccuracyFact, Evidence
from grader.schema.grade import CriterionGrade, LayerGrade, StudentView
from grader.schema.lazy import deferred, lazily, lazy_field_is_none
from grader.schema.message import say
from grader.schema.submission import Run

LINE = CriterionGrade(
    id="accuracy",
    title="Accuracy",
    points=3.0,
    max_points=4.0,
    status="partial",
    message="two models",
    says=say("{models} models", models=[say("{count}", count=2)]),
    assurance=Assurance.VERIFIED,
    measured={"accuracy": 0.98, "steps": [{"step": "a"}]},
    evidence=(Pointer(cell=1), Pointer(event=3)),
    student=StudentView(says=say("some models")),
)
LAYER = LayerGrade.model_validate(
    {"name": "d", "class": "Dense", "output_shape": [None, 10], "parameters": 7, "trainable": True, "config": {"a": 1}}
)

ACCURACY = AccuracyFact(
    model="m1",
    dataset="mnist",
    split="test",
    correct=2,
    total=3,
    value=2 / 3,
    low=0.2,
    high=0.9,
    assurance=Assurance.VERIFIED,
    how="keras",
    preprocessing=say("pixels / {number}", number=255),
    predicted=(1, 2, 3),
)


def _values(document: Any) -> Any:
    return from_json(document.model_dump_json(by_alias=True))


@pytest.mark.parametrize("whole", [LINE, LAYER], ids=["criterion", "layer"])
def test_each_field_has_the_value_and_the_type_of_the_validated_one(whole: Any) -> None:
    for name in type(whole).model_fields:
        lazy = lazily(type(whole), _values(whole))
        found, expected = getattr(lazy, name), getattr(whole, name)
        assert (found, type(found)) == (expected, type(expected))
        assert getattr(lazy, name) is found
        assert isinstance(lazy, type(whole))


@pytest.mark.parametrize(
    "use",
    [
        lambda one: one,
        repr,
        list,
        copy.copy,
        copy.deepcopy,
        lambda one: pickle.loads(pickle.dumps(one)),  # noqa: S301 - its own
        lambda one: one.model_dump(),
        lambda one: one.model_dump_json(),
        lambda one: one.model_copy(update={"points": 1.0}),
        lambda one: StudentView(says=say("a"), measured={"line": one}).model_dump_json(),
    ],
)
@pytest.mark.parametrize("read_before", [False, True])
def test_operations_on_the_whole_document_give_the_same(use: Callable[[Any], Any], *, read_before: bool) -> None:
    lazy = lazily(CriterionGrade, _values(LINE))
    says = lazy.says if read_before else None
    assert use(lazy) == use(LINE)
    assert use(LINE) == use(lazy)
    assert says is None or lazy.says is says


def test_large_documents_in_a_list_are_lazy_too() -> None:
    run = Run(status="completed", seconds=1.0, cells_run=1, cells_total=1, isolation="none", seed=7, dialect="keras3")
    whole = Evidence(run=run, accuracies=(ACCURACY, ACCURACY))
    lazy = lazily(Evidence, _values(whole))
    assert type(lazy.accuracies[0]) is not AccuracyFact
    assert (lazy.accuracies, lazy.run, lazy.models) == (whole.accuracies, whole.run, ())
    assert [one.key for one in lazy.accuracies] == ["mnist/test"] * 2
    assert lazy == whole


def test_attributes_that_are_read_without_their_names_are_those_of_the_whole_document() -> None:
    assert vars(lazily(CriterionGrade, _values(LINE))) == vars(LINE)
    values = {key: value for key, value in _values(LINE).items() if key != "student"}
    lazy = lazily(CriterionGrade, values)
    assert lazy.model_fields_set == set(values)
    assert type(lazy) is CriterionGrade


def test_a_deferred_document_is_computed_when_another_field_is_read() -> None:
    made = list[int]()

    def make() -> CriterionGrade:
        made.append(1)
        return LINE

    lazy = deferred(CriterionGrade, {"points": 3.0}, make)
    assert (lazy.points, made) == (3.0, [])
    assert (lazy.message, lazy.title, made) == ("two models", "Accuracy", [1])
    assert lazy == LINE


def test_a_field_without_a_value_is_known_without_making_it() -> None:
    lazy = lazily(CriterionGrade, _values(LINE))
    assert [lazy_field_is_none(one, name) for one in (lazy, LINE) for name in ("student", "cause")] == [
        *(False, True),
        *(False, True),
    ]


def test_a_field_that_is_not_stored_has_its_default() -> None:
    values = {key: value for key, value in _values(LINE).items() if key not in {"measured", "evidence", "hidden"}}
    lazy = lazily(CriterionGrade, values)
    assert (lazy.measured, lazy.evidence, lazy.hidden) == ({}, (), False)
    assert lazy == CriterionGrade.model_validate(values)


def test_values_that_are_not_valid_after_all_are_an_error_of_the_grader() -> None:
    lazy = lazily(CriterionGrade, {"id": "a"})
    with pytest.raises(RuntimeError, match="CriterionGrade is not valid"):
        _ = lazy.points
