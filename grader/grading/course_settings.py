"""Read `course.yaml` into typed settings. Each error has its line and the nearest valid name."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from zoneinfo import available_timezones

from pydantic import ValidationError

from grader.facts.language import unknown_language
from grader.facts.nearest import near_path, suggestion
from grader.grading.documents import document_error, problem_at, read_bytes, read_located, telling
from grader.grading.yamlnodes import LocatedYaml, Place, Problem
from grader.schema.course import CourseSettings
from grader.schema.errors import UsageError

__all__ = ["load_course_settings", "read_course_settings"]

_ADVICE = "docs/course-folder.md explains every key"
_UNKNOWN_ZONE = "unknown time zone"
_YAML = (".yaml", ".yml")


def load_course_settings(path: Path, rubrics: Iterable[str] = ()) -> CourseSettings:
    """Read and check the file of a course.

    Args:
        path: `course.yaml`.
        rubrics: Ids of the shipped rubrics.

    Raises:
        UsageError: The file cannot be read, or is wrong. The error lists all problems, each as
            `file:line:column: problem; did you mean …?`.
    """
    content = read_bytes(path, noun="the course", kind=UsageError, advice=_ADVICE)
    return read_course_settings(content, rubrics, name=str(path), folder=path.parent)


def read_course_settings(
    content: bytes, rubrics: Iterable[str] = (), *, name: str = "course.yaml", folder: Path | None = None
) -> CourseSettings:
    """Turn the bytes of `course.yaml` into settings.

    Args:
        content: The bytes.
        rubrics: Ids of the shipped rubrics.
        name: Name of the file in errors.
        folder: The course folder, to search the files that are named; without it they are not checked.

    Raises:
        UsageError: The file is wrong.
    """
    read = read_located(content, name=name, noun="course", kind=UsageError)
    problems = list(read.problems)
    if isinstance(read.data, Mapping):
        problems += _schema_problems(read)
        problems += _language_problems(read)
        problems += _path_problems(read, tuple(rubrics), folder) if folder is not None else ()
    elif not problems:
        problems.append(
            Problem(read.value(()), "a course must be a mapping of keys to values (`version: 1`, `title: …`)")
        )
    if problems:
        wrong = document_error(problems, name=name, kind=UsageError)
        raise UsageError(wrong.message, where=wrong.where, advice=_ADVICE)
    return CourseSettings.model_validate(read.data)


def _schema_problems(read: LocatedYaml) -> Iterator[Problem]:
    try:
        CourseSettings.model_validate(read.data)
    except ValidationError as error:
        for detail in telling(read, (), error):
            problem = problem_at(read, CourseSettings, (), detail)
            start, found, zone = problem.message.partition(_UNKNOWN_ZONE)
            if found:
                problem = Problem(problem.mark, f"{start}{found}{zone}{_near_zone(zone)}")
            yield problem


def _near_zone(quoted: str) -> str:
    return suggestion(quoted.strip(" '"), sorted(available_timezones()))


def _language_problems(read: LocatedYaml) -> Iterator[Problem]:
    code = read.data.get("language")
    problem = unknown_language(code) if isinstance(code, str) else ""
    if problem:
        yield Problem(read.value(("language",)), problem)


def _path_problems(read: LocatedYaml, rubrics: tuple[str, ...], folder: Path) -> Iterator[Problem]:
    """Find files that do not exist."""
    roster = read.data.get("roster")
    if isinstance(roster, str) and roster:
        yield from _missing_file(read, ("roster",), roster, folder)
    assignments = read.data.get("assignments")
    for name, settings in assignments.items() if isinstance(assignments, Mapping) else ():
        if not isinstance(settings, Mapping):
            continue
        place: Place = ("assignments", name)
        for key in ("starter", "times"):
            path = settings.get(key)
            if isinstance(path, str) and path:
                yield from _missing_file(read, (*place, key), path, folder)
        rubric = settings.get("rubric")
        if isinstance(rubric, str) and rubric:
            yield from _rubric_problems(read, (*place, "rubric"), rubric, rubrics, folder)


def _missing_file(read: LocatedYaml, place: Place, path: str, folder: Path) -> Iterator[Problem]:
    if not (folder / path).is_file():
        yield Problem(read.value(place), f"there is no file {path!r}{near_path(folder / path)}")


def _rubric_problems(
    read: LocatedYaml, place: Place, rubric: str, rubrics: tuple[str, ...], folder: Path
) -> Iterator[Problem]:
    if rubric.endswith(_YAML) or "/" in rubric:
        yield from _missing_file(read, place, rubric, folder)
    elif rubrics and rubric not in rubrics:
        yield Problem(read.value(place), f"there is no rubric {rubric!r}{suggestion(rubric, rubrics)}")
