"""Everything that a student can get, for a course whose secrets are marked words."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from grader.cli.options import Format
from grader.datasets.store import DatasetStore
from grader.delivery.format_registry import grade_formats
from grader.pipeline.course import load_course
from grader.pipeline.grade_exporting import GradeExportOptions, export_grades
from grader.pipeline.judgements import judged_course, judgement_file, with_people
from grader.pipeline.publish import judge, publish, publish_class
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.schema.evidence import Evidence
from grader.schema.judgement import Judgement
from grader.schema.reference import ReferenceRecord
from grader.store.results import ResultsFolder
from tests.support.command import NOTEBOOKS, Done, grader
from tests.support.factories import a_cell, a_figure, a_model, a_submission, an_accuracy, an_evidence, dense, layer

__all__ = ["MARK", "SECRETS", "SHOWN_POINTS", "SURFACES", "Scene", "make_scene"]

MARK = "zq"
"""Start of each marked word."""
SECRETS: Mapping[str, str] = {
    "comment": "zqcomment",
    "title of a hidden criterion": "zqtitle",
    "advice of a hidden criterion": "zqadvice",
    "role of a hidden criterion": "zqrole",
    "guide": "zqguide",
    "required keyword": "zqall",
    "optional keyword": "zqany",
    "keyword of a passage": "zqnear",
    "name of a topic": "zqtopic",
    "keyword of a topic": "zqword",
    "private parameter": "zqlayer",
    "layer of the reference": "zqreference",
    "note for instructors": "has no label on its",
    "diagnostic for instructors": "figure-without-labels",
    "reason of an override": "zqwhy",
    "reason of a flag": "zqflag",
    "reason of an excuse": "zqexcuse",
    "comment on another notebook": "zqreview",
}
"""Texts that no student may see, by their place in the course."""
_HIDDEN_POINTS = 64
SHOWN_POINTS = 15
"""Full marks without the hidden criterion."""
_RUBRIC = f"""\
version: 1
id: marked
title: A course with secrets
dataset: digits
run: {{time: 60 s, memory: 1 GiB}}
reference: solution.ipynb  # zqcomment
roles:
  network: {{pick: last_trained}}
  zqrole: {{pick: last_trained}}
diagnostics: {{students: {{leave_out: [figure-without-labels]}}}}
criteria:
  - {{id: runs, title: It runs, points: 2, check: runs}}
  - id: hidden-one
    title: The zqtitle is right
    points: {_HIDDEN_POINTS}
    hidden: true
    check: trained
    with: {{model: zqrole}}
    advice: Look for the zqadvice.
  - {{id: judged, title: A sketch, points: 5, manual: {{guide: Look for the zqguide.}}}}
  - id: explained
    title: The text explains
    points: 3
    check: text
    with: {{min_words: 3, all: [zqall], any: [zqany], near: [zqnear, network], topics: {{zqtopic: [zqword]}}}}
    advice: Write more.
  - id: without-near
    title: The text explains more
    points: 1
    any_of:
      - {{check: text, with: {{all: [zqall], any: [zqany], topics: {{zqtopic: [zqword]}}}}}}
      - {{check: text, with: {{language: en, min_words: 900, all: [zqall]}}}}
  - id: private-one
    title: The right layer
    points: 4
    private: true
    check: has_layer
    with: {{model: network, layer: ["custom:zqlayer"]}}
    advice: Read chapter three.
"""
_TEXTS = """\
version: 1  # zqcomment
title: Ein Kurs mit Geheimnissen
criteria:
  hidden-one: {title: Die zqtitle stimmt, advice: Suchen Sie zqadvice.}
  judged: {title: Eine Skizze, guide: Suchen Sie zqguide.}
  private-one: {advice: Lesen Sie Kapitel drei.}
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A graded class and its course."""

    rubric: Path
    public: Path
    """The public rubric."""
    out: ResultsFolder
    notebook: Path
    """A student's notebook, which `grader check` can run."""


