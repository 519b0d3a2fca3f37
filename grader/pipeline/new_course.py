"""Make a course folder that can be graded at once."""

import json
import shutil
from collections.abc import Iterable, Mapping
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

__all__ = [
    "GITIGNORE",
    "ROSTER",
    "ROSTER_HEADING",
    "NewCourse",
    "course_readme",
    "files_of_course",
    "make_course",
    "quoted",
    "write_course",
]

ROSTER = "roster.csv"
ROSTER_HEADING = ("id", "name", "email", "login", "section", "group", "sis_id", "moodle_participant")
_EXAMPLE_GRADER = "Your Name"
GITIGNORE = f"# The results can be made again.\n/{RESULTS}/\n"


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
    return write_course(folder, files_of_course(course), course.assignments)


def write_course(folder: Path, files: Mapping[str, bytes | Path], assignments: Iterable[str]) -> CourseFolder:
    """Write the files of a new course folder. No existing file is replaced.

    Args:
        folder: The folder; it may exist.
        files: Content of each file, or the file to copy, by its path in the folder.
        assignments: Ids of the assignments, which get folders for submissions.

    Raises:
        UsageError: A file of the course exists already; nothing was written then.
        StorageError: The folder cannot be written.
    """
    existing = [name for name in files if (folder / name).exists()]
    if existing:
        msg = f"the folder has a file {existing[0]!r} already; nothing was written"
        raise UsageError(msg, where=str(folder), advice="choose another folder")
    try:
        for name in assignments:
            (folder / SUBMISSIONS / name).mkdir(parents=True, exist_ok=True)
        (folder / RESULTS).mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("xb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file)
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
    files[ROSTER] = table_bytes(_roster(course))
    files["judgements.jsonl"] = b""
    files[".gitignore"] = GITIGNORE.encode()
    files["README.md"] = course_readme(course.title, course.language, course.assignments[0]).encode()
    files[COURSE_FILE] = _settings(course, files).encode()
    return files


def _starter(name: str) -> str:
    return f"{name}-assignment.ipynb"


def _roster(course: NewCourse) -> RosterTable:
    names = ["Ann Lee", "Ben Roth", "Clara Diaz"]
    if course.samples:
        own = {path.stem for name in course.assignments for path in (share("examples") / name).glob("*.ipynb")}
        names = [*(name.capitalize() for name in sorted(own)), "Zoe"]
    empty = ("",) * (len(ROSTER_HEADING) - 3)
    rows = (
        (f"s{number:03}", name, f"{name.lower().replace(' ', '.')}@example.org", *empty)
        for number, name in enumerate(names, start=1)
    )
    return RosterTable(ROSTER_HEADING, tuple(rows))


def course_readme(title: str, language: str, assignment: str) -> str:
    """Return the text of `README.md` of a course folder.

    Args:
        title: Title of the course.
        language: Language of the text; English if there is none in this language.
        assignment: Id of the assignment in the examples.
    """
    path = share("templates") / "course" / f"README.{language}.md"
    if not path.is_file():
        path = path.with_name("README.en.md")
    values = {"title": title, "assignment": assignment, "grader": _EXAMPLE_GRADER}
    return Template(path.read_text(encoding="utf-8")).substitute(values)


def _settings(course: NewCourse, files: Mapping[str, bytes]) -> str:
    """Write `course.yaml`, with the keys that most courses set as comments."""
    lines = [
        "# `grader rubric schema --of course` prints all keys for editors.",
        "version: 1",
        f"title: {quoted(course.title)}",
        f"language: {course.language}",
        "# Zone of due dates and of times in file names.",
        f"timezone: {quoted(course.timezone)}",
        f"roster: {ROSTER}",
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


def quoted(text: str) -> str:
    """Write a text so that YAML reads it as text."""
    return json.dumps(text, ensure_ascii=False)
