"""The format `moodle-feedback`: a zip with the students' reports as feedback files of a Moodle assignment."""

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from grader.delivery.grade_export import GradeExport, GradeFormat, GradeRow, RowReport, Worksheet, reports_of
from grader.delivery.moodle_sheet import read_moodle_sheet
from grader.delivery.pairing import pair_people
from grader.delivery.roster import name_forms

__all__ = ["FORMAT", "feedback_folder"]

_SUBMITTED: Final = re.compile(r"(?P<name>.+?)\D(?P<number>\d+)")
"""The id of a submission that was downloaded from Moodle: the student's name and the number."""
_NUMBER: Final = re.compile(r"\d+(?=\D*$)")
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*_]+')
"""Characters that a folder's name must not have; Moodle splits the name at each underscore."""
_FILE: Final = "report.html"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can have; the same for each file, so that equal reports make equal zips."""


def feedback_folder(name: str, participant: str) -> str:
    """Name the folder of a student's feedback, such that Moodle's import finds the student.

    Args:
        name: Name of the student, for people; Moodle reads only the number.
        participant: Moodle's number of the student in the assignment.
    """
    plain = " ".join(_UNSAFE.sub(" ", name).split()).strip(".~ ") or "Participant"
    return f"{plain}_{participant}_assignsubmission_file_"


def _write(export: GradeExport) -> Sequence[RowReport]:
    folders, reasons = _of_names(export.rows) if export.worksheet is None else _of_worksheet(export, export.worksheet)
    reports: list[RowReport] = []
    files: dict[str, Path] = {}
    for index, row in enumerate(export.rows):
        if not row.writable:
            reports.append(reports_of(row))
        elif row.report is None:
            reports.append(RowReport(row.label, row.submission, "held", why=_NO_REPORT))
        elif index not in folders:
            reports.append(RowReport(row.label, row.submission, "unmatched", why=reasons.get(index, _NO_NUMBER)))
        else:
            path = f"{folders[index]}/{_FILE}"
            files[path] = row.report
            reports.append(RowReport(row.label, row.submission, "written", _FILE, row.remark, path))
    _write_zip(export.target, files)
    return tuple(reports)


_NO_REPORT: Final = "there is no report; run `grader report DIR`"
_NO_NUMBER: Final = "neither the roster nor the submission has Moodle's number of the student; give the `--worksheet`"

_Folders = tuple[Mapping[int, str], Mapping[int, str]]
"""Folders by the index of the row, and the reasons of rows without one."""


def _of_worksheet(export: GradeExport, worksheet: Worksheet) -> _Folders:
    moodle = read_moodle_sheet(worksheet.content, name=str(worksheet.path))
    pairing = pair_people(export.rows, tuple(person for person, _ in moodle.people()))
    found = {index: feedback_folder(one.name, _number(one.participant)) for index, one in pairing.pairs.items()}
    return found, pairing.reasons


def _of_names(rows: Sequence[GradeRow]) -> _Folders:
    """Name the folder of each row that has Moodle's number in the roster, or in the name of its submission."""
    found = {index: (row.label, next(_numbers(row), "")) for index, row in enumerate(rows)}
    counts = Counter(number for _, number in found.values())
    return {
        index: feedback_folder(label, number)
        for index, (label, number) in found.items()
        if number and counts[number] == 1
    }, {}


def _numbers(row: GradeRow) -> Iterator[str]:
    if row.student is not None:
        yield from _NUMBER.findall(row.student.moodle_participant)
    match = _SUBMITTED.fullmatch(row.submission)
    if match is not None and name_forms(match["name"]) == name_forms(row.handed_in_as):
        yield match["number"]


def _number(participant: str) -> str:
    return next(iter(_NUMBER.findall(participant)), "")


def _write_zip(path: Path, files: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(files.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes())


FORMAT = GradeFormat(
    name="moodle-feedback",
    title="a zip with the students' reports, as feedback files of a Moodle assignment",
    file="feedback.zip",
    write=_write,
    worksheet="the grading worksheet of the Moodle assignment",
    optional=True,
)
