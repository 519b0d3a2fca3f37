"""Read the student, the attempt and the own file name from the names that learning platforms give to downloads.

- Moodle: folder `Ann Lee_4711_assignsubmission_file`, or a file with `_work.ipynb` after that; also `onlinetext`.
  Groups: `Group 7_31_…`, and `Default group_assignsubmission_file` for all students without a group.
- Canvas: `leeann_LATE_4711_90001_work.ipynb`, `LATE_anon_Xy12z_90001_work.ipynb`, `leeann_4711_text.html`. Groups:
  `team_a_4711_90001_work.ipynb`.
- Blackboard: `hw1_alee_attempt_2026-11-01-10-00-00_work.ipynb`, and a `.txt` with the student's name.
- Brightspace: folder `12345-67890 - Ann Lee - Nov 1, 2026 1000 AM`, or a file with ` - work.ipynb` after that.
- Sakai: folder `Lee, Ann(alee)`, or a file with `_Submission attachment(s)_work.ipynb` after that. Groups: folder
  `Team A (0b9f1c2e-…)`. Anonymous: `0b9f1c2e-… Anonymous`.
- ILIAS: folders `Lee_Ann_alee_4711`, all in one folder; a late file has `Late Submission - ` in front of its name.
  Groups: folders `Team 7` with such folders in them.
- nbgrader's exchange: folder `alee+ps1+2026-11-01 10:00:00 UTC+...`.
- Google Classroom: `Ann Lee - work.ipynb`, with the same title for several students.
- Others: folders that are named by e-mail addresses.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from grader.facts.times import sortable_time

__all__ = [
    "FEEDBACK",
    "BlackboardNote",
    "Person",
    "canvas_version",
    "people_of",
    "person_of",
    "read_blackboard_note",
    "sortable_time",
    "without_late_mark",
]


@dataclass(frozen=True, slots=True)
class Person:
    """Student that a name in a download belongs to, and what else the name contains."""

    student: str
    id: str
    """Base of the result folder's name, before it is made unique. Names with the same id belong to one student."""
    rest: str = ""
    """The student's own file name, without the platform's prefix; empty for a folder."""
    attempt: str = ""
    """The time of the attempt as the platform writes it; empty if the name has none."""
    late: bool = False
    """Whether the platform marks the submission as late."""
    kind: str = "file"
    """`file` for submitted files, `text` for a text that the platform wrote, such as an online text."""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class BlackboardNote:
    """The text file that Blackboard adds to each attempt."""

    student: str = ""
    login: str = ""
    originals: Mapping[str, str] = field(default_factory=dict)
    """File name in the download → the student's own file name."""


FEEDBACK = "Feedback Attachment(s)"
"""Sakai's folder for the instructor's own files."""


# --- single names --------------------------------------------------------------------------------------------

