"""Make a course folder that can be graded at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from grader.delivery.roster import RosterTable, table_bytes
from grader.facts.nearest import suggestion
from grader.pipeline.course_folder import RESULTS, SUBMISSIONS, CourseFolder, open_course
from grader.pipeline.rubrics import shipped_rubrics
from grader.resources import share
from grader.schema.course import COURSE_FILE
from grader.schema.errors import StorageError, UsageError

__all__ = ["NewCourse", "files_of_course", "make_course"]

_ROSTER = "roster.csv"
_HEADING = ("id", "name", "email", "login", "section", "group", "sis_id", "moodle_participant")
_EXAMPLE_GRADER = "Your Name"
_GITIGNORE = f"# The results can be made again.\n/{RESULTS}/\n"


@dataclass(frozen=True, slots=True)
class NewCourse:
    """The contents of a new course folder."""

    assignments: tuple[str, ...] = ("mnist-cnn",)
    """Ids of shipped rubrics, each for one assignment of the same id."""
    title: str = "Deep Learning"
    language: str = "en"
    timezone: str = "UTC"
    samples: bool = False
    """Whether the folder has the sample submissions of the grader."""


def make_course(folder: Path, course: NewCourse) -> CourseFolder:
    """Make a course folder. No existing file is replaced.

    Args:
        folder: The folder; it may exist.
        course: Its contents.

    Raises:
        UsageError: A file of the course exists already, or there is no such rubric; nothing was written then.
        StorageError: The folder cannot be written.
    """
    files = files_of_course(course)
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        msg = f"the folder has a file {existing[0]!r} already; nothing was written"
        raise UsageError(msg, where=str(folder), advice="choose another folder")
    try:
        for name in course.assignments:
            (folder / SUBMISSIONS / name).mkdir(parents=True, exist_ok=True)
        (folder / RESULTS).mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("xb") as file:
                file.write(content)
    except OSError as error:
        msg = f"the course folder cannot be made: {error.strerror or error}"
        raise StorageError(msg, where=str(error.filename or folder)) from error
    return open_course(folder)


def files_of_course(course: NewCourse) -> Mapping[str, bytes]:
    """Return the content of each file of a new course folder, by its path.

    Raises:
        UsageError: There is no such rubric.
    """
    rubrics = {path.stem: path for path in shipped_rubrics()}
    files: dict[str, bytes] = {}
    for name in course.assignments:
        if name not in rubrics:
            msg = f"there is no rubric {name!r}{suggestion(name, rubrics)}"
            raise UsageError(msg, where="--assignment", advice="`grader rubric list` shows the shipped rubrics")
        for path in sorted(rubrics[name].parent.glob(f"{name}*")):
            # The rubric, its texts in other languages, and the notebook that students start from.
            if path.name in {f"{name}.yaml", _starter(name)} or path.match(f"{name}.*.yaml"):
                files[f"rubrics/{path.name}"] = path.read_bytes()
        if course.samples:
            samples = sorted((share("examples") / name).glob("*.ipynb"))
            files |= {f"{SUBMISSIONS}/{name}/{path.name}": path.read_bytes() for path in samples}
    files[_ROSTER] = table_bytes(_roster(course))
    files["judgements.jsonl"] = b""
    files[".gitignore"] = _GITIGNORE.encode()
    files["README.md"] = _readme(course).encode()
    files[COURSE_FILE] = _settings(course, files).encode()
    return files


def _starter(name: str) -> str:
    return f"{name}-assignment.ipynb"


def _roster(course: NewCourse) -> RosterTable:
    names = ["Ann Lee", "Ben Roth", "Clara Diaz"]
    if course.samples:
        own = {path.stem for name in course.assignments for path in (share("examples") / name).glob("*.ipynb")}
        names = [*(name.capitalize() for name in sorted(own)), "Zoe"]
    empty = ("",) * (len(_HEADING) - 3)
    rows = (
        (f"s{number:03}", name, f"{name.lower().replace(' ', '.')}@example.org", *empty)
        for number, name in enumerate(names, start=1)
    )
    return RosterTable(_HEADING, tuple(rows))


def _readme(course: NewCourse) -> str:
    path = share("templates") / "course" / f"README.{course.language}.md"
    if not path.is_file():
        path = path.with_name("README.en.md")
    values = {"title": course.title, "assignment": course.assignments[0], "grader": _EXAMPLE_GRADER}
    return Template(path.read_text(encoding="utf-8")).substitute(values)


def _settings(course: NewCourse, files: Mapping[str, bytes]) -> str:
    """Write `course.yaml`, with the keys that most courses set as comments."""
    lines = [
        "# `grader rubric schema --of course` prints all keys for editors.",
        "version: 1",
        f"title: {_quoted(course.title)}",
        f"language: {course.language}",
        "# Zone of due dates and of times in file names.",
        f"timezone: {_quoted(course.timezone)}",
        f"roster: {_ROSTER}",
        "judgements: judgements.jsonl",
        "# Names for `--by` and for the desk; without them every name is accepted.",
        f"# graders: [{_EXAMPLE_GRADER}]",
        "# mail: {server: smtp.example.org, sender: Deep Learning <course@example.org>}",
        "assignments:",
    ]
    for name in course.assignments:
        lines += [
            f"  {name}:",
            f"    rubric: rubrics/{name}.yaml",
            *([f"    starter: rubrics/{_starter(name)}"] if f"rubrics/{_starter(name)}" in files else []),
            "    # due: 2026-11-08 18:00",
            "    # late: {grace: 30 min, per_day: 10 %, at_most: 50 %}",
            "    # groups: true",
        ]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """Write a text so that YAML reads it as text."""
    return json.dumps(text, ensure_ascii=False)
