"""Readers of the record: from the lines of `events.jsonl` to evidence, a grade, and a report."""

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from numpy.typing import NDArray

from grader.datasets.store import DatasetStore
from grader.delivery.github import annotations, commands, job_summary
from grader.delivery.junit import junit_xml
from grader.delivery.letter import letter
from grader.delivery.messages import Thread, build, sender_of, to_student
from grader.delivery.rendering import render
from grader.delivery.roster import Student
from grader.evidence.accuracies import apply_predictions, recorded_results
from grader.evidence.artefacts import is_inside
from grader.evidence.build import build_evidence
from grader.evidence.prediction_plans import PredictionResult, plan_inputs, plan_predictions
from grader.execution.collect import read_record
from grader.execution.training_watch import TrainingWatch
from grader.facts.language import language
from grader.facts.similarity import compare
from grader.facts.traces import traces_of
from grader.intake.cell_lines import CellLines
from grader.pipeline.publish import judge, row_of
from grader.pytest_plugin.outcomes import Outcome
from grader.pytest_plugin.texts import missed_text, skip_reason, summary_lines
from grader.report.csvfile import rows_csv
from grader.report.page import render_report
from grader.report.plain import plain_report
from grader.report.templating import Templates
from grader.resources import share
from grader.schema.errors import ArtefactError, HarnessError
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.message import say
from grader.store.results import grade_bytes, grade_data
from tests.fuzz import seeds
from tests.fuzz.target import SHARED_FOLDERS, target
from tests.support.factories import a_run, a_submission
from tests.support.mailing import NOW
from tests.support.whole_class_page import whole_class_page

_RUBRICS = ("parameter-golf", "mnist-cnn")
SHARED_FOLDERS.append(f"{os.path.realpath(DatasetStore().root)}{os.sep}")


def _records(*rubrics: str) -> Sequence[bytes]:
    for rubric in rubrics:
        seeds.course(rubric)  # before anything is watched
    return seeds.records()


@cache
def _notebook() -> Any:
    return nbformat.from_dict(json.loads(seeds.notebooks()[0]))


def _arrays(relative: str) -> Mapping[str, NDArray[Any]]:
    """Read an array of the record: real images and labels of the data set, whatever the name is."""
    if not is_inside(relative):
        msg = "is not a path inside the record"
        raise ArtefactError(msg)
    index = seeds.course().indexes["mnist"]
    if relative.endswith(".npy"):
        return {"array": index.all_labels[:_ROWS]}
    sample = index.raw(np.arange(_SAMPLED)).astype(np.float32) / 255
    fingerprints = index.fingerprints[:_ROWS] if hasattr(index, "fingerprints") else np.arange(_ROWS, dtype=np.uint64)
    return {"fingerprints": fingerprints, "sample": sample, "sample_index": np.arange(_SAMPLED)}


_ROWS, _SAMPLED = 60, 8


def _evidence(document: bytes, own: Path, rubric: str) -> Evidence:
    path = own / "events.jsonl"
    path.write_bytes(document)
    record = read_record(path)
    watch = TrainingWatch(path)
    watch.look()
    course = seeds.course(rubric)
    evidence = build_evidence(
        run=a_run(),
        notebook=_notebook(),
        submitted=_notebook(),
        events=record.events,
        arrays=_arrays,
        indexes=course.indexes,
        unread=record.problems,
        keep=lambda _name, _arrays: None,
    )
    plans = plan_predictions(evidence, "mnist", ("test",), course.indexes, _arrays, course.loaded.rubric)
    for plan in plans:
        if plan.format != "predictions":
            plan_inputs(plan, course.indexes)
            break
    kept = [PredictionResult(plan, None, say("it was not tried")) for plan in plans if plan.format != "predictions"]
    return apply_predictions(evidence, [*kept, *recorded_results(plans, _arrays)], course.indexes)


@target(
    "record",
    "the events that a sandbox wrote",
    form="jsonl",
    seeds=lambda: _records(_RUBRICS[0]),
    covers=[
        "grader.execution.collect",
        "grader.execution.training_watch",
        "grader.evidence.build",
        "grader.evidence.claims",
    ],
    slow=True,
)
def _record(document: bytes, own: Path) -> None:
    evidence = _evidence(document, own, _RUBRICS[0])
    stored = evidence.model_dump_json().encode()
    Evidence.model_validate_json(stored)
    compare([traces_of("a", evidence), traces_of("b", evidence)])


@target(
    "report",
    "the events that a sandbox wrote, up to the grade, the report, the mail and the tables",
    form="jsonl",
    seeds=lambda: _records(*_RUBRICS),
    covers=[
        "grader.report.page",
        "grader.report.layers",
        "grader.delivery.letter",
        "grader.delivery.github",
        "grader.delivery.junit",
        "grader.pytest_plugin.outcomes",
    ],
    slow=True,
)
def _report(document: bytes, own: Path) -> None:
    rubric = _RUBRICS[seeds.chosen(document, len(_RUBRICS))]
    course = seeds.course(rubric)
    evidence = _evidence(document, own, rubric)
    try:
        grade = judge(a_submission(), evidence, course)
    except HarnessError as error:
        msg = f"a record can cost a student the grade: {error}"
        raise AssertionError(msg) from error
    stored = Grade.model_validate(json.loads(grade_bytes(grade_data(grade))))
    assert stored.score == grade.score
    _show(grade, evidence, course.loaded.rubric.id)


def _show(grade: Grade, evidence: Evidence, rubric: str) -> None:
    course, chosen = seeds.course(rubric), language("de")
    page = render_report(
        grade=grade,
        evidence=evidence,
        reference=None,
        notebook=_notebook(),
        images=course.images(),
        rubric=course.loaded.rubric,
        audience="instructor",
        templates=course.templates,
        language=chosen,
    )
    assert "could not show" not in page
    page.encode()
    plain_report(grade, say("x"), chosen)
    row = row_of(grade, None)
    whole_class_page([row], title="x", templates=course.templates, language=chosen)
    rows_csv([row])
    junit_xml([grade], chosen)
    list(commands(annotations(grade, CellLines().line, chosen), "work.ipynb"))
    job_summary(grade, None, chosen).encode()
    outcome = Outcome.model_validate_json(Outcome(notebook="work.ipynb", grade=grade).model_dump_json(by_alias=True))
    list(summary_lines("work.ipynb", outcome, notes=True))
    for line in grade.criteria:
        missed_text(line)
        skip_reason(line)
    student = Student(id="a", name="Ann", email="ann@example.org", language=None, submission="a", line=1)
    content = letter(grade, name="Ann")
    rendered = render(content, chosen, Templates(share("templates")), picture="cid:x")
    sender = sender_of("grader@example.org", None, None)
    bytes(build(rendered, to_student(student), sender, Thread("<x@y>"), now=NOW, language="de"))
