"""Downloads, rosters, rubrics and data sets that attack the command that reads them; nothing here is executed."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.corpus import notebook_of
from tests.hostile.course import Course
from tests.hostile.judging import STEERING
from tests.hostile.other_user import give_to
from tests.support.waiting import DEADLOCK_SECONDS

__all__ = ["COMMANDS", "Commanded", "Ended", "command_faults", "run_commands"]

Write = Callable[[Path, Course], Sequence[Sequence[str | Path]]]


@dataclass(frozen=True)
class Commanded:
    """A sample that is read by commands of the grader.

    Attributes:
        tries: What its author tries.
        write: Writes its files into a folder, and returns the words of each command.
        codes: Exit code of each command.
        says: Regular expressions that the output must match.
        hides: Texts that must be neither in the output nor in a file that a command wrote.
    """

    name: str
    tries: str
    write: Write
    codes: tuple[int, ...]
    says: tuple[str, ...]
    hides: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """The commands of a sample after they ended."""

    codes: tuple[int, ...]
    said: str
    folder: Path


COMMANDS: dict[str, Commanded] = {}


def _command(
    tries: str, *, codes: tuple[int, ...] = (0,), says: tuple[str, ...] = (), hides: tuple[str, ...] = ()
) -> Callable[[Write], Write]:
    """Declare a function that writes the files of a sample, which is named like the function."""

    def declare(write: Write) -> Write:
        name = write.__name__.replace("_", "-")
        COMMANDS[name] = Commanded(name, tries, write, codes, says, hides)
        return write

    return declare


def run_commands(sample: Commanded, folder: Path, course: Course, prefix: tuple[str, ...] = ()) -> Ended:
    """Write the files of a sample and run its commands.

    Args:
        sample: The sample.
        folder: An empty folder.
        course: Whose rubric, data and environment the commands use.
        prefix: Words before each command, to run it as another user.
    """
    codes, said = [], ""
    commands = sample.write(folder, course)
    give_to(folder, prefix)
    for words in commands:
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "grader", *map(str, words)],
            cwd=folder,
            env=course.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLOCK_SECONDS,
            check=False,
        )
        codes.append(done.returncode)
        said += done.stdout.decode(errors="surrogateescape")
    return Ended(tuple(codes), said, folder)


def command_faults(sample: Commanded, ended: Ended) -> list[str]:
    """List what is not as it must be."""
    faults = [] if ended.codes == sample.codes else [f"exit codes {ended.codes}, not {sample.codes}"]
    faults += [f"the output does not match {text!r}" for text in sample.says if not re.search(text, ended.said)]
    if steering := STEERING.search(ended.said):
        faults.append(f"the output has the character {steering.group()!r}")
    faults += [f"the output has {text!r}" for text in ("Traceback", "an error in the grader") if text in ended.said]
    for path in (*ended.folder.glob("*.csv"), *ended.folder.glob("out/*.csv")):
        content = path.read_text(encoding="utf-8-sig", errors="replace") if path.name != "roster.csv" else ""
        faults += [f"{path.name} has {text!r}" for text in sample.hides if text in content]
    return [*faults, *(f"the output is {ended.said[-1500:]!r}" for _ in faults[:1])]


def _code(text: str) -> bytes:
    return json.dumps(notebook_of(text)).encode()


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _bomb() -> str:
    """Nine levels of aliases, which stand for a billion words."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines)


