"""Write the files of each submission into a folder of its own."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from grader.delivery.editions import Editions
from grader.delivery.grade_export import GradeExport, RowReport, reports_of

__all__ = ["json_bytes", "write_submissions"]


def json_bytes(document: Any) -> bytes:
    """Write a document as indented JSON without NaN, which is no JSON.

    Args:
        document: Values of JSON.
    """
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")


def write_submissions(
    export: GradeExport, files_of: Callable[[Editions], Mapping[str, bytes]], value_of: Callable[[Editions], str]
) -> tuple[RowReport, ...]:
    """Write the files of each submission whose score may be written; members of a group share one folder.

    Args:
        export: The class.
        files_of: Makes the files of a submission by name.
        value_of: Says what was written.
    """
    reports: list[RowReport] = []
    done: dict[str, str] = {}
    for row in export.rows:
        if not row.writable:
            reports.append(reports_of(row))
            continue
        if row.submission not in done:
            editions = row.read()
            folder = export.target / row.submission
            folder.mkdir()
            for name, content in files_of(editions).items():
                (folder / name).write_bytes(content)
            done[row.submission] = value_of(editions)
        place = f"{row.submission}/"
        reports.append(RowReport(row.label, row.submission, "written", done[row.submission], row.remark, place))
    return tuple(reports)
