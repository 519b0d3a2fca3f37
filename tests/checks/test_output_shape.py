"""The check `output_shape`."""

import pytest

from grader.checks.output_shape import OutputShapeParams, output_shape
from grader.facts.language import english
from grader.schema.evidence import OutputFact
from tests.support.factories import a_case, a_model, an_evidence
from tests.support.says import says


def test_ten_outputs_are_ten_outputs() -> None:
    assert output_shape(a_case(), OutputShapeParams(shape=(10,))).status == "passed"
    assert output_shape(a_case(), OutputShapeParams(shape=(2,))).status == "failed"


def test_maps_at_the_output_get_advice() -> None:
    case = a_case(an_evidence(models=(a_model(output_shape=(5, 5, 10)),)))
    finding = output_shape(case, OutputShapeParams(shape=(10,)))
    assert says(
        finding.message,
        "The output shape of {model:code} is {shape:shape}; required: {wanted:shape}.",
        shape=[5, 5, 10],
        wanted=[10],
    )
    assert "`Flatten`" in english(finding.advice)


def test_an_unbuilt_network_has_no_shape() -> None:
    model = a_model(input_shape=None, output_shape=None, parameters=None)
    case = a_case(an_evidence(models=(model,), fits=(), evaluations=()))
    assert output_shape(case, OutputShapeParams(shape=(10,))).status == "failed"


def test_a_trained_model_without_a_visible_output_shape_waits_for_a_person() -> None:
    case = a_case(an_evidence(models=(a_model(output_shape=None),)))
    assert output_shape(case, OutputShapeParams(shape=(10,))).status == "pending"


@pytest.mark.parametrize(("digits", "status"), [(10, "passed"), (9, "failed")])
def test_one_of_several_outputs_must_have_the_required_shape(digits: int, status: str) -> None:
    outputs = (OutputFact(name="odd", shape=(1,)), OutputFact(name="digit", shape=(digits,)))
    model = a_model(output_shape=None, outputs=outputs)
    finding = output_shape(a_case(an_evidence(models=(model,))), OutputShapeParams(shape=(10,)))
    assert finding.status == status
    assert finding.measured["outputs"] == [[1], [digits]]