@_command("Take another student's place by a folder with her name in the own zip.", says=(r"Ann Lee", r"Al Mallory"))
def impersonation_by_zip(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    forged = {
        "Ann Lee_4711_assignsubmission_file_/x.ipynb": _code("forged"),
        "Al Mallory_4700_assignsubmission_file_/y.ipynb": _code("1"),
    }
    one = _zip(folder / "Al Mallory_4700_assignsubmission_file_work.zip", forged)
    other = _zip(folder / "Ann Lee_4711_assignsubmission_file_.zip", {"work.ipynb": _code("2")})
    return [["submissions", one, other]]


@_command(
    "Take another student's place by the same name in other letters: composed, decomposed, large and small.",
    says=(r"is claimed by 4 submissions",),
)
def names_in_other_forms(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    for name in ("Zo\u00eb", "Zoe\u0308", "ZO\u00cb", "Zoe."):
        (folder / "class" / name).mkdir(parents=True)
        (folder / "class" / name / "x.ipynb").write_bytes(_code("1"))
    return [["submissions", folder / "class"]]


@_command(
    "Keep the whole class from being graded by times, numbers and names in the metadata that are none.",
    codes=(0,) * 5,
    says=(r"submission_1", r"submission_2"),
)
def strange_values_in_metadata(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    texts = (
        "submission_1:\n  :created_at: 2024-01-01 10:00:00 +99:99\n",
        f"submission_1:\n  :score: 1{'0' * 100_000}\n",
        "submission_1: &a\n  :submitters: *a\n",
        "submission_1:\n  :submitters:\n  - [1, 2]\n  - null\n  - :name: [x]\n    :sid: {a: b}\n",
        "? [1, {a: b}]\n: 1\nsubmission_1: !!binary '='\n",
    )
    commands: list[Sequence[str | Path]] = []
    for number, text in enumerate(texts):
        members = {
            "submission_metadata.yml": text.encode(),
            "submission_1/x.ipynb": _code("1"),
            "submission_2/x.ipynb": _code("1"),
        }
        commands.append(["submissions", _zip(folder / f"class-{number}.zip", members)])
    return commands


@_command("Keep the whole class from being graded by a date that does not exist.", says=(r"\ba\b", r"\bb\b"))
def date_in_metadata(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    members = {
        "submission_metadata.yml": b"submission_1: 2001-13-45\n",
        "a/x.ipynb": _code("1"),
        "b/x.ipynb": _code("2"),
    }
    return [["submissions", _zip(folder / "class.zip", members)]]


@_command("Keep the whole class from being graded by twenty thousand brackets.", says=(r"\ba\b", r"\bb\b"))
def brackets_in_metadata(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    members = {"submission_metadata.yml": b"[" * 20_000, "a/x.ipynb": _code("1"), "b/x.ipynb": _code("2")}
    return [["submissions", _zip(folder / "class.zip", members)]]


@_command("Fill the memory by aliases in the metadata of a class.", says=(r"\ba\b", r"\bb\b"))
def aliases_in_metadata(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    members = {"submission_metadata.yml": _bomb().encode(), "a/x.ipynb": _code("1"), "b/x.ipynb": _code("2")}
    return [["submissions", _zip(folder / "class.zip", members)]]


@_command("Execute a command by a tag of YAML in the metadata of a class.", says=(r"\ba\b", r"\bb\b"))
def python_in_metadata(folder: Path, course: Course) -> Sequence[Sequence[str | Path]]:
    text = f"submission_1: !!python/object/apply:os.system ['touch {course.traps['folder']}/mark-yaml']\n".encode()
    members = {"submission_metadata.yml": text, "a/x.ipynb": _code("1"), "b/x.ipynb": _code("2")}
    return [["submissions", _zip(folder / "class.zip", members)]]


@_command("Steer the terminal by names of students and files.", codes=(0,), hides=("\x1b]0;", "\u202e"))
def names_in_the_terminal(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    for name in ("\x1b]0;PWNED\x07ann", "\u202enna", "[red]bob[/red] [link=file:///etc]l[/link]", "c\nd"):
        (folder / "class" / name).mkdir(parents=True)
        (folder / "class" / name / "x.ipynb").write_bytes(_code("1"))
    return [["submissions", folder / "class"]]


@_command("Fill the memory by aliases in a rubric from a student's repository.", codes=(2,), says=(r"bomb\.yaml",))
def aliases_in_a_rubric(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    (folder / "bomb.yaml").write_text(f"version: 1\nid: x\n{_bomb()}\ncriteria: *i\n", encoding="utf-8")
    return [["rubric", "validate", folder / "bomb.yaml"]]


@_command("Overflow the stack by brackets in a rubric.", codes=(2,), says=(r"deep\.yaml",))
def brackets_in_a_rubric(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    (folder / "deep.yaml").write_text("version: 1\nid: x\ncriteria: " + "[" * 20_000, encoding="utf-8")
    return [["rubric", "validate", folder / "deep.yaml"]]


@_command("Execute a command by a tag of YAML in a rubric.", codes=(2,), says=(r"`id` must be a valid string",))
def python_in_a_rubric(folder: Path, course: Course) -> Sequence[Sequence[str | Path]]:
    tag = f"!!python/object/apply:os.system ['touch {course.traps['folder']}/mark-rubric']"
    (folder / "tag.yaml").write_text(f"version: 1\nid: {tag}\ncriteria: []\n", encoding="utf-8")
    return [["rubric", "validate", folder / "tag.yaml"]]


@_command("Add a receiver to all mail by a line end in an address.", codes=(2,), says=(r"roster\.csv",))
def lines_in_addresses(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    (folder / "class" / "ann").mkdir(parents=True)
    (folder / "class" / "ann" / "x.ipynb").write_bytes(b"not JSON")
    rows = 'id,name,email\nann,"Ann\r\nBcc: all@example.org","ann@example.org\r\nBcc: all@example.org"\n'
    (folder / "roster.csv").write_text(rows, encoding="utf-8")
    return [["submissions", folder / "class", "--roster", folder / "roster.csv"]]


@_command(
    "Crash the reader of the roster by null bytes, quotes without end and a field of megabytes.",
    codes=(2,),
    says=(r"roster\.csv",),
)
def bombs_in_a_roster(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    (folder / "class" / "ann").mkdir(parents=True)
    (folder / "class" / "ann" / "x.ipynb").write_bytes(b"not JSON")
    (folder / "roster.csv").write_bytes(b"id,name,email\n\0,\xff\xfe,x\n" + b'ann,"' + b"x" * 5_000_000)
    return [["submissions", folder / "class", "--roster", folder / "roster.csv"]]


@_command(
    "Have a spreadsheet calculate the name of a student, in every table that the grader writes.",
    codes=(0, 0, 0),
    hides=("\n=cmd", ",=cmd", '"=cmd', ",@SUM", "\n@SUM", "\n+1", ",+1"),
)
def formulas_in_names(folder: Path, course: Course) -> Sequence[Sequence[str | Path]]:
    for name in ("=cmd|' -C calc'!A0", "@SUM(1+1)", "+1-1", "-1+1"):
        (folder / "class" / name).mkdir(parents=True)
        (folder / "class" / name / "x.ipynb").write_bytes(b"not JSON")
    out = folder / "out"
    rows = "id,name,email\n1-1,=1+1,a@example.org\ncmd--C-calc-A0,\"=cmd|' -C calc'!A0\",b@example.org\n"
    (folder / "roster.csv").write_text(rows, encoding="utf-8")
    return [
        ["grade", folder / "class", "--rubric", course.rubric, "--out", out, "--isolation", "bubblewrap"],
        ["marks", "export", out, "--out", folder / "marks.csv"],
        ["mail", out, "--roster", folder / "roster.csv", "--rubric", course.rubric],
    ]


@_command("Have `data import` unpickle an object.", codes=(3,), says=(r"evil\.npz",))
def pickle_as_data_set(folder: Path, course: Course) -> Sequence[Sequence[str | Path]]:
    mark = f"cposix\nsystem\n(S'touch {course.traps['folder']}/mark-import'\ntR.".encode()
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    members = {f"{part}.npy": header + mark for part in ("x_train", "y_train", "x_test", "y_test")}
    return [["data", "import", "evil", _zip(folder / "evil.npz", members)]]


@_command("Fill the memory by a data set whose header promises terabytes.", codes=(3,), says=(r"huge\.npz",))
def terabytes_as_data_set(folder: Path, _: Course) -> Sequence[Sequence[str | Path]]:
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 28, 28), }".ljust(117) + b"\n"
    members = {f"{part}.npy": b"\x93NUMPY\x01\x00v\x00" + text for part in ("x_train", "y_train", "x_test", "y_test")}
    return [["data", "import", "huge", _zip(folder / "huge.npz", members)]]