def make_scene(folder: Path) -> Scene:
    """Grade two submissions from their evidence, one that misses everything and one that could not be graded.

    Args:
        folder: An empty folder. The data set `digits` must be in the grader's data.
    """
    rubric = folder / "course" / "marked.yaml"
    rubric.parent.mkdir()
    rubric.write_text(_RUBRIC, encoding="utf-8")
    rubric.with_name("marked.de.yaml").write_text(_TEXTS, encoding="utf-8")
    _write_reference(rubric.parent / "solution.ipynb")
    out, course = ResultsFolder(folder / "results"), load_course(find_rubric(str(rubric)), DatasetStore())
    judgement_file(out).append(_judgements())
    course = judged_course(course, out)
    for name, evidence in (("amara", _evidence()), ("bo", _evidence(models=(), fits=(), accuracies=()))):
        out.write_evidence(name, evidence)
        out.write_executed(name, (NOTEBOOKS / "plain.ipynb").read_bytes())
        publish(with_people(judge(a_submission(name), evidence, course), course), evidence, course, out)
    note_rubric(course.loaded, out)
    publish_class(course, out)
    public = folder / "public" / "rubric.yaml"
    public.parent.mkdir()
    published = grader("rubric", "publish", rubric, "--out", public)
    assert published.code == 0, published.err
    return Scene(rubric, public, out, NOTEBOOKS / "plain.ipynb")


def _judgements() -> Iterator[Judgement]:
    """Judgements of every kind, whose reasons are marked, and whose comments are for students."""
    decided = {"of": 5, "points": 4}
    values: tuple[dict[str, object], ...] = (
        {"criterion": "judged", "kind": "points", "comment": "Label the arrows.", **decided},
        {"criterion": "private-one", "kind": "override", "points": 1, "of": 4, "why": "Because of the zqwhy."},
        {"criterion": "hidden-one", "kind": "override", "points": 1, "of": _HIDDEN_POINTS, "why": "The zqwhy."},
        {"kind": "flag", "why": "Ask about the zqflag."},
        {"criterion": "explained", "kind": "comment", "comment": "Say it shorter."},
        {"criterion": "explained", "kind": "request", "by": "amara", "why": "I did explain it."},
        {"criterion": "explained", "kind": "answer", "comment": "Two sentences are missing."},
        {"kind": "comment", "notebook": "f" * 64, "comment": "About the zqreview."},
        {"submission": "bo", "kind": "excuse", "why": "The zqexcuse."},
        {"submission": "bo", "kind": "comment", "comment": "Come to the lab."},
    )
    common = {"by": "Nina", "submission": "amara", "notebook": "0" * 64, "rubric": "marked"}
    for minute, one in enumerate(values):
        yield Judgement.model_validate({"at": f"2026-05-01T18:{minute:02d}:00Z", **common, **one})


def _evidence(**keys: object) -> Evidence:
    figure = a_figure((0.1, 0.2, 0.3), xlabel="", ylabel="")
    text = a_cell(1, "My network has layers with one zqword, and it is small.", "markdown")
    values = {"cells": (a_cell(0, "import keras"), text), "figures": (figure,), "accuracies": (_accuracy(),)}
    return an_evidence(**(values | keys))


def _accuracy() -> object:
    return an_accuracy(9, 10, dataset="digits")


def _write_reference(notebook: Path) -> None:
    notebook.write_bytes((NOTEBOOKS / "plain.ipynb").read_bytes())
    solution = an_evidence(models=(a_model(layer("ZQReference"), dense(10)),))
    digest = sha256(notebook.read_bytes()).hexdigest()
    record = ReferenceRecord(rubric="marked", notebook=notebook.name, notebook_sha256=digest, evidence=solution)
    notebook.with_suffix(".evidence.json").write_text(record.model_dump_json(by_alias=True), encoding="utf-8")


