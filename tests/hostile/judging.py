"""Compare what came of a class with what must happen."""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.hostile.expected import Must, Sample
from tests.hostile.running import ClassRun

__all__ = ["STEERING", "Result", "class_faults", "faults", "outcome_of", "page_faults", "result_of"]

STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Characters that steer a terminal or turn the direction of text, and half characters."""
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?")
_EXPLAINING = ("reason", "problems", "criteria", "execution", "submission")
_REFUSING = {"timeout", "memory", "died"}


@dataclass(frozen=True)
class Result:
    """The results folder of one sample."""

    folder: Path

    def text(self, name: str) -> str:
        """Read a file; empty if there is none."""
        path = self.folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    @cached_property
    def grade(self) -> dict[str, Any]:
        """Return `grade.json`; empty if there is none."""
        found: dict[str, Any] = json.loads(self.text("grade.json") or "{}")
        return found

    @cached_property
    def criteria(self) -> dict[str, dict[str, Any]]:
        """Return the lines of the grade by their ids."""
        return {line["id"]: line for line in self.grade.get("criteria", [])}

    @cached_property
    def execution(self) -> dict[str, Any]:
        """Return the part about the execution; empty if there was none."""
        return self.grade.get("execution") or {}

    @cached_property
    def messages(self) -> list[str]:
        """List the ids of all messages in the grade."""
        return list(_ids(self.grade))

    @cached_property
    def outputs(self) -> str:
        """Return all outputs of the executed notebook as text."""
        cells = json.loads(self.text("executed.ipynb") or '{"cells": []}')["cells"]
        return "\n".join(_texts([cell.get("outputs", []) for cell in cells]))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str) and "values" in value:
            yield value["id"]
        for item in value.values():
            yield from _ids(item)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def result_of(run: ClassRun, sample: Sample) -> Result:
    """Find the results of a sample."""
    return Result(run.out / sample.name)


def outcome_of(result: Result) -> str:
    """Say what became of a submission: `graded`, `flagged` or `refused`; `lost` if there is no trace of it."""
    grade = result.grade
    if not grade:
        return "lost"
    if grade["status"] == "not_graded" or not result.execution or result.execution["status"] in _REFUSING:
        return "refused" if grade.get("reason") or result.execution.get("reason") else "lost"
    pending = any(line["status"] == "pending" for line in result.criteria.values())
    return "flagged" if pending or grade.get("problems") or grade.get("flags") else "graded"


def faults(run: ClassRun, sample: Sample) -> list[str]:
    """List everything that is not as the sample's header says; empty if all is."""
    result = result_of(run, sample)
    own = list(_unlike(result, sample.must)) if result.grade else ["there is no grade"]
    if sample.open and result.grade:
        own = [] if own else ["it is as it must be, so its header must not say `open` any more"]
    missing = [
        f"the command does not print {text!r}" for text in sample.must.announces if not re.search(text, run.said)
    ]
    return [*own, *missing, *_unsafe(run, result)]


def _unlike(result: Result, must: Must) -> Iterator[str]:
    grade = result.grade
    outcome = outcome_of(result)
    if outcome not in _several(must.outcome):
        yield f"outcome {outcome}, not {must.outcome}: {grade.get('reason') or ''} {grade.get('problems') or ''}"
    if must.score is not None and grade["score"] != must.score:
        yield f"score {grade['score']}, not {must.score}"
    for name, points in must.points.items():
        if result.criteria.get(name, {}).get("points", 0.0) != points:
            yield f"{name}: {result.criteria[name]['points']} points, not {points}: {result.criteria[name]['message']}"
    for name, status in must.criteria.items():
        line = result.criteria.get(name, {"status": "absent", "message": ""})
        if line["status"] not in _several(status):
            yield f"{name}: {line['status']}, not {status}: {line['message']}"
    status = result.execution.get("status", "none")
    if must.execution is not None and status not in _several(must.execution):
        told = [result.execution.get(name) for name in ("reason", "errors")]
        yield f"execution {status}, not {must.execution}: {told}"
    if must.cells is not None and result.execution.get("cells_run", 0) != must.cells:
        yield f"{result.execution.get('cells_run')} cells ran, not {must.cells}"
    yield from _unsaid(result, must)


def _unsaid(result: Result, must: Must) -> Iterator[str]:
    for start in must.says:
        if not any(message.startswith(start) for message in result.messages):
            yield f"no message {start!r} among {sorted(set(result.messages))}"
    for start in must.silent:
        if any(message.startswith(start) for message in result.messages):
            yield f"there is a message {start!r}"
    spoken = "\n".join(_texts(_spoken({name: result.grade.get(name) for name in _EXPLAINING})))
    yield from (
        f"no explanation matches {text!r}: {spoken[:1500]}" for text in must.explains if not re.search(text, spoken)
    )
    notes = {note["id"] for note in result.grade.get("diagnostics", [])}
    if not set(must.notes) <= notes:
        yield f"notes {sorted(notes)}, without {sorted(set(must.notes) - notes)}"
    yield from _shown(result, must)