_MOODLE = re.compile(
    r"(?P<name>[^_]+(?:_[^_]+)*?)(?:_(?P<number>\d+))?_assignsubmission_(?P<plugin>[a-z]+)_?(?P<rest>.*)"
)
"""A group without a number is the one of all students who are in no group."""
_UNNAMED = re.compile(r"participant|teilnehmer(?:[ /*:]?in)?|participante?|deelnemer|partecipante", re.IGNORECASE)
"""Moodle's word for a student in an anonymous assignment, in some languages."""
_CANVAS_ANONYMOUS = re.compile(r"(?P<late>(?i:late)_)?anon_(?P<number>[0-9A-Za-z]+)_(?P<attachment>\d+_)?(?P<rest>.+)")
_CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_(?i:late))?_(?P<number>\d{2,})_(?P<attachment>\d{3,})_(?P<rest>.+)")
_CANVAS_GROUP = re.compile(r"(?P<name>.+?)(?P<late>_(?i:late))?_(?P<number>\d{2,})_(?P<attachment>\d{3,})_(?P<rest>.+)")
"""A group's name may contain underscores; other files in the folder show that the names are Canvas's."""
_CANVAS_OWN_TEXT = re.compile(r"(?:text|link)\.html?")
_CANVAS_TEXT = re.compile(r"(?P<name>[^_]+)(?P<late>_(?i:late))?_(?P<number>\d{2,})_(?P<rest>(?:text|link)\.html?)")
_BLACKBOARD = re.compile(
    r"(?P<head>.+?)_attempt_(?P<time>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_(?P<rest>.+)|(?P<note>\.txt))"
)
_BRIGHTSPACE = re.compile(
    r"(?P<first>\d+)-(?P<second>\d+) - (?P<name>.+?) ?- "
    r"(?P<time>(?:(?! - ).)*?\b(?:19|20)\d\d\b(?:(?! - ).)*?)(?: - (?P<rest>.+))?"
)
_SAKAI_FILE = (
    r"(?:_Submission attachment\(s\)_(?P<rest>.+)|_{1,2}(?P<text>submissionText\.html?)"
    r"|_(?P<feedback>comments\.txt|feedbackText\.html?)|_Feedback Attachment\(s\)(?P<marked>.+))?"
)
"""What follows the student in a download without folders; nothing for a folder."""
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SAKAI_ANONYMOUS = re.compile(rf"(?P<number>{_UUID}) (?P<word>[^\W\d_]+){_SAKAI_FILE}")
_SAKAI = re.compile(
    r"(?P<last>[^,()]+), ?(?P<first>[^()]*?) ?\((?P<login>[^()]+)\)"
    rf"{_SAKAI_FILE}"
)
_SAKAI_GROUP = re.compile(rf"(?P<name>[^()]+) \((?P<number>{_UUID})\)")
_EXCHANGE = re.compile(
    r"(?P<name>[^+].*?)\+(?P<title>[^+]+)\+(?P<time>\d{4}-\d\d-\d\d \d\d.\d\d.\d\d[^+]*)(?:\+[^+]*)?"
)
_ILIAS = re.compile(r"(?P<last>[^_]+)_(?P<first>[^_]+)_(?P<login>.+)_(?P<number>\d{2,})")
_ILIAS_TEAM = re.compile(r"team \d+", re.IGNORECASE)
_ILIAS_PARENT = re.compile(r"(?:abgaben|submissions|multi_feedback_.*)", re.IGNORECASE)
_ILIAS_LATE = re.compile(r"(?:late submission|verspätete abgabe|verspaetete abgabe) - (?P<rest>.+)", re.IGNORECASE)
"""Words that ILIAS writes in front of a late file, in some languages."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_TITLED = re.compile(r"(?P<name>[^\W\d].*?) - (?P<rest>.+)")


def person_of(name: str) -> Person | None:
    """Read the student from a file or folder name that a platform made.

    Args:
        name: Name of a file or folder: `Ann Lee_4711_assignsubmission_file_`, `leeann_LATE_12_345_work.ipynb`,
            `anon_12_345_work.ipynb`.

    Returns:
        The person, or None for any other name. The id contains the platform's own number to keep namesakes apart.
    """
    for read in (_moodle, _blackboard, _canvas, _brightspace, _sakai, _exchange):
        person = read(name)
        if person is not None:
            return person
    return None


def _moodle(name: str) -> Person | None:
    match = _MOODLE.fullmatch(name)
    if match is None:
        return None
    student, number = match["name"].replace("_", " ").strip(), match["number"] or ""
    if number and _UNNAMED.fullmatch(student):
        student = f"{student} {number}"
    known_id = student if not number or student.endswith(f" {number}") else f"{student}-{number}"
    text = match["plugin"] != "file"
    rest = match["rest"]
    if text and (not rest or rest.startswith(".")) and "." in name:
        rest = match["plugin"] + rest
    return Person(student, known_id, rest, kind="text" if text else "file", platform="moodle")


def _canvas(name: str) -> Person | None:
    if match := _CANVAS_ANONYMOUS.fullmatch(name):
        number, late = match["number"], match["late"] is not None
        text = match["attachment"] is None and _CANVAS_OWN_TEXT.fullmatch(match["rest"]) is not None
        kind = "text" if text else "file"
        return Person(f"anonymous {number}", f"anon-{number}", match["rest"], late=late, kind=kind, platform="canvas")
    if match := _CANVAS.fullmatch(name):
        return _canvas_file(match)
    if match := _CANVAS_TEXT.fullmatch(name):
        rest, known_id = match["rest"], f"{match['name']}-{match['number']}"
        return Person(match["name"], known_id, rest, kind="text", platform="canvas", late=match["late"] is not None)
    return None


def _canvas_file(match: re.Match[str]) -> Person:
    known_id, late = f"{match['name']}-{match['number']}", match["late"] is not None
    return Person(match["name"], known_id, match["rest"], platform="canvas", late=late)


def _blackboard(name: str) -> Person | None:
    match = _BLACKBOARD.fullmatch(name)
    if match is None:
        return None
    note = match["note"] is not None
    # The login is shortened later, when the title is known from the names of all students.
    return Person(
        student=match["head"],
        id=match["head"],
        rest="submission.txt" if note else match["rest"],
        attempt=match["time"],
        kind="text" if note else "file",
        platform="blackboard",
    )


def _brightspace(name: str) -> Person | None:
    match = _BRIGHTSPACE.fullmatch(name)
    if match is None:
        return None
    student = match["name"].strip()
    known_id = f"{student}-{match['first']}-{match['second']}"
    return Person(student, known_id, match["rest"] or "", match["time"].strip(), platform="brightspace")


def _sakai(name: str) -> Person | None:
    if match := _SAKAI_GROUP.fullmatch(name):
        return Person(match["name"], f"{match['name']}-{match['number'][:8]}", platform="sakai")
    if match := _SAKAI_ANONYMOUS.fullmatch(name):
        number = match["number"][:8]
        return _sakai_person(match, f"{match['word']} {number}", f"{match['word']}-{match['number']}")
    match = _SAKAI.fullmatch(name)
    if match is None:
        return None
    student = f"{match['first']} {match['last']}".strip()
    return _sakai_person(match, student, f"{student}-{match['login']}")


def _sakai_person(match: re.Match[str], student: str, known_id: str) -> Person:
    marked = match["marked"]
    feedback = f"{FEEDBACK}/{marked}" if marked else match["feedback"]
    rest = match["rest"] or match["text"] or feedback or ""
    return Person(student, known_id, rest, kind="file" if match["rest"] or not rest else "text", platform="sakai")


def _exchange(name: str) -> Person | None:
    match = _EXCHANGE.fullmatch(name)
    if match is None:
        return None
    return Person(match["name"], match["name"], "", match["time"].strip(), platform="nbgrader")


# --- all names of a folder -----------------------------------------------------------------------------------


def people_of(files: Sequence[str], folders: Sequence[str], parent: str = "") -> dict[str, Person]:
    """Read the students from all names in a folder, since some platforms' names can only be read together.

    Args:
        files: Names of the files.
        folders: Names of the subfolders.
        parent: Name of the folder.

    Returns:
        Name → student, for the names that a platform made.
    """
    people: dict[str, Person] = {}
    for name in (*files, *folders):
        person = person_of(name)
        if person is not None:
            people[name] = person
    people.update(_canvas_groups([name for name in files if name not in people], people))
    people.update(_with_logins(people))
    people.update(_with_one_number(people))
    rest = [name for name in folders if name not in people]
    people.update(_ilias(rest, parent))
    people.update(_emails([name for name in folders if name not in people]))
    if not people:
        people.update(_titled(files))
    return people


def _canvas_groups(files: Sequence[str], people: Mapping[str, Person]) -> Iterator[tuple[str, Person]]:
    """Read Canvas's names of groups with underscores, next to other names of Canvas or if all files have one."""
    matches = {name: match for name in files if (match := _CANVAS_GROUP.fullmatch(name))}
    known = any(person.platform == "canvas" for person in people.values())
    if known or (len(matches) == len(files) > 1):
        yield from ((name, _canvas_file(match)) for name, match in matches.items())


