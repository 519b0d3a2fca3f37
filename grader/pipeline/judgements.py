"""Read the judgements of a results folder, and add them to grades."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from grader.grading.judged import concerns, latest, with_judgements
from grader.pipeline.course import Course
from grader.pipeline.rubrics import noted_judgements
from grader.schema.errors import UsageError
from grader.schema.grade import Grade
from grader.schema.judgement import Judgement
from grader.store.judgements import JudgementFile
from grader.store.results import ResultsFolder

__all__ = ["judged_course", "judgement_file", "orphans_of", "with_people"]

_HAS_JUDGEMENTS = re.compile(rb'"(?:judged": \{|excused": "|(?:comments|flags|requests|review)": \[\s*\{)')
"""Part of a `grade.json` with judgements. Strings from a student cannot match, since quotes in strings are escaped."""
_WITHOUT_SUBMISSION = frozenset({"excuse", "extension"})
"""Kinds that a student without a submission can have, too."""


def judgement_file(out: ResultsFolder) -> JudgementFile:
    """Find the file of judgements of a results folder; the file may not exist yet.

    It is the file that `--judgements` named before, else `<DIR>-judgements.jsonl` next to the folder.
    """
    noted = noted_judgements(out)
    if noted is not None:
        return JudgementFile(noted)
    root = out.root.resolve()
    return JudgementFile(root.with_name(f"{root.name}-judgements.jsonl"))


def judged_course(course: Course, out: ResultsFolder) -> Course:
    """Add the judgements of a results folder to its course.

    Args:
        course: Rubric, reference and data.
        out: The results folder.

    Raises:
        UsageError: The file of judgements cannot be read, has lines that are not judgements, or is missing although
            grades in the folder have judgements.
    """
    file = judgement_file(out)
    if not file.path.exists():
        _check_missing(file, out)
    groups: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one in file.read().judgements:
        if concerns(one, one.submission, course.stamp.id):
            groups[one.submission].append(one)
    return replace(course, judgements={name: tuple(judgements) for name, judgements in groups.items()})


def _check_missing(file: JudgementFile, out: ResultsFolder) -> None:
    """Refuse to make grades without the judgements that they had before."""
    judged = [name for name in out.submissions() if _has_judgements(out, name)]
    if judged:
        msg = f"the file of judgements is missing, but {len(judged)} grades have judgements, such as {judged[0]}"
        advice = "put the file back, name it with `--judgements FILE`, or make an empty file to remove the judgements"
        raise UsageError(msg, where=str(file.path), advice=advice)


def _has_judgements(out: ResultsFolder, name: str) -> bool:
    try:
        return _HAS_JUDGEMENTS.search(out.grade_path(name).read_bytes()) is not None
    except OSError:
        return False


def with_people(computed: Grade, course: Course) -> Grade:
    """Add the decisions of people to a computed grade.

    Args:
        computed: The grade as computed from evidence.
        course: The course with its judgements.
    """
    return with_judgements(computed, course.judgements.get(computed.submission.id, ()))


def orphans_of(course: Course, submissions: Iterable[str]) -> tuple[Judgement, ...]:
    """Find judgements that count, but whose submission does not exist.

    Args:
        course: The course with its judgements.
        submissions: Ids of the submissions in the results folder.
    """
    present = set(submissions)
    groups: Sequence[Sequence[Judgement]] = [
        judgements for name, judgements in sorted(course.judgements.items()) if name not in present
    ]
    return tuple(one for group in groups for one in latest(group).values() if one.kind not in _WITHOUT_SUBMISSION)
