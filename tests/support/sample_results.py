"""Results folders of the sample submissions, as `tools/make_sample_results.py` packed them."""

import json
import lzma
from pathlib import Path

from grader.pipeline.publish import row_of
from grader.report.csvfile import rows_csv
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder

__all__ = ["sample_results"]

_PACKED = Path(__file__).resolve().parent.parent / "delivery" / "sample_results.json.xz"


def sample_results(folder: Path) -> dict[str, ResultsFolder]:
    """Unpack the results of each assignment; only the files that an export reads.

    Args:
        folder: Where the results folders are made.

    Returns:
        Results folder by the rubric's id.
    """
    classes = json.loads(lzma.decompress(_PACKED.read_bytes()))
    return {rubric: _unpack(folder / rubric, submissions) for rubric, submissions in classes.items()}


def _unpack(folder: Path, submissions: dict[str, dict[str, object]]) -> ResultsFolder:
    out = ResultsFolder(folder)
    rows = []
    for name, documents in submissions.items():
        grade = Grade.model_validate(documents["grade"])
        out.write_grade(grade)
        rows.append(row_of(grade, None))
        place = out.evidence_folder(name) / "evidence.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(documents["evidence"]), encoding="utf-8")
    out.write_page("grades.csv", rows_csv(rows))
    return out