def _emails(folders: Sequence[str]) -> Iterator[tuple[str, Person]]:
    """Read folders that are named by e-mail addresses."""
    yield from ((name, Person(name, name, platform="e-mail")) for name in folders if _EMAIL.fullmatch(name))


def _with_logins(people: Mapping[str, Person]) -> Iterator[tuple[str, Person]]:
    """Cut the assignment's title off Blackboard's names: it is the part that all students' names start with."""
    heads = {person.id for person in people.values() if person.platform == "blackboard"}
    if not heads:
        return
    # All names start alike as far as the first and the last in alphabetical order do.
    first, last = min(heads), max(heads)
    alike = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    title = first[: first[:alike].rfind("_") + 1]
    for name, person in people.items():
        if person.platform == "blackboard":
            login = person.id[len(title) :] or person.id
            yield name, replace(person, student=login, id=login)


def _with_one_number(people: Mapping[str, Person]) -> Iterator[tuple[str, Person]]:
    """Keep the number of Brightspace's names that belongs to the student and not to the folder or the attempt."""
    ours = {name: person for name, person in people.items() if person.platform == "brightspace"}
    numbers = {name: person.id.rsplit("-", 2)[1:] for name, person in ours.items()}
    students = {person.student for person in ours.values()}
    firsts = {numbers[name][0] for name in ours}
    position = 1 if len(students) > 1 and len(firsts) == 1 else 0
    for name, person in ours.items():
        yield name, replace(person, id=f"{person.student}-{numbers[name][position]}")


