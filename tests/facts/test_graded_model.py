"""The graded model and its accuracy."""

from typing import Any

import pytest

from grader.facts.case import Case
from grader.facts.graded_model import graded_accuracy, graded_model, main_accuracy, main_model, reference_model
from grader.grading.grade import grade, outline
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade, RoleMatch
from grader.schema.rubric import Rubric
from tests.support.factories import a_fit, a_model, a_rubric, a_stamp, a_submission, an_accuracy, an_evidence, dense

ROLES = {"wide": {"has_layer": "Dense"}, "narrow": {"has_layer": "Dense"}}


def three_models(**keys: Any) -> Evidence:
    """Three trained models; the second was trained last."""
    values = {
        "models": tuple(a_model(dense(10), id=f"m{n}", name=f"net{n}", event=n) for n in (1, 2, 3)),
        "fits": tuple(a_fit(model=f"m{n}", event=10 * place) for place, n in enumerate((1, 3, 2), start=1)),
        "accuracies": tuple(an_accuracy(9_000 + n, model=f"m{n}") for n in (1, 2, 3)),
    }
    return an_evidence(**(values | keys))


def a_case_of(evidence: Evidence, rubric: Rubric, **models: str | None) -> Case:
    """A case whose roles name the given models."""
    roles = {name: RoleMatch(role=name, model=model) for name, model in models.items()}
    return Case(evidence=evidence, rubric=rubric, roles=roles)


def graded(case: Case) -> Grade:
    """The grade of a case whose criteria no check judges."""
    return grade(case, submission=a_submission(), stamp=a_stamp(), checks={}, diagnostics={}, reference=None)


def by_hand(**keys: Any) -> Rubric:
    """A rubric of one criterion that a person judges."""
    return a_rubric({"id": "read", "points": 1, "manual": {"guide": "Read it."}}, **keys)


def accuracy_of(role: str | None, **given: object) -> dict[str, object]:
    """A criterion on the accuracy of a role's model."""
    model = {} if role is None else {"model": role}
    return {
        "id": f"accuracy-{role or 'last'}",
        "points": 1,
        "check": "accuracy",
        "with": model | {"at_least": 0.9} | given,
    }


def test_the_first_role_that_names_a_model_decides_also_against_the_order_of_the_models() -> None:
    case = a_case_of(three_models(), by_hand(roles=ROLES), wide="m3", narrow="m1")
    model = graded_model(case)
    assert model is not None
    assert model.id == "m3"


def test_a_role_without_a_model_gives_way_to_the_next_one() -> None:
    case = a_case_of(three_models(), by_hand(roles=ROLES), wide=None, narrow="m1")
    model = graded_model(case)
    assert model is not None
    assert model.id == "m1"


@pytest.mark.parametrize(("keys", "expected"), [({}, "m2"), ({"fits": ()}, "m3"), ({"fits": (), "models": ()}, None)])
def test_without_a_role_it_is_the_model_trained_last_or_made_last(keys: dict[str, Any], expected: str | None) -> None:
    model = graded_model(a_case_of(three_models(**keys), by_hand()))
    assert (model.id if model else None) == expected


def test_its_accuracy_is_the_one_that_a_criterion_judges() -> None:
    tasks = {"b": {"classes": [0, 1]}}
    facts = (an_accuracy(1, 10), an_accuracy(2, 10, task="b"), an_accuracy(3, 10, task="b", moment="later"))
    rubric = a_rubric(accuracy_of("narrow"), accuracy_of("wide", task="b"), roles=ROLES, tasks=tasks)
    case = a_case_of(an_evidence(accuracies=facts), rubric, wide="m1", narrow=None)
    assert graded_accuracy(case, graded_model(case)) == facts[1]


def test_an_accuracy_that_no_criterion_judges_is_shown_all_the_same() -> None:
    facts = (an_accuracy(1, 10, task="b"), an_accuracy(2, 10, task="b", moment="later"))
    case = a_case_of(an_evidence(accuracies=facts), a_rubric(accuracy_of(None)))
    assert graded_accuracy(case, graded_model(case)) == facts[0]
    assert graded_accuracy(case, None) is None


def test_a_grade_names_the_model_and_its_accuracy_also_in_outline() -> None:
    written = graded(a_case_of(three_models(), by_hand(roles=ROLES), wide="m2", narrow="m1"))
    assert (written.main_model, written.main_accuracy) == ("m2", "mnist/test")
    for told in (written, outline(written), Grade.model_validate_json(written.model_dump_json(by_alias=True))):
        model, accuracy = main_model(told), main_accuracy(told)
        assert model is not None
        assert (model.id, accuracy) == ("m2", ("mnist/test", model.accuracy["mnist/test"]))


def test_a_grade_of_an_earlier_version_still_has_a_graded_model() -> None:
    case = a_case_of(three_models(), by_hand(roles=ROLES), wide="m2", narrow="m1")
    written = graded(case).model_dump(mode="json", by_alias=True, exclude={"main_model", "main_accuracy"})
    old = Grade.model_validate(written)
    model = main_model(old)
    assert model is not None
    assert model.id == "m1"
    reference: dict[str, Any] = {"accuracy": {}, "parameters": None, "epochs": None}
    compared = {"comparison": {"models": {"student": {"id": "m2", "name": "net2"}, "reference": None}}}
    model = main_model(Grade.model_validate(written | {"reference": reference | compared}))
    assert model is not None
    assert model.id == "m2"


def test_a_grade_without_models_has_no_figures() -> None:
    written = graded(a_case_of(three_models(models=(), fits=(), accuracies=()), by_hand()))
    assert (main_model(written), main_accuracy(written)) == (None, None)


def test_the_model_of_the_reference_is_the_one_that_was_compared_else_the_one_trained_last() -> None:
    written = graded(a_case_of(three_models(), by_hand()))
    reference = three_models()
    model = reference_model(written, reference)
    assert model is not None
    assert model.id == "m2"
    assert reference_model(written, None) is None
    named = {"models": {"student": None, "reference": {"id": "m1", "name": "net1"}}}
    stated = {"accuracy": {}, "parameters": None, "epochs": None, "comparison": named}
    compared = Grade.model_validate(written.model_dump(mode="json", by_alias=True) | {"reference": stated})
    model = reference_model(compared, reference)
    assert model is not None
    assert model.id == "m1"