def _shown(result: Result, must: Must) -> Iterator[str]:
    for pattern in must.prints:
        if not re.search(pattern, result.outputs):
            yield f"the outputs do not match {pattern!r}: {result.outputs[-800:]!r}"
    yield from (f"the outputs match {text!r}" for text in must.never if re.search(text, result.outputs))
    yield from (f"{text!r} is in report.html" for text in must.hides if text in result.text("report.html"))
    for name in must.recorded:
        if result.criteria.get(name, {}).get("assurance") == "verified":
            yield f"{name} is called verified: {result.criteria[name]['message']}"
    claims = [claim for model in result.grade.get("models", []) for claim in model.get("accuracy", {}).values()]
    if must.unverified and any(claim["assurance"] == "verified" for claim in claims):
        yield f"an accuracy is called verified: {claims}"


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


# --- what holds for every submission ---------------------------------------------------------------------------------


def _unsafe(run: ClassRun, result: Result) -> Iterator[str]:
    """Check what no submission may achieve."""
    if not result.grade:
        return
    course = run.course
    for name in ("report.html", "instructor.html", "executed.ipynb", "grade.json"):
        content = result.text(name)
        for word, secret in course.secrets.items():
            if secret in content and (word != "rubric" or name in {"report.html", "executed.ipynb"}):
                yield f"the secret of the {word} is in {name}"
        if name.endswith(".html"):
            if not content:
                yield f"there is no {name}"
            yield from (f"{name}: {fault}" for fault in page_faults(content))
    if steering := STEERING.search(said := "\n".join(_texts(_spoken(result.grade)))):
        place = said[max(0, steering.start() - 60) : steering.end()]
        yield f"grade.json has the character {steering.group()!r} in {place!r}"


def _spoken(grade: dict[str, Any]) -> Any:
    """Leave out values of messages, which are data: a terminal and a page clean what they show."""
    if isinstance(grade, dict):
        return {name: _spoken(item) for name, item in grade.items() if name != "values"}
    return [_spoken(item) for item in grade] if isinstance(grade, list) else grade


class _Page(HTMLParser):
    """Collects what a browser could execute or load."""

    _LOADING = frozenset({"iframe", "object", "embed", "base", "form", "frame", "portal", "applet"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.policy: str | None = None
        self._inside = ""

    def handle_data(self, data: str) -> None:
        digest = base64.b64encode(hashlib.sha256(data.encode(errors="replace")).digest()).decode()
        if self._inside and f"sha256-{digest}" not in (self.policy or ""):
            self.found.append(f"a <{self._inside}> that the policy does not name: {data[:60]!r}")

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in {"script", "style"} else self._inside
        named = dict(attrs)
        if named.get("http-equiv", "") == "Content-Security-Policy" and self.policy is None:
            self.policy = named.get("content") or ""
        if tag in self._LOADING:
            self.found.append(f"an element <{tag}>")
        for name, value in attrs:
            address = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith("on"):
                self.found.append(f"an attribute {name} of <{tag}>")
            if address.startswith(("javascript:", "vbscript:", "data:text", "data:image/svg")):
                self.found.append(f"an address {address[:60]!r}")
            if name in {"src", "srcset", "srcdoc", "poster", "background", "data"} and not address.startswith(
                "data:image/"
            ):
                self.found.append(f"<{tag} {name}={(value or '')[:60]!r}>")
            if tag in {"link", "use", "image"} and name.endswith("href") and address.startswith(("http", "/", "file")):
                self.found.append(f"<{tag} {name}={address[:60]!r}>")
            if name == "http-equiv" and address == "refresh":
                self.found.append("a page that leads elsewhere by itself")
            if name == "style" and re.search(r"url\s*\(|expression|position\s*:\s*(fixed|absolute)", value or ""):
                self.found.append(f"a style {(value or '')[:60]!r}")


def page_faults(content: str) -> list[str]:
    """List the parts of a page that a browser could execute, load, or put over the rest of the page.

    Args:
        content: The page.
    """
    page = _Page()
    page.feed(content)
    strict = page.policy is not None and page.policy.startswith("default-src 'none'")
    return [*page.found, *([] if strict else ["no policy that refuses to load things"])]


def class_faults(run: ClassRun) -> list[str]:
    """List what is wrong with the class as a whole."""
    return list(_class_faults(run))


def _class_faults(run: ClassRun) -> Iterator[str]:
    yield from run.harm
    if run.code not in {0, 3}:
        yield f"the command ended with {run.code}"
    if "Traceback (most recent call last)" in run.said:
        yield "the command printed a traceback"
    if steering := STEERING.search(run.said):
        yield f"the command printed {run.said[max(0, steering.start() - 60) : steering.end()]!r}"
    for name in ("index.html", "grades.csv", "grader.sqlite"):
        if not (run.out / name).is_file():
            yield f"there is no {name}"
            return
    yield from (f"index.html: {fault}" for fault in page_faults((run.out / "index.html").read_text(encoding="utf-8")))
    rows = list(csv.reader((run.out / "grades.csv").read_text(encoding="utf-8-sig").splitlines()))
    for cell in (cell for row in rows for cell in row):
        if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
            yield f"grades.csv has a cell that a spreadsheet calculates: {cell!r}"
    graded = {path.parent.name for path in run.out.glob("*/grade.json")}
    if graded != set(run.names):
        yield f"without a grade: {sorted(set(run.names) - graded)}; not in the class: {sorted(graded - set(run.names))}"
