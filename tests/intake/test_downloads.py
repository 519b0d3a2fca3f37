"""Each student of a class comes out once, with the right name, files and attempt, in the layout of each platform."""

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.facts.language import english
from grader.intake.find import Findings, Found, Rejected, find_all, person_of
from grader.schema.errors import NotebookError, SubmissionPathError
from grader.schema.submission import Submission
from tests.support.says import says

NOBODYS = "{folder}: {names:list} belongs to no submission and was not graded"
CELL: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": (), "execution_count": None}


def source(code: str) -> str:
    cells = [{**CELL, "source": code}]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def make(root: Path, files: dict[str, str]) -> Path:
    """Write files; the text of a notebook is its code, a name that ends with a slash is an empty folder."""
    for name, text in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source(text) if name.endswith(".ipynb") else text, encoding="utf-8")
    return root


def zipped(target: Path, files: dict[str, str]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, source(text) if name.endswith(".ipynb") else text)
    return target


def found_in(tmp_path: Path, *paths: Path) -> Findings:
    return find_all(paths, unpack_to=tmp_path / "unpacked")


def by_student(findings: Findings) -> dict[str, Found]:
    students = {one.student: one for one in findings.found}
    assert len(students) == len(findings.found)
    return students


def code_of(one: Found) -> str:
    """Return the code of the notebook to execute."""
    assert isinstance(one, Submission)
    return str(json.loads(one.notebook.read_text(encoding="utf-8"))["cells"][0]["source"])