def pages(scene: Scene) -> Iterator[tuple[str, str]]:
    """The reports that are handed back, and the executed notebooks."""
    for name in scene.out.submissions():
        yield f"report of {name}", scene.out.report_path(name).read_text(encoding="utf-8")
        yield f"executed notebook of {name}", scene.out.executed_path(name).read_text(encoding="utf-8")


def public_rubric(scene: Scene) -> Iterator[tuple[str, str]]:
    """The public rubric, and what the grader shows of it."""
    yield "public rubric", scene.public.read_text(encoding="utf-8")
    german = scene.public.with_name("rubric.de.yaml").read_text(encoding="utf-8")
    assert "Lesen Sie Kapitel drei." in german
    yield "public rubric's German texts", german
    shown = grader("rubric", "publish", scene.rubric)
    yield "public rubric on the terminal", shown.out + shown.err
    for words in (("show",), ("show", "--json"), ("validate",)):
        yield f"rubric {' '.join(words)}", _output(grader("rubric", words[0], scene.public, *words[1:]))


def checks(scene: Scene) -> Iterator[tuple[str, str]]:
    """The output and the report of `grader check` in each format, with either rubric."""
    # In the public rubric, a person judges all criteria that the notebook misses.
    for rubric, code in ((scene.rubric, 1), (scene.public, 0)):
        for format_ in Format:
            report = scene.out.root.parent / f"{rubric.stem}-{format_.value}.html"
            options = ("--rubric", rubric, "--format", format_.value, "--report", report)
            done = grader("check", scene.notebook, *options)
            assert done.code == code, done.err
            yield f"check --format {format_.value} with {rubric.name}", _output(done)
            yield f"report of check with {rubric.name}", report.read_text(encoding="utf-8")


def _output(done: Done) -> str:
    return done.out + done.err


def mails(scene: Scene) -> Iterator[tuple[str, str]]:
    """The messages with attached reports, all headers and parts decoded."""
    roster = scene.public.parent / "roster.csv"
    roster.write_text("id,email\namara,amara@example.org\nbo,bo@example.org\n", encoding="utf-8")
    words = ("--roster", roster, "--with-pending", "--attach-report")
    done = grader("mail", scene.out.root, *words)
    assert done.code == 0, done.err
    for path in sorted((scene.out.root / "mail").glob("*.eml")):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        yield f"headers of {path.name}", "\n".join(f"{name}: {text}" for name, text in message.items())
        for part in message.walk():
            if part.get_content_maintype() == "text":
                yield f"{part.get_content_type()} of {path.name}", part.get_content()
            elif part.get_content_subtype() == "zip":
                with ZipFile(io.BytesIO(part.get_content())) as archive:
                    yield f"attachment of {path.name}", archive.read("report.html").decode()


def exports(scene: Scene) -> Iterator[tuple[str, str]]:
    """The files that other tools show to students; Gradescope shows hidden tests only to instructors."""
    root = scene.out.root
    for name in ("gradescope", "prairielearn", "coursera", "junit"):
        target = root.parent / f"to-{name}"
        export_grades(scene.out, GradeExportOptions(grade_formats()[name], target, with_pending=True))
    for path in sorted((root.parent / "to-gradescope").glob("*/results.json")):
        results = json.loads(path.read_text(encoding="utf-8"))
        results["tests"] = [test for test in results["tests"] if test["visibility"] == "visible"]
        yield f"Gradescope: {path.parent.name}", json.dumps(results)
    for pattern in ("to-prairielearn/*/results.json", "to-coursera/*/*edback*"):
        for path in sorted(root.parent.glob(pattern)):
            yield f"{path.relative_to(root.parent)}", path.read_text(encoding="utf-8")
    yield "JUnit", (root.parent / "to-junit").read_text(encoding="utf-8")


SURFACES: tuple[Callable[[Scene], Iterator[tuple[str, str]]], ...] = (pages, public_rubric, checks, mails, exports)
"""Collectors of everything that a student can get, as pairs of a name and a text. Add each new one here."""
