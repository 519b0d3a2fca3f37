"""Small classes in the layouts of learning platforms, with their own naming: one table for all of them.

`docs/downloads.md` says in which source the naming of each platform was verified.
"""

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["LAYOUTS", "Encoding", "Layout", "Work", "notebook", "packed", "written"]

Encoding = Literal["flag", "utf-8", "cp437", "extra"]
"""How a zip stores names: in UTF-8 with the flag for it; the bytes of UTF-8 or of cp437 without it, as Info-ZIP and old
programs of Windows do; or damaged, with the name in the extra field 0x7075."""


@dataclass(frozen=True)
class Work:
    """The expected result for one student."""

    code: str
    """The code of the notebook that is graded; empty if there is none."""
    files: tuple[str, ...]
    """The files that the notebook can read, under the student's own names."""
    others: tuple[str, ...] = ()
    """The other attempts."""
    kept: tuple[str, ...] = ()
    """The files of other attempts."""
    submitted: str = ""
    """The time of submission in UTC; empty if it is unknown."""
    source: str = ""
    late: bool = False


@dataclass(frozen=True)
class Layout:
    """A class, as a platform packs it."""

    platform: str
    """The name of the platform that is recognized; empty for plain folders."""
    files: Mapping[str, str]
    """Path → content; the content of a notebook is its code."""
    works: Mapping[str, Work]
    """Student → what must come out."""
    skipped: tuple[str, ...] = ()
    """The paths that belong to no submission."""
    top: str = "class"
    """Name of the folder, which some platforms fix."""
    zipped: bool = True
    """Whether the platform makes a zip."""


MUELLER = "Jürgen Müller"
MOODLE = "assignsubmission_file"
TEXT = "assignsubmission_onlinetext"
EARLY, LAST = "2026-11-01-10-00-00", "2026-11-08-18-03-00"
BLACKBOARD_NOTE = (
    "Name: Jürgen Müller (jm1)\nAssignment: hw1\nDate Submitted: x\n\nSubmission Field:\nNo data\n\n"
    f"Files:\n\tOriginal filename: my helper.py\n\tFilename: hw1_jm1_attempt_{LAST}_my_helper.py\n"
)
GRADESCOPE = (
    "submission_71:\n  :submitters:\n  - :name: Jürgen Müller\n    :sid: '1'\n    :email: jm@x.edu\n"
    "  :created_at: 2026-11-08 17:03:00.000000000 Z\n  :score: 1.0\n  :status: processed\n"
    "  :results:\n    tests:\n    - score: 1.0\n      output: '[x'\n"
    "  :history:\n  - :created_at: 2026-11-01 09:00:00.000000000 Z\n    :id: 12\n"
    "submission_72:\n  :submitters:\n  - :name: Ann Lee\n  - :name: Bob Ray\n  :created_at: 2026-11-09 07:00:00 Z\n"
)
GROUP = "0b9f1c2e-1111-4222-8333-944455556666"
DATA = {"helper.py": "V = 1", "data/x.csv": "1,2"}
OWN = ("data/x.csv", "helper.py", "hw 1.ipynb")


def _in(folder: str, code: str, files: Mapping[str, str] = DATA) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in {"hw 1.ipynb": code, **files}.items()}


