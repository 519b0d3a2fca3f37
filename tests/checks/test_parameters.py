"""The check `parameters`."""

import pytest
from pydantic import ValidationError

from grader.checks.parameters import ParametersParams, parameters
from grader.schema.grade import RoleMatch
from tests.support.factories import a_case, a_model, an_evidence
from tests.support.says import says


def test_parameters_are_bounded_on_both_sides() -> None:
    case = a_case(an_evidence(models=(a_model(parameters=158, trainable_parameters=150),)))
    assert parameters(case, ParametersParams(at_most=158)).status == "passed"
    assert parameters(case, ParametersParams(at_most=157)).status == "failed"
    assert parameters(case, ParametersParams(at_least=159)).status == "failed"
    assert parameters(case, ParametersParams(at_most=150, trainable_only=True)).status == "passed"


def test_parameters_without_a_bound_are_refused() -> None:
    with pytest.raises(ValidationError, match="at_least, at_most or both"):
        ParametersParams()


def test_an_unbuilt_network_has_no_parameters() -> None:
    model = a_model(input_shape=None, output_shape=None, parameters=None)
    case = a_case(an_evidence(models=(model,), fits=()), net=RoleMatch(role="net", model="m1"))
    finding = parameters(case, ParametersParams(model="net", at_most=10))
    assert finding.status == "failed"
    assert says(
        finding.message,
        "{model:code} was never built, so its parameters cannot be counted; required: {bounds}.",
        model="model",
    )


def test_unknown_parameters_of_a_trained_model_wait_for_a_person() -> None:
    case = a_case(an_evidence(models=(a_model(parameters=None),)))
    assert parameters(case, ParametersParams(at_most=10)).status == "pending"


def test_the_message_gives_the_number_and_the_bounds() -> None:
    case = a_case(an_evidence(models=(a_model(parameters=158, trainable_parameters=150),)))
    finding = parameters(case, ParametersParams(at_most=157, trainable_only=True))
    assert says(
        finding.message,
        "{model:code} has {count:number} trainable parameter; required: {bounds}.",
        count=150,
    )
    assert says(finding.message, "{high:number} or less", high=157)