def in_folder(one: Found) -> dict[str, str]:
    """Return the files that the notebook may read, by their names."""
    assert isinstance(one, Submission)
    assert one.folder is not None
    files = [path for path in sorted(one.folder.rglob("*")) if path.is_file()]
    return {path.relative_to(one.folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


# --- Microsoft Teams ---------------------------------------------------------------------------------------------

TEAMS = {
    "Submitted files/Ann Lee/Homework 1/Version 1/hw1.ipynb": "ann 1",
    "Submitted files/Ann Lee/Homework 1/Version 2/hw1.ipynb": "ann 2",
    "Submitted files/Ann Lee/Homework 1/Version 10/hw1.ipynb": "ann 10",
    "Submitted files/Ann Lee/Homework 1/Version 10/helper.py": "V = 10",
    "Submitted files/Bob Ray/Homework 1/Version 1/hw1.ipynb": "bob",
    "Submitted files/Cy Dee/Homework 1/": "",
}


@pytest.mark.parametrize("form", ["download", "submitted", "zip"])
def test_the_latest_version_of_a_teams_download_is_graded_and_the_others_are_listed(tmp_path: Path, form: str) -> None:
    working = {"Working files/Ann Lee/Homework 1/draft.ipynb": "draft"} if form == "download" else {}
    root = make(tmp_path / "teams", TEAMS | working)
    if form == "submitted":
        root /= "Submitted files"
    elif form == "zip":
        root = zipped(tmp_path / "Submitted files.zip", {name: text for name, text in TEAMS.items() if text})
    findings = found_in(tmp_path, root)
    found = by_student(findings)
    assert sorted(found) == ["Ann Lee", "Bob Ray"] + ([] if form == "zip" else ["Cy Dee"])
    ann = found["Ann Lee"]
    assert code_of(ann) == "ann 10"
    assert in_folder(ann)["helper.py"] == "V = 10"
    assert ann.files == ("helper.py", "hw1.ipynb", "earlier/Version 1/hw1.ipynb", "earlier/Version 2/hw1.ipynb")
    (note,) = ann.notes
    assert english(note) == "Version 10 counts; 2 other versions do not: Version 1, Version 2"
    assert (code_of(found["Bob Ray"]), found["Bob Ray"].files, found["Bob Ray"].notes) == ("bob", ("hw1.ipynb",), ())
    assert {one.id for one in findings.found} >= {"Ann-Lee", "Bob-Ray"}
    if form != "zip":
        assert isinstance(found["Cy Dee"], Rejected)
    named = [english(notice) for notice in findings.notices]
    assert named == (
        ["teams: Working files/ belongs to no submission and was not graded"] if form == "download" else []
    )


def test_a_latest_version_without_a_notebook_does_not_replace_an_earlier_one(tmp_path: Path) -> None:
    root = make(
        tmp_path / "Submitted files",
        {
            "Ann Lee/Homework 1/Version 1/hw1.ipynb": "ann 1",
            "Ann Lee/Homework 1/Version 2/report.pdf": "pdf",
            "Bob Ray/Homework 1/Version 1/hw1.ipynb": "bob",
        },
    )
    ann = by_student(found_in(tmp_path, root))["Ann Lee"]
    assert code_of(ann) == "ann 1"
    assert in_folder(ann).keys() == {"hw1.ipynb", "report.pdf"}


def test_each_assignment_of_a_teams_download_is_a_submission(tmp_path: Path) -> None:
    root = make(
        tmp_path / "Submitted files",
        {
            "Ann Lee/Homework 1/Version 1/hw.ipynb": "1",
            "Ann Lee/Homework 2/Version 1/hw.ipynb": "2 old",
            "Ann Lee/Homework 2/Version 2/hw.ipynb": "2",
            "Bob Ray/Homework 2/Version 1/hw.ipynb": "bob",
        },
    )
    found = {one.id: code_of(one) for one in found_in(tmp_path, root).found}
    assert found == {"Ann-Lee-Homework-1": "1", "Ann-Lee-Homework-2": "2", "Bob-Ray-Homework-2": "bob"}


def test_one_students_folder_of_a_teams_assignment_is_one_submission(tmp_path: Path) -> None:
    root = make(tmp_path / "Homework 1", {"Version 1/hw.ipynb": "old", "Version 2/hw.ipynb": "new"})
    (one,) = found_in(tmp_path, root).found
    assert (one.id, code_of(one)) == ("Homework-1", "new")


def test_a_class_in_which_one_student_has_folders_of_versions_is_no_teams_download(tmp_path: Path) -> None:
    files = {f"{name}/hw.ipynb": name for name in ("ann", "bob", "cy")}
    root = make(tmp_path / "class", files | {"dee/Version 1/hw.ipynb": "dee"})
    found = by_student(found_in(tmp_path, root))
    assert {name: code_of(one) for name, one in found.items()} == {n: n for n in ("ann", "bob", "cy", "dee")}


# --- one platform each -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "files", "notebooks"])
def test_files_of_a_flat_canvas_download_belong_to_the_student_with_their_prefix(tmp_path: Path, form: str) -> None:
    root = make(
        tmp_path / "canvas",
        {
            "leeann_12347_67894_hw1.ipynb": "ann",
            "raybob_LATE_12346_67891_hw1.ipynb": "bob",
            "raybob_LATE_12346_67892_helper.py": "V = 1",
            "raybob_LATE_12346_67893_data.csv": "1,2",
        },
    )
    pattern = {"files": "*", "notebooks": "*.ipynb"}.get(form)
    found = by_student(found_in(tmp_path, *(sorted(root.glob(pattern)) if pattern else [root])))
    assert sorted(found) == ["leeann", "raybob"]
    assert found["leeann"].files == ("hw1.ipynb",)
    assert form == "folder" or in_folder(found["leeann"]).keys() == {"hw1.ipynb"}
    assert found["raybob"].files == ("data.csv", "helper.py", "hw1.ipynb")
    files = in_folder(found["raybob"])
    assert (files["helper.py"], files["data.csv"]) == ("V = 1", "1,2")
    assert code_of(found["raybob"]) == "bob"


@pytest.mark.parametrize(
    ("files", "own", "code"),
    [
        ({"hw1-1.ipynb": "new", "helper-2.py": ""}, ("helper.py", "hw1.ipynb"), "new"),
        ({"hw1.ipynb": "old", "hw1-1.ipynb": "new"}, ("hw1.ipynb", "earlier/raybob_12346_1000_hw1.ipynb"), "new"),
        ({"hw.ipynb": "open('d-1.csv')", "d-1.csv": ""}, ("d-1.csv", "hw.ipynb"), "open('d-1.csv')"),
        ({"hw.ipynb": "x", "d-1.csv": "", "d-2.csv": ""}, ("d-1.csv", "d-2.csv", "hw.ipynb"), "x"),
    ],
)
def test_the_number_that_canvas_adds_is_removed_unless_it_is_the_student_s_own(
    tmp_path: Path, files: dict[str, str], own: tuple[str, ...], code: str
) -> None:
    named = {f"raybob_12346_{1000 + i}_{name}": text for i, (name, text) in enumerate(files.items())}
    root = make(tmp_path / "c", named)
    (found,) = found_in(tmp_path, root).found
    assert found.files == own
    assert code_of(found) == code


def test_a_number_in_the_name_of_everybody_s_notebook_is_not_canvas_s(tmp_path: Path) -> None:
    root = make(tmp_path / "c", {f"{name}_1234{i}_9000{i}_lab-1.ipynb": "x" for i, name in enumerate(("ann", "bob"))})
    assert {one.files for one in found_in(tmp_path, root).found} == {("lab-1.ipynb",)}


@pytest.mark.parametrize("flat", [False, True])
def test_a_moodle_student_with_an_online_text_appears_once(tmp_path: Path, *, flat: bool) -> None:
    joint = "_" if flat else "/"
    root = make(
        tmp_path / "moodle",
        {
            f"Jane Doe_11_assignsubmission_file{joint}hw1.ipynb": "jane",
            f"Jane Doe_11_assignsubmission_onlinetext{joint}onlinetext.html": "<p>Hello",
            f"Bob Ray_12_assignsubmission_file{joint}hw1.ipynb": "bob",
            f"Cy Noe_13_assignsubmission_onlinetext{joint}onlinetext.html": "<p>Sorry",
        },
    )
    found = by_student(found_in(tmp_path, root))
    assert sorted(found) == ["Bob Ray", "Cy Noe", "Jane Doe"]
    assert found["Jane Doe"].files == ("hw1.ipynb", "onlinetext.html")
    assert in_folder(found["Jane Doe"])["onlinetext.html"] == "<p>Hello"
    only_text = found["Cy Noe"]
    assert isinstance(only_text, Rejected)
    assert isinstance(only_text.error, NotebookError)
    assert only_text.files == ("onlinetext.html",)
    assert says(only_text.error.says, "no notebook was submitted, only {files:list}", files=["onlinetext.html"])
    each = by_student(found_in(tmp_path, *sorted(root.iterdir())))
    assert {name: (one.id, one.files) for name, one in each.items()} == {n: (o.id, o.files) for n, o in found.items()}


BLACKBOARD = {
    "hw1_user123_attempt_2026-11-01-10-00-00_hw1.ipynb": "old",
    "hw1_user123_attempt_2026-11-01-10-00-00_data.csv": "old",
    "hw1_user123_attempt_2026-11-01-10-00-00.txt": "Name: Jane Doe (user123)\n",
    "hw1_user123_attempt_2026-11-02-09-00-00_hw1.ipynb": "new",
    "hw1_user123_attempt_2026-11-02-09-00-00_help.py": "V = 1",
    "hw1_user123_attempt_2026-11-02-09-00-00.txt": "Name: Jane Doe (user123)\nFiles:\n\tOriginal filename: helper.py\n"
    "\tFilename: hw1_user123_attempt_2026-11-02-09-00-00_help.py\n",
    "hw1_user9_attempt_2026-11-02-09-00-00.txt": "Name: Bob Ray (user9)\nSubmission Field:\nI did it\n",
}


def test_the_attempts_of_a_blackboard_student_are_one_submission(tmp_path: Path) -> None:
    findings = found_in(tmp_path, make(tmp_path / "gradebook", BLACKBOARD))
    found = by_student(findings)
    assert sorted(found) == ["Bob Ray", "Jane Doe"]
    jane = found["Jane Doe"]
    assert code_of(jane) == "new"
    assert in_folder(jane).keys() == {"helper.py", "hw1.ipynb", "submission.txt"}
    assert set(jane.files) > {"earlier/2026-11-01-10-00-00/hw1.ipynb", "earlier/2026-11-01-10-00-00/data.csv"}
    assert says(
        jane.notes[0],
        "the attempt of {time} counts; {count:number} other attempt does not: {others:list}",
        time="2026-11-02-09-00-00",
        count=1,
        others=["2026-11-01-10-00-00"],
    )
    assert isinstance(found["Bob Ray"], Rejected)


def test_a_file_of_the_student_keeps_its_name_next_to_a_text_of_the_platform(tmp_path: Path) -> None:
    head = "hw1_user123_attempt_2026-11-01-10-00-00"
    files = {f"{head}_hw1.ipynb": "x", f"{head}_submission.txt": "mine", f"{head}.txt": "Name: Jane Doe (user123)\n"}
    (found,) = found_in(tmp_path, make(tmp_path / "gradebook", files)).found
    own = in_folder(found)
    assert (own["submission.txt"], own["text/submission.txt"]) == ("mine", files[f"{head}.txt"])
    assert not found.notes


def test_an_attempt_without_a_notebook_does_not_hide_an_earlier_one(tmp_path: Path) -> None:
    files = {
        "hw1_user123_attempt_2026-11-01-10-00-00_hw1.ipynb": "work",
        "hw1_user123_attempt_2026-11-02-10-00-00_data.csv": "1,2",
    }
    (found,) = found_in(tmp_path, make(tmp_path / "gradebook", files)).found
    assert code_of(found) == "work"
    assert in_folder(found)["data.csv"] == "1,2"


def test_the_attempts_of_a_brightspace_student_are_one_submission(tmp_path: Path) -> None:
    root = make(
        tmp_path / "d2l",
        {
            "12345-67890 - Jane Doe - Nov 1, 2026 1000 AM/hw1.ipynb": "old",
            "12345-67890 - Jane Doe - Nov 1, 2026 100 PM/hw1.ipynb": "new",
            "12345-67890 - Jane Doe - Nov 1, 2026 100 PM/data.csv": "1",
            "12345-67890 - Jane Doe - Oct 31, 2026 1100 PM/hw1.ipynb": "oldest",
            "12346-67890 - Bob Ray - Nov 1, 2026 900 AM/hw1.ipynb": "bob",
            "index.html": "<html>",
        },
    )
    findings = found_in(tmp_path, root)
    found = by_student(findings)
    assert sorted(found) == ["Bob Ray", "Jane Doe"]
    assert code_of(found["Jane Doe"]) == "new"
    assert in_folder(found["Jane Doe"]).keys() == {"data.csv", "hw1.ipynb"}
    assert {"earlier/Nov 1, 2026 1000 AM/hw1.ipynb", "earlier/Oct 31, 2026 1100 PM/hw1.ipynb"} < set(
        found["Jane Doe"].files
    )
    assert not findings.notices


def test_a_sakai_download_has_a_folder_for_each_student(tmp_path: Path) -> None:
    root = make(
        tmp_path / "sakai" / "Homework 1",
        {
            "grades.csv": "Homework 1",
            "Ray, Bob(bray)/Submission attachment(s)/hw1.ipynb": "bob",
            "Ray, Bob(bray)/Submission attachment(s)/helper.py": "V = 1",
            "Ray, Bob(bray)/Feedback Attachment(s)/hw1_marked_and_much_longer.ipynb": "marked " * 50,
            "Ray, Bob(bray)/timestamp.txt": "20261101",
            "Doe, Jane(jdoe)/Submission attachment(s)/": "",
        },
    )
    findings = found_in(tmp_path, root.parent)
    found = by_student(findings)
    assert sorted(found) == ["Bob Ray", "Jane Doe"]
    assert code_of(found["Bob Ray"]) == "bob"
    assert isinstance(found["Jane Doe"], Rejected)
    assert not findings.notices


def test_ilias_gradescope_classroom_and_nbgrader_s_exchange_are_read(tmp_path: Path) -> None:
    ilias = make(tmp_path / "a" / "Abgaben", {"Doe_Jane_jdoe_77/hw.ipynb": "x", "Ray_Bob_bray_78/hw.ipynb": "x"})
    assert sorted(by_student(found_in(tmp_path, ilias.parent))) == ["Bob Ray", "Jane Doe"]
    names = "submission_1:\n  :submitters:\n  - :name: Ann Lee\n  :created_at: 2026-02-30 10:00:00\n"
    export = make(tmp_path / "export", {"submission_1/hw.ipynb": "x", "submission_metadata.yml": names})
    assert sorted(by_student(found_in(tmp_path, export))) == ["Ann Lee"]
    drive = make(tmp_path / "drive", {"Jane Doe - hw.ipynb": "x", "Bob Ray - hw.ipynb": "x", "Bob Ray - d.csv": "1"})
    found = by_student(found_in(tmp_path, drive))
    assert {name: one.files for name, one in found.items()} == {
        "Jane Doe": ("hw.ipynb",),
        "Bob Ray": ("d.csv", "hw.ipynb"),
    }
    times = ("2026-11-01 10:00:00.0 UTC", "2026-11-02 09:00:00.0 UTC")
    inbound = make(tmp_path / "inbound", {f"alee+ps1+{t}/hw.ipynb": t for t in times})
    assert code_of(by_student(found_in(tmp_path, inbound))["alee"]) == times[1]


def test_metadata_that_is_nested_too_deeply_costs_only_the_names(tmp_path: Path) -> None:
    files = {"submission_1/hw.ipynb": "x", "submission_2/hw.ipynb": "x", "submission_metadata.yml": "[" * 20_000}
    assert len(found_in(tmp_path, make(tmp_path / "export", files)).found) == 2


def test_folders_zips_and_platforms_may_be_mixed(tmp_path: Path) -> None:
    root = make(tmp_path / "all", {"Ray, Bob(bray)/Submission attachment(s)/hw.ipynb": "bob", "notes.txt": "x"})
    zipped(root / "alice.zip", {"hw1/hw1.ipynb": "alice", "hw1/helper.py": "", "__MACOSX/hw1/._hw1.ipynb": ""})
    zipped(root / "Jane Doe_12_assignsubmission_file" / "work.zip", {"hw1/hw1.ipynb": "jane"})
    findings = found_in(tmp_path, root)
    assert sorted(by_student(findings)) == ["Bob Ray", "Jane Doe", "alice"]
    assert says(findings.notices[0], NOBODYS, folder="all", count=1, names=["notes.txt"])


# --- every class in every layout -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Student:
    first: str
    last: str
    login: str
    number: int
    attempts: int
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


WORD = st.text("abcdefghijklmnopqrstuvwxyzäöüßéčł", min_size=2, max_size=7).map(str.capitalize)
STUDENT = st.builds(
    Student,
    first=WORD,
    last=WORD,
    login=st.from_regex(r"[a-z]{2}[0-9]{3}[a-z]", fullmatch=True),
    number=st.integers(100, 99_999),
    attempts=st.integers(1, 3),
    files=st.sets(st.sampled_from(["helper.py", "data.csv", "my notes.txt", "pic_1.png"])).map(sorted).map(tuple),
)
CLASS = st.lists(
    STUDENT, min_size=2, max_size=4, unique_by=(lambda s: s.login, lambda s: s.number, lambda s: s.name.casefold())
)
START = datetime(2026, 10, 31, 22, 30)  # noqa: DTZ001 - as platforms write it


def contents(student: Student, attempt: int) -> dict[str, str]:
    return {"hw1.ipynb": f"{student.login} {attempt}", **dict.fromkeys(student.files, f"{student.login} {attempt}")}


def moodle(student: Student) -> Iterator[tuple[str, str]]:
    for name, text in contents(student, 1).items():
        yield f"{student.name}_{student.number}_assignsubmission_file/{name}", text
    yield f"{student.name}_{student.number}_assignsubmission_onlinetext/onlinetext.html", "hello"


def flat_moodle(student: Student) -> Iterator[tuple[str, str]]:
    yield from ((path.replace("/", "_", 1), text) for path, text in moodle(student))


def canvas(student: Student) -> Iterator[tuple[str, str]]:
    late = "_LATE" if student.number % 2 else ""
    for position, (name, text) in enumerate(contents(student, 1).items()):
        yield f"{student.last}{student.first}{late}_{student.number}_{77_000 + position}_{name}".lower(), text


def blackboard(student: Student) -> Iterator[tuple[str, str]]:
    for attempt in range(1, student.attempts + 1):
        head = f"Homework_1_{student.login}_attempt_{START + timedelta(hours=9 * attempt):%Y-%m-%d-%H-%M-%S}"
        yield f"{head}.txt", f"Name: {student.name} ({student.login})\nAssignment: Homework_1\n"
        for name, text in contents(student, attempt).items():
            yield f"{head}_{name}", text


def brightspace(student: Student) -> Iterator[tuple[str, str]]:
    for attempt in range(1, student.attempts + 1):
        time = START + timedelta(hours=9 * attempt)
        stamp = f"{time:%b} {time.day}, {time:%Y} {time.hour % 12 or 12}{time:%M %p}"
        for name, text in contents(student, attempt).items():
            yield f"{student.number}-555 - {student.name} - {stamp}/{name}", text


def sakai(student: Student) -> Iterator[tuple[str, str]]:
    folder = f"{student.last}, {student.first}({student.login})"
    for name, text in contents(student, 1).items():
        yield f"{folder}/Submission attachment(s)/{name}", text
    yield f"{folder}/timestamp.txt", "20261101100000"


def ilias(student: Student) -> Iterator[tuple[str, str]]:
    for name, text in contents(student, 1).items():
        yield f"{student.last}_{student.first}_{student.login}_{student.number}/{name}", text


def classroom(student: Student) -> Iterator[tuple[str, str]]:
    for name, text in contents(student, 1).items():
        yield f"{student.name} - {name}", text


def plain(student: Student) -> Iterator[tuple[str, str]]:
    for name, text in contents(student, 1).items():
        yield f"{student.name}/{name}", text


def with_parts(student: Student) -> Iterator[tuple[str, str]]:
    for name, text in contents(student, 1).items():
        yield f"{student.name}/{'notebooks' if name.endswith('.ipynb') else 'data'}/{name}", text


Layout = Callable[[Student], Iterator[tuple[str, str]]]
LAYOUTS: Sequence[Layout] = (
    moodle,
    flat_moodle,
    canvas,
    blackboard,
    brightspace,
    sakai,
    ilias,
    classroom,
    plain,
    with_parts,
)


@contextmanager
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
@settings(max_examples=12)
@given(data=st.data())
def test_each_student_comes_out_once_with_name_files_and_attempt(
    data: st.DataObject, layout: Layout, *, packed: bool
) -> None:
    students = data.draw(CLASS)
    files = {name: text for student in students for name, text in layout(student)}
    with room() as folder:
        place = zipped(folder / "all.zip", files) if packed else make(folder / "all", files)
        findings = found_in(folder, place)
        found = {one.student: one for one in findings.found}
        assert len(findings.found) == len(students)
        for student in students:
            one = found[f"{student.last}{student.first}".lower() if layout is canvas else student.name]
            last = student.attempts if layout in {blackboard, brightspace} else 1
            assert code_of(one) == f"{student.login} {last}"
            earlier = [name for name in one.files if name.startswith("earlier/")]
            assert {Path(name).name for name in one.files if name not in earlier} >= contents(student, 1).keys()
            assert len({name.split("/")[1] for name in earlier}) == last - 1
            if student.files:
                own = {Path(name).name: text for name, text in in_folder(one).items()}
                assert all(own[name] == f"{student.login} {last}" for name in student.files)


# --- folders without a platform's names --------------------------------------------------------------------------


def test_a_student_s_notebooks_data_and_src_are_one_submission(tmp_path: Path) -> None:
    files = {"notebooks/hw.ipynb": "x", "data/train.npz": "1", "src/net.py": "", "README.md": "x"}
    root = make(tmp_path / "ann", files)
    clone = {f"hw-main/{name}": text for name, text in files.items()}
    for place in (root, zipped(tmp_path / "ann.zip", files), zipped(tmp_path / "main" / "ann.zip", clone)):
        findings = found_in(tmp_path, place)
        (one,) = findings.found
        assert isinstance(one, Submission)
        assert one.student == "ann"
        assert one.folder is not None
        assert one.notebook.relative_to(one.folder.resolve()).as_posix().endswith("notebooks/hw.ipynb")
        assert {name.removeprefix("hw-main/") for name in one.files} == files.keys()
        assert (one.notes, findings.notices) == ((), ())


def test_files_next_to_the_only_folder_belong_to_its_notebook_if_it_uses_them(tmp_path: Path) -> None:
    files = {"project x/hw.ipynb": "import net\nopen('../d.csv')", "d.csv": "1", "net.py": ""}
    (one,) = found_in(tmp_path, make(tmp_path / "ann", files)).found
    assert (one.student, set(one.files)) == ("ann", set(files))
    findings = found_in(tmp_path, make(tmp_path / "class", {"ann/hw.ipynb": "x", "roster.csv": "1"}))
    assert [one.student for one in findings.found] == ["ann"]
    assert says(findings.notices[0], NOBODYS, folder="class", count=1, names=["roster.csv"])


def test_parts_in_a_folder_named_submitted_are_no_assignments(tmp_path: Path) -> None:
    files = {"ann/notebooks/hw.ipynb": "x", "ann/data/d.csv": "1", "bob/ps1/hw.ipynb": "x", "cem/hw.ipynb": "x"}
    files |= {"dan.ipynb": "x"}
    findings = found_in(tmp_path, make(tmp_path / "submitted", files))
    assert sorted(by_student(findings)) == ["ann", "bob", "cem"]
    assert says(findings.notices[0], NOBODYS, folder="submitted", count=1, names=["dan.ipynb"])


def test_both_readings_of_folders_are_reported(tmp_path: Path) -> None:
    root = make(tmp_path / "ann", {"work of mine/hw.ipynb": "x", "letters/a.csv": "1"})
    (one,) = found_in(tmp_path, root).found
    assert says(
        one.notes[0],
        "the folders {folders:list} were read as parts of one submission; if they belong to different students, name "
        "each folder in the command",
        folders=["letters", "work of mine"],
    )
    root = make(tmp_path / "class", {"Ann Lee/hw.ipynb": "x", "Bob Ray/report.pdf": "1"})
    findings = found_in(tmp_path, root)
    assert sorted(by_student(findings)) == ["Ann Lee", "Bob Ray"]
    assert says(
        findings.notices[0],
        "{folder}: each of these folders was read as one student's work: {names:list}",
        folder="class",
        names=["Ann Lee", "Bob Ray"],
    )


def test_course_folders_among_students_are_named_and_are_no_students(tmp_path: Path) -> None:
    files = {"ann/notebooks/hw.ipynb": "x", "ann/data/d.csv": "1", "bob/hw.ipynb": "x", "data/d.csv": "1"}
    files |= {"notebooks/start.ipynb": "x", "src/a.py": "", "README.md": "x"}
    findings = found_in(tmp_path, make(tmp_path / "course", files))
    assert sorted(by_student(findings)) == ["ann", "bob"]
    assert says(
        findings.notices[0],
        NOBODYS,
        folder="course",
        count=4,
        names=["README.md", "data/", "notebooks/", "src/"],
    )


def test_folders_with_the_same_notebook_are_students_and_folders_of_copies_are_not(tmp_path: Path) -> None:
    root = make(tmp_path / "class", {"demo/hw.ipynb": "x", "max/hw.ipynb": "y", "src/hw.ipynb": "z"})
    assert sorted(by_student(found_in(tmp_path, root))) == ["demo", "max", "src"]
    root = make(tmp_path / "ann", {"work/hw.ipynb": "mine", "startercode/hw.ipynb": "start " * 9, "old/hw.ipynb": "x"})
    (one,) = found_in(tmp_path, root).found
    assert code_of(one) == "mine"


def test_clones_of_repositories_are_students_even_without_a_notebook(tmp_path: Path) -> None:
    files = {"hw1-ann/.git/HEAD": "x", "hw1-ann/notebooks/hw.ipynb": "x", "hw1-ann/data/d.csv": "1"}
    files |= {"hw1-bob/.git/HEAD": "x", "hw1-bob/README.md": "x"}
    found = by_student(found_in(tmp_path, make(tmp_path / "clones", files)))
    assert {name: one.id for name, one in found.items()} == {"ann": "hw1-ann", "bob": "hw1-bob"}
    assert found["ann"].files == ("data/d.csv", "notebooks/hw.ipynb")
    assert isinstance(found["bob"], Rejected)


def test_installed_packages_are_not_a_student_s_work(tmp_path: Path) -> None:
    files = {"hw.ipynb": "x", "venv/pyvenv.cfg": "", "venv/lib/site-packages/demo/demo.ipynb": "long " * 50}
    (one,) = found_in(tmp_path, make(tmp_path / "ann", files)).found
    assert (code_of(one), one.files) == ("x", ("hw.ipynb",))


def test_the_notebook_with_the_name_that_most_students_use_is_graded(tmp_path: Path) -> None:
    files = {"ann/hw1.ipynb": "short", "ann/scratch.ipynb": "long " * 50, "bob/hw1.ipynb": "x", "cem/hw1.ipynb": "x"}
    found = by_student(found_in(tmp_path, make(tmp_path / "class", files)))
    assert code_of(found["ann"]) == "short"
    assert says(
        found["ann"].notes[0],
        "{chosen} counts; the submission also has {others:list}",
        chosen="hw1.ipynb",
        others=["scratch.ipynb"],
    )


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"hw.ipynb": "x", "hw-Copy1.ipynb": "copy " * 9, "Untitled.ipynb": "y " * 9}, "x"),
        ({"01_explore.ipynb": "x", "02_train.ipynb": "train it", "data/d.csv": "1", "utils.py": ""}, "train it"),
        ({"hw.ipynb": "x", "old/hw2.ipynb": "old " * 9, "data/d.csv": "1"}, "x"),
    ],
)
def test_several_notebooks_of_one_student_are_one_submission(tmp_path: Path, files: dict[str, str], code: str) -> None:
    (one,) = found_in(tmp_path, make(tmp_path / "ann", files)).found
    assert (one.student, code_of(one)) == ("ann", code)
    assert one.notes