LAYOUTS: Mapping[str, Layout] = {
    "folder of notebooks": Layout(
        "",
        {f"{MUELLER}.ipynb": "jm", "Ann Lee.ipynb": "al", "roster.csv": "x"},
        {MUELLER: Work("jm", (f"{MUELLER}.ipynb",)), "Ann Lee": Work("al", ("Ann Lee.ipynb",))},
        skipped=("roster.csv",),
    ),
    "folder per student": Layout(
        "",
        {**_in(MUELLER, "jm"), **_in("Ann Lee", "al", {"net.py": ""}), f"{MUELLER}/.env": "", "notes.txt": ""},
        {MUELLER: Work("jm", OWN), "Ann Lee": Work("al", ("hw 1.ipynb", "net.py"))},
        skipped=(f"{MUELLER}/.env", "notes.txt"),
    ),
    "nbgrader submitted": Layout(
        "nbgrader",
        {
            **_in("submitted/jm1/ps1", "jm"),
            "submitted/jm1/ps1/timestamp.txt": "2026-11-08 17:03:00.123456 UTC",
            **_in("submitted/al2/ps1", "al", {}),
            "source/ps1/hw 1.ipynb": "source",
            "gradebook.db": "",
        },
        {
            "jm1": Work("jm", (*OWN, "timestamp.txt"), submitted="2026-11-08T17:03:00", source="timestamp"),
            "al2": Work("al", ("hw 1.ipynb",)),
        },
        skipped=("gradebook.db", "source/ps1/hw 1.ipynb"),
        zipped=False,
    ),
    "nbgrader exchange": Layout(
        "nbgrader",
        {
            **_in("jm1+ps1+2026-11-01 09:00:00.000000 UTC+c2FsdHNhbHRz", "old"),
            **_in("jm1+ps1+2026-11-08 17:03:00.000000 UTC+c2FsdHNhbHRz", "jm"),
            **_in("al2+ps1+2026-11-08 10:00:00.000000 UTC", "al", {}),
        },
        {
            "jm1": Work(
                "jm",
                OWN,
                ("2026-11-01 09:00:00.000000 UTC",),
                tuple(f"earlier/2026-11-01 09:00:00.000000 UTC/{name}" for name in OWN),
                submitted="2026-11-08T17:03:00",
                source="name",
            ),
            "al2": Work("al", ("hw 1.ipynb",), submitted="2026-11-08T10:00:00", source="name"),
        },
        top="inbound",
        zipped=False,
    ),
    "Moodle folders": Layout(
        "moodle",
        {
            **_in(f"{MUELLER}_4711_{MOODLE}", "jm"),
            f"{MUELLER}_4711_{TEXT}/onlinetext.html": "<p>both",
            **_in(f"Ann Lee_4712_{MOODLE}_", "al", {}),
            f"Cy Noe_4713_{TEXT}/onlinetext.html": "<p>only a text",
            **_in(f"Group 7_31_{MOODLE}", "group", {}),
            **_in(f"Default group_{MOODLE}", "rest", {}),
            **_in(f"Participant_4714_{MOODLE}", "anonymous", {}),
        },
        {
            MUELLER: Work("jm", (*OWN, "onlinetext.html")),
            "Ann Lee": Work("al", ("hw 1.ipynb",)),
            "Cy Noe": Work("", ("onlinetext.html",)),
            "Group 7": Work("group", ("hw 1.ipynb",)),
            "Default group": Work("rest", ("hw 1.ipynb",)),
            "Participant 4714": Work("anonymous", ("hw 1.ipynb",)),
        },
        top="CS1-Homework 1-99",
    ),
    "Moodle files": Layout(
        "moodle",
        {
            f"{MUELLER}_4711_{MOODLE}_hw 1.ipynb": "jm",
            f"{MUELLER}_4711_{MOODLE}_my_data.csv": "1",
            f"{MUELLER}_4711_{TEXT}_onlinetext.html": "<p>both",
            f"Ann Lee_4712_{MOODLE}_hw 1.ipynb": "al",
        },
        {
            MUELLER: Work("jm", ("hw 1.ipynb", "my_data.csv", "onlinetext.html")),
            "Ann Lee": Work("al", ("hw 1.ipynb",)),
        },
    ),
    "Canvas": Layout(
        "canvas",
        {
            "müllerjürgen_LATE_4711_90001_hw 1.ipynb": "old",
            "müllerjürgen_LATE_4711_90002_hw 1-1.ipynb": "jm",
            "müllerjürgen_LATE_4711_90003_helper.py": "V = 1",
            "leeann_4712_90004_hw 1.ipynb": "al",
            "leeann_4712_text.html": "<p>hi",
            "project_team_a_4713_90005_hw 1.ipynb": "group",
            "project_team_a_4713_90006_x.csv": "1",
        },
        {
            "müllerjürgen": Work(
                "jm",
                ("helper.py", "hw 1.ipynb"),
                kept=("earlier/müllerjürgen_LATE_4711_90001_hw 1.ipynb",),
                source="mark",
                late=True,
            ),
            "leeann": Work("al", ("hw 1.ipynb", "text.html")),
            "project_team_a": Work("group", ("hw 1.ipynb", "x.csv")),
        },
        top="submissions",
    ),
    "Canvas anonymous": Layout(
        "canvas",
        {
            "LATE_anon_Xy12z_90001_hw 1.ipynb": "late",
            "LATE_anon_Xy12z_90002_helper.py": "",
            "anon_Ab34c_90003_hw 1.ipynb": "in time",
            "anon_Ab34c_text.html": "",
        },
        {
            "anonymous Xy12z": Work("late", ("helper.py", "hw 1.ipynb"), source="mark", late=True),
            "anonymous Ab34c": Work("in time", ("hw 1.ipynb", "text.html")),
        },
    ),
    "Blackboard": Layout(
        "blackboard",
        {
            f"hw1_jm1_attempt_{EARLY}_hw 1.ipynb": "old",
            f"hw1_jm1_attempt_{LAST}_hw 1.ipynb": "jm",
            f"hw1_jm1_attempt_{LAST}_my_helper.py": "V = 1",
            f"hw1_jm1_attempt_{LAST}.txt": BLACKBOARD_NOTE,
            # The name of a file cannot claim another student.
            f"hw1_al2_attempt_{LAST}_hw1_jm1_attempt_{LAST}_hw 1.ipynb": "al",
            f"hw1_al2_attempt_{LAST}.txt": "Name: Ann Lee (al2)\nAssignment: hw1\n",
        },
        {
            MUELLER: Work(
                "jm",
                ("hw 1.ipynb", "my helper.py", "submission.txt"),
                (EARLY,),
                (f"earlier/{EARLY}/hw 1.ipynb",),
                submitted="2026-11-08T18:03:00",
                source="name",
            ),
            "Ann Lee": Work(
                "al",
                (f"hw1_jm1_attempt_{LAST}_hw 1.ipynb", "submission.txt"),
                submitted="2026-11-08T18:03:00",
                source="name",
            ),
        },
    ),
    "Brightspace": Layout(
        "brightspace",
        {
            **_in(f"4711-555 - {MUELLER} - Nov 1, 2026 1000 AM", "old", {}),
            **_in(f"4711-555 - {MUELLER} - Nov 8, 2026 603 PM", "jm"),
            **_in("4712-555 - Ann Lee - Nov 8, 2026 1205 AM", "al", {}),
            "index.html": "<html>",
        },
        {
            MUELLER: Work(
                "jm",
                OWN,
                ("Nov 1, 2026 1000 AM",),
                ("earlier/Nov 1, 2026 1000 AM/hw 1.ipynb",),
                submitted="2026-11-08T18:03:00",
                source="name",
            ),
            "Ann Lee": Work("al", ("hw 1.ipynb",), submitted="2026-11-08T00:05:00", source="name"),
        },
        skipped=("index.html",),
        top="Project 4 Download Nov 9, 2026 900 AM",
    ),
    "Brightspace files": Layout(
        "brightspace",
        {
            f"4711-555 - {MUELLER} - Nov 8, 2026 603 PM - hw 1.ipynb": "jm",
            f"4711-555 - {MUELLER} - Nov 8, 2026 603 PM - helper.py": "V = 1",
            "4712-555 - Ann Lee - Nov 8, 2026 1205 AM - hw 1.ipynb": "al",
        },
        {
            MUELLER: Work("jm", ("helper.py", "hw 1.ipynb"), submitted="2026-11-08T18:03:00", source="name"),
            "Ann Lee": Work("al", ("hw 1.ipynb",), submitted="2026-11-08T00:05:00", source="name"),
        },
    ),
    "Sakai": Layout(
        "sakai",
        {
            **_in("Homework 1/Müller, Jürgen(jm1)/Submission attachment(s)", "jm"),
            "Homework 1/Müller, Jürgen(jm1)/timestamp.txt": "2026-11-08T17:03:00Z",
            "Homework 1/Müller, Jürgen(jm1)/Feedback Attachment(s)/marked.ipynb": "marked " * 50,
            **_in("Homework 1/Lee, Ann(al2)/Submission attachment(s)", "al", {}),
            "Homework 1/Lee, Ann(al2)/timestamp.txt": "20261108100000000",
            **_in(f"Homework 1/Team A ({GROUP})/Submission attachment(s)", "group", {}),
            f"Homework 1/Team A ({GROUP})/members.txt": "Lee, Bo(bl3); Ray, Bob(br4)",
            "Homework 1/grades.csv": "x",
        },
        {
            MUELLER: Work(
                "jm",
                (
                    "Feedback Attachment(s)/marked.ipynb",
                    *(f"Submission attachment(s)/{name}" for name in OWN),
                    "timestamp.txt",
                ),
                submitted="2026-11-08T17:03:00",
                source="timestamp",
            ),
            "Ann Lee": Work(
                "al",
                ("Submission attachment(s)/hw 1.ipynb", "timestamp.txt"),
                submitted="2026-11-08T10:00:00",
                source="timestamp",
            ),
            "Team A": Work("group", ("Submission attachment(s)/hw 1.ipynb", "members.txt")),
        },
        skipped=("Homework 1/grades.csv",),
    ),
    "Sakai files": Layout(
        "sakai",
        {
            "Homework 1/Müller, Jürgen(jm1)_Submission attachment(s)_hw 1.ipynb": "jm",
            "Homework 1/Müller, Jürgen(jm1)_Submission attachment(s)_helper.py": "V = 1",
            "Homework 1/Müller, Jürgen(jm1)__submissionText.html": "<p>hi",
            "Homework 1/Müller, Jürgen(jm1)_comments.txt": "well",
            "Homework 1/Müller, Jürgen(jm1)_Feedback Attachment(s)marked.ipynb": "marked " * 50,
            "Homework 1/Lee, Ann(al2)_Feedback Attachment(s)marked.ipynb": "marked",
            f"Homework 1/{GROUP} Anonymous_Submission attachment(s)_hw 1.ipynb": "anonymous",
            "Homework 1/grades.csv": "x",
        },
        {
            MUELLER: Work(
                "jm",
                (
                    "Feedback Attachment(s)/marked.ipynb",
                    "comments.txt",
                    "helper.py",
                    "hw 1.ipynb",
                    "submissionText.html",
                ),
            ),
            "Ann Lee": Work("", ("Feedback Attachment(s)/marked.ipynb",)),
            "Anonymous 0b9f1c2e": Work("anonymous", ("hw 1.ipynb",)),
        },
        skipped=("Homework 1/grades.csv",),
    ),
    "ILIAS": Layout(
        "ilias",
        {
            **_in("Homework 1/Abgaben/Mueller_Juergen_jm1_4711", "jm"),
            "Homework 1/Abgaben/Lee_Ann_al2_4712/Late Submission - hw 1.ipynb": "al",
            "Homework 1/Abgaben/Lee_Ann_al2_4712/Late Submission - x.csv": "1",
        },
        {
            "Juergen Mueller": Work("jm", OWN),
            "Ann Lee": Work("al", ("hw 1.ipynb", "x.csv"), source="mark", late=True),
        },
    ),
    "ILIAS teams": Layout(
        "ilias",
        {
            **_in("Homework 1/Abgaben/Team 7/Mueller_Juergen_jm1_4711", "seven", {}),
            "Homework 1/Abgaben/Team 7/Lee_Ann_al2_4712/x.csv": "1",
            **_in("Homework 1/Abgaben/Team 8/Ray_Bob_br3_4713", "eight", {}),
        },
        {
            "Team 7": Work("seven", ("Lee_Ann_al2_4712/x.csv", "Mueller_Juergen_jm1_4711/hw 1.ipynb")),
            "Team 8": Work("eight", ("Ray_Bob_br3_4713/hw 1.ipynb",)),
        },
    ),
    "Gradescope": Layout(
        "gradescope",
        {
            **_in("submission_71", "jm"),
            **_in("submission_72", "group", {}),
            **_in("submission_73", "unknown", {}),
            "submission_metadata.yml": GRADESCOPE,
        },
        {
            MUELLER: Work(
                "jm",
                OWN,
                ("2026-11-01 09:00:00.000000000 Z (not in the export)",),
                submitted="2026-11-08T17:03:00",
                source="metadata",
            ),
            "Ann Lee, Bob Ray": Work("group", ("hw 1.ipynb",), submitted="2026-11-09T07:00:00", source="metadata"),
            "submission_73": Work("unknown", ("hw 1.ipynb",)),
        },
        skipped=("submission_metadata.yml",),
        top="assignment_5_export",
    ),
    "Google Classroom": Layout(
        "classroom",
        {
            f"{MUELLER} - hw 1.ipynb": "jm",
            f"{MUELLER} - helper.py": "V = 1",
            "Ann Lee - hw 1.ipynb": "al",
            "syllabus.pdf": "x",
        },
        {MUELLER: Work("jm", ("helper.py", "hw 1.ipynb")), "Ann Lee": Work("al", ("hw 1.ipynb",))},
        skipped=("syllabus.pdf",),
    ),
    "Microsoft Teams": Layout(
        "teams",
        {
            **_in(f"Submitted files/{MUELLER}/Homework 1/Version 1", "old", {}),
            **_in(f"Submitted files/{MUELLER}/Homework 1/Version 2", "jm"),
            **_in("Submitted files/Ann Lee/Homework 1/Version 1", "al", {}),
            "Working files/Ann Lee/Homework 1/draft.ipynb": "draft",
        },
        {
            MUELLER: Work("jm", OWN, ("Version 1",), ("earlier/Version 1/hw 1.ipynb",)),
            "Ann Lee": Work("al", ("hw 1.ipynb",)),
        },
        skipped=("Working files/Ann Lee/Homework 1/draft.ipynb",),
    ),
    "GitHub Classroom": Layout(
        "github",
        {
            **_in("hw1-jm1", "jm", {**DATA, ".git/HEAD": "ref: refs/heads/main\n"}),
            **_in("hw1-al-2", "al", {".git/HEAD": "x"}),
            "hw1-cy3/.git/HEAD": "x",
            "hw1-cy3/README.md": "x",
        },
        {
            "jm1": Work("jm", OWN),
            "al-2": Work("al", ("hw 1.ipynb",)),
            "cy3": Work("", ("README.md",)),
        },
        skipped=("hw1-al-2/.git/HEAD", "hw1-cy3/.git/HEAD", "hw1-jm1/.git/HEAD"),
        top="hw1-submissions",
        zipped=False,
    ),
    "Classroom 50": Layout(
        "github",
        {
            **_in("cs1-hw1-jm1", "jm", {**DATA, ".classroom50.yaml": "x"}),
            **_in("cs1-hw1-al2", "al", {".git/HEAD": "x", "result.json": "{}"}),
            "scores.csv": "x",
        },
        {"jm1": Work("jm", OWN), "al2": Work("al", ("hw 1.ipynb", "result.json"))},
        skipped=("cs1-hw1-al2/.git/HEAD", "cs1-hw1-jm1/.classroom50.yaml", "scores.csv"),
        top="cs1-hw1_submissions_2026_11_08_T_18_03_00",
        zipped=False,
    ),
    "e-mail folders (Vocareum)": Layout(
        "e-mail",
        {
            **_in("jm@x.edu/1/work", "jm"),
            "jm@x.edu/1/startercode/hw 1.ipynb": "starter " * 50,
            **_in("al@x.edu/1/work", "al", {}),
        },
        {
            "jm@x.edu": Work("jm", ("1/startercode/hw 1.ipynb", *(f"1/work/{name}" for name in OWN))),
            "al@x.edu": Work("al", ("1/work/hw 1.ipynb",)),
        },
    ),
}


def notebook(code: str) -> str:
    """Write the JSON of a notebook with one cell."""
    cell: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": code,
    }
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


def _content(name: str, text: str) -> str:
    return notebook(text) if name.endswith(".ipynb") else text


def written(root: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_content(name, text), encoding="utf-8")
    return root


class _RawName(zipfile.ZipInfo):
    """A member whose name is stored as given bytes, without the flag for UTF-8."""

    raw = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - overrides zipfile's own
        return self.raw, self.flag_bits & ~0x800


def packed(target: Path, files: Mapping[str, str], encoding: Encoding = "flag") -> Path:
    """Write files into a zip, with names in one of the encodings of real programs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in files.items():
            archive.writestr(_member(name, encoding), _content(name, text))
    return target


def _member(name: str, encoding: Encoding) -> zipfile.ZipInfo:
    if encoding == "flag":
        return zipfile.ZipInfo(name)
    member = _RawName(name)
    if encoding == "extra":
        member.raw = name.encode("ascii", "replace")
        field_ = b"\x01" + struct.pack("<I", zlib.crc32(member.raw)) + name.encode()
        member.extra = struct.pack("<HH", 0x7075, len(field_)) + field_
    else:
        member.raw = name.encode(encoding)
    return member
