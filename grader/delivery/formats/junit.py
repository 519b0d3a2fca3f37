"""The format `junit`: the grades of a class as JUnit XML, a suite for each submission."""

from collections.abc import Sequence

from grader.delivery.grade_export import GradeExport, GradeFormat, RowReport, reports_of
from grader.delivery.junit import junit_counts, junit_xml
from grader.facts.language import language

__all__ = ["FORMAT"]


def _write(export: GradeExport) -> Sequence[RowReport]:
    """Write the students' editions, each submission once; one that was not graded is a test case with an error."""
    reports: list[RowReport] = []
    shown = {}
    spoken = language("en")
    for row in export.rows:
        if not row.writable and not (row.status == "not_graded" and row.submission):
            reports.append(reports_of(row))
            continue
        if row.submission not in shown:
            editions = row.read()
            shown[row.submission], spoken = editions.shown, editions.language
        counts = junit_counts(shown[row.submission])
        value = f"{counts.tests} tests, {counts.failures} failures, {counts.errors} errors, {counts.skipped} skipped"
        reports.append(RowReport(row.label, row.submission, "written", value, row.held or row.remark))
    export.target.write_text(junit_xml(shown.values(), spoken), encoding="utf-8", errors="replace")
    return tuple(reports)


FORMAT = GradeFormat(
    name="junit",
    title="the grades of the class as JUnit XML",
    file="grades.xml",
    write=_write,
)
