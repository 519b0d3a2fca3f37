"""The kept evidence of reference solutions, graded again: a changed rubric or check shows here within a second."""

import os
import pwd

import pytest

from grader.checks import all_checks, all_diagnostics
from grader.facts.case import Case
from grader.facts.roles import resolve_roles
from grader.grading import grade
from grader.pipeline.reference import read_reference, reference_notebook
from grader.pipeline.rubrics import find_rubric
from grader.schema.base import Assurance
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.rubric import Rubric
from tests.support.factories import a_stamp, a_submission

NAMES = ("parameter-golf", "keras-mnist-cnn", "cifar-deep")
ON_PURPOSE = {"parameter-golf": ["filters-shrink-with-depth"]}
"""Notes that a reference earns knowingly: with 158 weights the last map is the only one that the outputs can afford."""


def judged(name: str) -> tuple[Grade, Evidence, Rubric]:
    loaded = find_rubric(name)
    evidence = read_reference(loaded)
    assert evidence is not None
    case = Case(evidence, loaded.rubric, resolve_roles(loaded.rubric, evidence))
    graded = grade(
        case,
        submission=a_submission("reference"),
        stamp=a_stamp(),
        checks=all_checks(),
        diagnostics=all_diagnostics(),
        reference=None,
    )
    return graded, evidence, loaded.rubric


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_gets_full_marks_for_all_that_no_person_judges(name: str) -> None:
    graded, _, rubric = judged(name)
    manual = {criterion.id for criterion in rubric.criteria if criterion.manual is not None}
    assert {c.id: c.message for c in graded.criteria if c.status != "passed" and c.id not in manual} == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_makes_none_of_the_mistakes_the_grader_knows(name: str) -> None:
    graded, _, _ = judged(name)
    assert [note.id for note in graded.diagnostics] == ON_PURPOSE.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_names_no_place_on_a_machine(name: str) -> None:
    notebook = reference_notebook(find_rubric(name))
    assert notebook is not None
    assert pwd.getpwuid(os.getuid()).pw_dir not in notebook.read_text(encoding="utf-8")


def test_the_golf_reference_has_158_parameters_and_a_verified_accuracy_above_ninety_per_cent() -> None:
    graded, _, _ = judged("parameter-golf")
    line = next(c for c in graded.criteria if c.id == "golf")
    assert line.measured["parameters"] == 158
    assert line.measured["accuracy"] >= 0.9
    assert line.assurance is Assurance.VERIFIED


def test_the_loops_of_the_keras_reference_were_seen_with_their_optimizers_and_data() -> None:
    _, evidence, _ = judged("keras-mnist-cnn")
    fits = [fit for fit in evidence.fits if fit.kind == "custom_loop"]
    assert [fit.optimizer.cls for fit in fits if fit.optimizer] == ["SGD", "Adam"]
    assert all(fit.loss is not None and fit.loss.from_logits for fit in fits)
    assert all(fit.x is not None and fit.x.rows is not None and not fit.x.rows.counts.get("test") for fit in fits)


def test_the_copy_with_dropout_left_on_does_not_take_the_place_of_the_network_that_was_trained() -> None:
    loaded = find_rubric("fashion-transfer")
    evidence = read_reference(loaded)
    assert evidence is not None
    trained = next(model for model in evidence.models if model.id == "m1")
    copy = trained.model_copy(update={"id": "m99", "name": "mc_model", "shares_layers_with": ("m1",)})
    roles = resolve_roles(loaded.rubric, evidence.model_copy(update={"models": (*evidence.models, copy)}))
    assert roles["normalised"].model == "m1"
