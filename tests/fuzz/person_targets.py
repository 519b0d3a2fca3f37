"""Readers of files that people bring: tables, mails, rubrics, settings."""

import io
import tarfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from grader.checks.registry import all_checks, all_diagnostics
from grader.datasets.formats import read_any
from grader.datasets.registry import KNOWN
from grader.delivery.marks import parse_marks
from grader.delivery.moodle_sheet import read_moodle_sheet
from grader.delivery.requests import mail_text, parse_reply, parse_requests
from grader.delivery.roster import match, parse_roster
from grader.delivery.sheet import filled, read_sheet
from grader.facts.times import moment_of
from grader.grading.course_settings import read_course_settings
from grader.grading.documents import read_located
from grader.grading.loader import read_rubric
from grader.resources import share
from grader.schema.errors import UsageError
from grader.schema.grade import SubmissionStamp
from grader.store.judgements import parse_judgements
from tests.fuzz import seeds
from tests.fuzz.target import target

_SHORT = 1 << 16
"""Size of documents that are given to several readers."""
_STAMPS = (
    SubmissionStamp(id="ann-lee", student="Ann Lee", files=(), sha256=""),
    SubmissionStamp(id="jm1", student="Jürgen Müller", files=(), sha256=""),
)
_CRITERIA = {"runs": "All cells run", "accuracy": "Test accuracy"}
_ROSTER = 'id,name,email,language,group\nal1,Ann Lee,ann@example.org,de,1\njm1,"Müller, Jürgen",jm@exämple.org,,2\n'
_MARKS = 'submission,student,criterion,title,points,max_points,note\nann-lee,Ann Lee,runs,All,3,4,"good\nwork"\n'
_REQUESTS = "submission,criterion,reason,at\nann-lee,runs,please look again,2026-05-01 18:30\n"
_MAIL = (
    b"From: =?utf-8?q?Ann_L=C3=A9e?= <ann@example.org>\r\nSubject: Re: [hw1] All cells run\r\nIn-Reply-To: <x@y>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
    b"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nPlease look =C3=A4gain.\r\n\r\n"
    b"On Monday, x wrote:\r\n> old\r\n-- \r\nAnn\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--b--\r\n"
)
_SHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade)\n"
    'Participant 11,Ann Lee,ann@example.org,Submitted,"3,5",10.00,Yes,-\n'
)
_CANVAS = (
    'Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (4711)\n    Points Possible,,,,,10.0\n"Lee, Ann",11,,,,\n'
)
_JUDGEMENT = (
    b'{"version":1,"at":"2026-05-01T18:30:00Z","by":"Mara","submission":"ann-lee",'
    b'"criterion":"runs","points":3,"note":""}\n'
)


@target(
    "roster",
    "a roster, or another table of people, as CSV",
    form="text",
    seeds=lambda: [_ROSTER.encode(), _ROSTER.replace(",", ";").encode("utf-16"), b"name\tmail\nA B\ta@b.org\n"],
    covers=["grader.delivery.roster"],
)
def _roster(document: bytes, own: Path) -> None:
    del own
    match(parse_roster(document), _STAMPS)


@target(
    "tables",
    "tables of marks and requests, and worksheets of platforms, as CSV",
    form="text",
    seeds=lambda: [text.encode() for text in (_MARKS, _REQUESTS, _SHEET, _CANVAS)],
    covers=[
        "grader.delivery.marks",
        "grader.delivery.requests",
        "grader.delivery.sheet",
        "grader.delivery.moodle_sheet",
    ],
)
def _tables(document: bytes, own: Path) -> None:
    del own
    readers = (_marks, _requests, _worksheet, _plain_sheet)
    # The time is limited for each reader.
    several = readers if len(document) < _SHORT else readers[seeds.chosen(document, len(readers)) :][:1]
    for reads in several:
        _expecting(reads, document)


def _expecting(reads: Callable[[bytes], None], document: bytes) -> None:
    try:
        reads(document)
    except UsageError:
        return