@pytest.mark.parametrize("names", [("ann", "bob"), ("hw1", "hw1 (1)", "hw1 (2)"), ("hw1", "hw2")])
def test_loose_notebooks_are_students(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = make(tmp_path / "class", {**{f"{name}.ipynb": "x" for name in names}, "data/d.csv": "1"})
    assert len(found_in(tmp_path, root).found) == len(names)


def test_what_belongs_to_nobody_is_named(tmp_path: Path) -> None:
    root = make(tmp_path / "class", {"ann.ipynb": "x", "bob.ipynb": "x", "cem.rar": "x", "shared.csv": "1"})
    (root / "dan").symlink_to(tmp_path)
    zipped(root / "data.zip", {"d.csv": "1"})
    findings = found_in(tmp_path, root)
    assert sorted(by_student(findings)) == ["ann", "bob", "cem"]
    assert says(
        findings.notices[0],
        NOBODYS,
        folder="class",
        count=3,
        names=["data.zip", "shared.csv", "dan"],
    )


# --- zips ------------------------------------------------------------------------------------------------------


def test_one_of_several_zips_is_one_student_s(tmp_path: Path) -> None:
    mallory = zipped(tmp_path / "mallory.zip", {"ann/hw.ipynb": "forged", "mallory/hw.ipynb": "x"})
    ann = zipped(tmp_path / "ann.zip", {"hw.ipynb": "ann"})
    found = by_student(found_in(tmp_path, mallory, ann))
    assert sorted(found) == ["ann", "mallory"]
    assert code_of(found["ann"]) == "ann"
    assert found["mallory"].notes


MOODLE = {f"{name}_1{i}_assignsubmission_file/hw.ipynb": name for i, name in enumerate(("Ann Lee", "Bob Ray"))}


@pytest.mark.parametrize("top", ["", "CS101-Homework 1-99/"])
def test_a_folder_with_only_the_zip_of_a_download_is_that_class(tmp_path: Path, top: str) -> None:
    zipped(tmp_path / "class" / "hw.zip", {top + name: text for name, text in MOODLE.items()})
    assert sorted(by_student(found_in(tmp_path, tmp_path / "class"))) == ["Ann Lee", "Bob Ray"]


def test_a_zip_next_to_another_path_is_a_student_s_even_if_it_looks_like_the_download_of_a_class(
    tmp_path: Path,
) -> None:
    sections = [zipped(tmp_path / f"section{i}.zip", {**MOODLE, "x.txt": str(i)}) for i in (1, 2)]
    assert len(found_in(tmp_path, sections[0]).found) == 2
    for others in ([sections[1]], [zipped(tmp_path / "ann.zip", {"hw.ipynb": "x"})]):
        findings = found_in(tmp_path, sections[0], *others)
        assert [one.student for one in findings.found] == ["section1", others[0].stem]
        assert says(
            findings.notices[0],
            "{name} looks like the download of a class, but was read as one student's zip; grade it alone",
            name="section1.zip",
        )


def test_links_of_a_student_are_named(tmp_path: Path) -> None:
    root = make(tmp_path / "ann", {"hw.ipynb": "x", "data/d.csv": "1"})
    (root / "data" / "more").symlink_to(tmp_path)
    (one,) = found_in(tmp_path, root).found
    assert says(one.notes[0], "links were not followed: {names:list}", names=["more"])


def test_a_zip_inside_a_student_s_zip_is_unpacked_and_files_next_to_it_are_kept(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"hw1.ipynb": "x", "helper.py": "V = 1"})
    root = tmp_path / "class"
    root.mkdir()
    with zipfile.ZipFile(root / "ann.zip", "w") as archive:
        archive.write(inner, "submission/inner.zip")
        archive.writestr("submission/data.csv", "1,2")
    make(root, {"bob/hw.ipynb": "bob"})
    found = by_student(found_in(tmp_path, root))
    assert {Path(name).name for name in in_folder(found["ann"])} == {"hw1.ipynb", "helper.py", "data.csv"}


