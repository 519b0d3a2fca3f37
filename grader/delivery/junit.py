"""JUnit XML of grades, in pytest's dialect `xunit2`: a suite for each submission, a test case for each criterion."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from grader.facts.language import Language, language
from grader.facts.next_steps import missed_points
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.message import MessageLike

__all__ = [
    "JunitCounts",
    "Verdict",
    "details_of",
    "junit_counts",
    "junit_xml",
    "missed_lines",
    "verdict_of",
    "xml_text",
]

Verdict = Literal["passed", "failure", "error", "skipped"]

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document can hold, even as a reference."""
_NAME = "grader"
_ENGLISH = language("en")
_LONGEST = 20_000
"""Limit of one text in characters; the text of an exception can be as long as its author likes."""


class JunitCounts(NamedTuple):
    """Number of test cases by verdict."""

    tests: int
    failures: int
    errors: int
    skipped: int


def junit_xml(grades: Iterable[Grade], language: Language = _ENGLISH, *, at: datetime | None = None) -> str:
    """Write grades as JUnit XML.

    A criterion that lost points is a failure, a criterion that waits for a person is skipped. A missed criterion that
    costs nothing (a bonus, or advice without points) is skipped too, since the notebook can have full marks without
    it. A submission that the grader could not grade is one test case with an error.

    Args:
        grades: The grades, in the edition for their readers.
        language: The language of messages and advice.
        at: When they were graded, for the attribute `timestamp`; None leaves it out.

    Returns:
        The document, which ends with a line break. The sums of all suites are on its root.
    """
    graded = list(grades)
    root = ET.Element("testsuites", {"name": _NAME})
    root.extend(_suite(grade, language, at) for grade in graded)
    counts = [junit_counts(grade) for grade in graded]
    # The schema allows no `skipped` here.
    for place, name in enumerate(("tests", "failures", "errors")):
        root.set(name, str(sum(count[place] for count in counts)))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def junit_counts(grade: Grade) -> JunitCounts:
    """Count the test cases of one grade by verdict."""
    verdicts = [verdict_of(line) for line in grade.criteria] if grade.status == "graded" else ["error"]
    return JunitCounts(len(verdicts), *(verdicts.count(name) for name in ("failure", "error", "skipped")))


def xml_text(text: str) -> str:
    """Replace the characters that XML cannot hold by their code, such as `#x1B`, and cut text that is very long."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return _NOT_XML.sub(lambda match: f"#x{ord(match[0]):02X}", short)


def _suite(grade: Grade, language: Language, at: datetime | None) -> ET.Element:
    counts = junit_counts(grade)
    seconds = grade.execution.seconds if grade.execution is not None else 0.0
    attributes = {"name": grade.submission.id, **{k: str(v) for k, v in counts._asdict().items()}}
    attributes["time"] = f"{seconds:.3f}"
    if at is not None:
        attributes["timestamp"] = at.isoformat(timespec="seconds")
    suite = _element("testsuite", attributes)
    suite.append(_properties(_sums(grade)))
    classname = f"{grade.rubric.id}.{grade.submission.id}"
    if grade.status == "graded":
        suite.extend(_case(line, classname, language) for line in grade.criteria)
    else:
        suite.append(_not_graded(grade, classname, language))
    problems = [language.text(says) for says in grade.problems_says] or list(grade.problems)
    if problems:
        _add(suite, "system-err", {}, "\n".join(problems))
    return suite


def _sums(grade: Grade) -> Mapping[str, str]:
    sums = {"max_score": f"{grade.max_score:g}", "pending": f"{grade.pending:g}"}
    score = {} if grade.score is None else {"score": f"{grade.score:g}"}
    return {"rubric": grade.rubric.id, "status": grade.status, **score, **sums}


def _case(line: CriterionGrade, classname: str, language: Language) -> ET.Element:
    case = _element("testcase", {"classname": classname, "name": line.id, "time": "0.000"})
    case.append(_properties(details_of(line, language)))
    verdict = verdict_of(line)
    if verdict != "passed":
        message = _text(line.says, line.message, language)
        _add(case, verdict, {"message": message, "type": line.status}, "\n".join(missed_lines(line, language)))
    return case


def verdict_of(line: CriterionGrade) -> Verdict:
    """Decide how a test runner shows a criterion."""
    if line.status == "passed":
        return "passed"
    return "failure" if missed_points(line) and not line.bonus else "skipped"


def details_of(line: CriterionGrade, language: Language = _ENGLISH) -> Mapping[str, str]:
    """List the properties of a criterion: its title, its points, and how reliable they are."""
    return {
        "title": language.rubric_text(line.title),
        "points": f"{line.points:g}",
        "max_points": f"{line.max_points:g}",
        "status": line.status,
        **({"assurance": line.assurance.value} if line.assurance is not None else {}),
        **({"bonus": "true"} if line.bonus else {}),
    }


def missed_lines(line: CriterionGrade, language: Language = _ENGLISH) -> tuple[str, ...]:
    """List the lines of a failure, each once: the message, the cause with its place, the advice, and the cells."""
    return tuple(dict.fromkeys(_missed(line, language)))


def _missed(line: CriterionGrade, language: Language) -> Iterator[str]:
    yield _text(line.says, line.message, language)
    if line.cause is not None:
        yield _text(line.cause.says, line.cause.message, language)
        if line.cause.code:
            yield f"> {line.cause.code}"
        if line.cause.advice_says or line.cause.advice:
            yield f"→ {_text(line.cause.advice_says, line.cause.advice, language)}"
    if line.advice_says or line.advice:
        yield f"→ {_text(line.advice_says, line.advice, language)}"
    cells = dict.fromkeys(pointer.cell for pointer in line.evidence if pointer.cell is not None)
    if cells:
        yield ", ".join(map(language.cell, cells))


def _not_graded(grade: Grade, classname: str, language: Language) -> ET.Element:
    """Make the test case of a submission without a grade: the grader failed, so no criterion did."""
    case = _element("testcase", {"classname": classname, "name": grade.status, "time": "0.000"})
    reason = _text(grade.reason_says, grade.reason or "", language)
    _add(case, "error", {"message": reason, "type": grade.status}, reason)
    return case


def _text(says: MessageLike | None, text: str, language: Language) -> str:
    """Render a message; grades of earlier versions have only its text."""
    return text if says is None or isinstance(says, str) else language.text(says)


def _properties(values: Mapping[str, str]) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in values.items():
        _add(properties, "property", {"name": name, "value": value})
    return properties


def _add(parent: ET.Element, tag: str, attributes: Mapping[str, str], text: str = "") -> None:
    child = _element(tag, attributes)
    child.text = xml_text(text) or None
    parent.append(child)


def _element(tag: str, attributes: Mapping[str, str]) -> ET.Element:
    return ET.Element(tag, {name: xml_text(value) for name, value in attributes.items()})