def _marks(document: bytes) -> None:
    parse_marks(document)


def _requests(document: bytes) -> None:
    parse_requests(document, _STAMPS, _CRITERIA, parse_roster(_ROSTER.encode()))


def _worksheet(document: bytes) -> None:
    sheet = read_moodle_sheet(document, name="sheet.csv")
    list(sheet.people())
    sheet.column_of_grades()


def _plain_sheet(document: bytes) -> None:
    filled(read_sheet(document, name="sheet.csv"), {})


@target(
    "mail",
    "a student's mail, saved or pasted",
    form="text",
    seeds=lambda: [_MAIL, b"Von: ann@example.org\nBetreff: x\n\nBitte\n> alt\n", b"only a text"],
    covers=["grader.delivery.requests"],
)
def _mail(document: bytes, own: Path) -> None:
    del own
    text = mail_text(document)
    reply = parse_reply(text, (), _CRITERIA, {"ann@example.org": "ann-lee"})
    reply.reason.encode("utf-8", "replace")


@cache
def _rubrics() -> list[bytes]:
    return [path.read_bytes() for path in sorted(share("rubrics").glob("*.yaml"))]


@target(
    "rubric",
    "a rubric or another YAML file, which may be in a student's repository",
    form="text",
    seeds=_rubrics,
    covers=["grader.grading.loader", "grader.grading.yamlnodes", "grader.grading.documents"],
)
def _rubric(document: bytes, own: Path) -> None:
    del own
    read_rubric(document, all_checks(), all_diagnostics())


@target(
    "course.yaml",
    "the settings of a course",
    form="text",
    seeds=lambda: seeds.texts_of_files("templates/course/*.yaml", "rubrics/*.yaml"),
    covers=["grader.grading.course_settings", "grader.grading.documents"],
)
def _course(document: bytes, own: Path) -> None:
    (own / "course.yaml").write_bytes(document)
    read_located(document, name="x.yaml", noun="file", kind=UsageError)
    read_course_settings(document, folder=own)


@cache
def _data_sets() -> Sequence[bytes]:
    images, labels = np.zeros((4, 8, 8), np.uint8), np.arange(4, dtype=np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    plain, packed = io.BytesIO(), io.BytesIO()
    np.savez_compressed(plain, allow_pickle=False, **arrays)
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("train/3/1.jpg", "test/5/2.png"):
            picture = io.BytesIO()
            Image.new("L", (28, 28)).save(picture, format="JPEG" if name.endswith("jpg") else "PNG")
            member = tarfile.TarInfo(name)
            member.size = len(picture.getvalue())
            archive.addfile(member, io.BytesIO(picture.getvalue()))
    return [plain.getvalue(), packed.getvalue()]


@target(
    "data set",
    "a file that somebody imports as a data set",
    form="zip",
    seeds=_data_sets,
    covers=["grader.datasets.formats"],
)
def _data_set(document: bytes, own: Path) -> None:
    path = own / ("x.npz" if document[:2] == b"PK" else "x.tar")
    path.write_bytes(document)
    read_any(path, KNOWN["mnist"])


@target(
    "judgements",
    "lines of judgements, written by the desk or by hand",
    form="jsonl",
    seeds=lambda: [_JUDGEMENT * 3],
    covers=["grader.store.judgements"],
)
def _judgements(document: bytes, own: Path) -> None:
    del own
    parse_judgements(document)


@target(
    "times",
    "points in time in exports, names and texts of platforms",
    form="text",
    seeds=lambda: [
        b"2026-11-08 17:03:00.000000000 Z\n2026-11-08-18-03-00\nNov 8, 2026 5:03 PM\n",
        b"8. November 2026 18:03\n1762621380\n08/11/2026, 18:03\n",
    ],
    covers=["grader.facts.times"],
)
def _times(document: bytes, own: Path) -> None:
    del own
    for line in document.decode("utf-8", "replace").split("\n")[:50]:
        moment_of(line)