@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("open('data/d.csv')", True),
        ("from net import make", True),
        ("import zipfile; zipfile.ZipFile('data.zip').extractall(); open('data/d.csv')", False),
        ("print(1)", False),
    ],
)
def test_files_in_a_zip_next_to_a_notebook_are_put_next_to_it_if_it_uses_them(
    tmp_path: Path, code: str, *, used: bool
) -> None:
    root = make(tmp_path / "canvas", {"raybob_12346_67891_hw1.ipynb": code})
    zipped(root / "raybob_12346_67892_data.zip", {"data/d.csv": "1", "net.py": "", "hw1.ipynb": "other"})
    (found,) = found_in(tmp_path, root).found
    assert code_of(found) == code
    packed = {"data/d.csv", "net.py"} if used else set()
    assert set(found.files) == {"hw1.ipynb", "data.zip", *packed}
    assert len(found.notes) == used


def test_ids_do_not_depend_on_the_folder_for_unpacked_zips(tmp_path: Path) -> None:
    paths = [zipped(tmp_path / folder / "hw.zip", {"hw.ipynb": folder}) for folder in ("ann", "bob")]
    ids = [[one.id for one in find_all(paths, unpack_to=tmp_path / run).found] for run in ("first", "second")]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


# --- nothing is lost --------------------------------------------------------------------------------------------