def _ilias(folders: Sequence[str], parent: str) -> dict[str, Person]:
    """Read ILIAS's folders; their names are not distinctive, so all must have the form, with different numbers."""
    matches = {name: match for name in folders if (match := _ILIAS.fullmatch(name))}
    numbers = {match["number"] for match in matches.values()}
    in_place = _ILIAS_PARENT.fullmatch(parent) is not None
    if in_place and folders and all(_ILIAS_TEAM.fullmatch(name) for name in folders):
        return {name: Person(name, name, platform="ilias") for name in folders}
    if (
        not matches
        or len(matches) != len(folders)
        or len(numbers) != len(matches)
        or not (in_place or len(matches) > 1)
    ):
        return {}
    return {
        name: Person(
            student=f"{match['first']} {match['last']}",
            id=f"{match['login']}-{match['number']}",
            platform="ilias",
        )
        for name, match in matches.items()
    }


def _titled(files: Sequence[str]) -> dict[str, Person]:
    """Read `Ann Lee - work.ipynb` where several students have a notebook of the same title."""
    matches = {name: match for name in files if (match := _TITLED.fullmatch(name))}
    titles = Counter(_plain_title(m["rest"]) for m in matches.values() if m["rest"].lower().endswith(".ipynb"))
    shared = {title for title, count in titles.items() if count > 1}
    names = {m["name"] for m in matches.values() if _plain_title(m["rest"]) in shared}
    return {
        name: Person(match["name"], match["name"], match["rest"], platform="classroom")
        for name, match in matches.items()
        if match["name"] in names
    }


def _plain_title(rest: str) -> str:
    """Remove the number that a browser adds to a second file of the same name."""
    return re.sub(r" ?\(\d+\)(?=\.[^.]*$)", "", rest).casefold()


# --- Blackboard's texts, Canvas's suffixes --------------------------------------------------------------------

_LONGEST_LINE = 1000
"""Characters of a line of a text by Blackboard; only a student's own words have longer lines."""


def read_blackboard_note(text: str) -> BlackboardNote:
    """Read the text file that Blackboard adds to an attempt.

    Args:
        text: Its content; only the first `Name:` line counts, since students' own words follow.
    """
    text = text.replace("\r\n", "\n")
    name = next((line.removeprefix("Name:") for line in _lines(text) if line.startswith("Name:")), "")
    files = pairwise(_lines(text.rpartition("\nFiles:")[2]))
    originals = {
        stored: own
        for first, second in files
        if (own := _value(first, "Original filename:")) and (stored := _value(second, "Filename:"))
    }
    return BlackboardNote(*_name_and_login(name.strip()), originals)


def _lines(text: str) -> list[str]:
    """Return the lines, empty where they are too long. No pattern is used, since these are also words of students."""
    return [line if len(line) <= _LONGEST_LINE else "" for line in text.split("\n")]


def _value(line: str, label: str) -> str:
    """Return the text after a label; empty without the label."""
    own = line.strip()
    return own.removeprefix(label).strip() if own.startswith(label) else ""


def _name_and_login(text: str) -> tuple[str, str]:
    """Split `Jane (JD) Doe (user_123)` at the last brackets."""
    name, bracket, login = text.removesuffix(")").rpartition("(")
    if not text.endswith(")") or not bracket or ")" in login:
        return text, ""
    return name.strip(), login.strip()


def without_late_mark(name: str) -> str:
    """Remove what ILIAS writes in front of the name of a late file.

    Args:
        name: Such as `Late Submission - work.ipynb`.
    """
    match = _ILIAS_LATE.fullmatch(name)
    return match["rest"] if match else name


_VERSION = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,2})(?P<suffix>\.[^.]+(?:\.[^.]+)?)")


def canvas_version(name: str) -> tuple[str, int]:
    """Split the number off that Canvas adds to a file that was submitted again under the same name.

    Args:
        name: Such as `work-1.ipynb`.

    Returns:
        The name without it, and the number, which is 0 for the first.
    """
    match = _VERSION.fullmatch(name)
    return (match["stem"] + match["suffix"], int(match["number"])) if match else (name, 0)