PART = st.sampled_from(
    ["ann", "bob", "Ann Lee", "data", "notebooks", "src", "hw1", "hw2", "old", "s123", "s456", "letters", "submitted"]
)
FILE = st.sampled_from(
    [
        *("hw.ipynb", "hw1.ipynb", "hw-Copy1.ipynb", "Untitled.ipynb", "ann.ipynb", "scratch.ipynb", "x.csv", "net.py"),
        *("leeann_4711_90001_hw.ipynb", "leeann_4711_90002_hw-1.ipynb", "leeann_4711_90003_net.py"),
        *("Ann Lee_11_assignsubmission_file_hw.ipynb", "Ann Lee - hw.ipynb", "Bob Ray - hw.ipynb", "report.pdf"),
        *("hw_ann_attempt_2026-11-01-10-00-00_hw.ipynb", "hw_ann_attempt_2026-11-02-10-00-00_hw.ipynb"),
    ]
)
TREE = st.lists(st.builds(lambda parts, name: "/".join([*parts, name]), st.lists(PART, max_size=3), FILE), min_size=1)


@settings(max_examples=150)
@given(TREE)
def test_every_notebook_is_graded_or_named(names: list[str]) -> None:
    files = {name: name for name in names}
    with room() as folder:
        try:
            findings = found_in(folder, make(folder / "class", files))
        except SubmissionPathError:
            assert not any(name.endswith(".ipynb") for name in names)
            return
        codes = [code_of(one) for one in findings.found if isinstance(one, Submission)]
        assert len(codes) == len(set(codes))
        listed = {Path(name).name for one in findings.found for name in one.files}
        notices = " ".join(map(english, findings.notices))
        for name in names:
            *folders, last = name.split("/")
            own = person_of(last)
            rest = own.rest if own else last.partition(" - ")[2]
            named = {last, rest, rest.replace("-1", "")} - {""}
            noticed = "…" in notices or any(part in notices for part in (*folders, last))
            assert name in codes or listed & named or noticed
