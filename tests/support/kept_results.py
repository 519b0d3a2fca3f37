"""A results folder with kept evidence, as a grading leaves it, without an execution."""

from pathlib import Path

from grader.datasets.store import DatasetStore
from grader.pipeline.course import load_course
from grader.pipeline.publish import judge, publish, publish_class
from grader.pipeline.rubrics import find_rubric, note_rubric
from grader.resources import share
from grader.schema.reference import ReferenceRecord
from grader.schema.submission import Submission
from grader.store.results import ResultsFolder

__all__ = ["keep_results"]


def keep_results(folder: Path, rubric: str, *names: str) -> ResultsFolder:
    """Grade the recorded evidence of a shipped rubric's reference solution, under the names of submissions.

    Args:
        folder: Where the results are written.
        rubric: The rubric's id.
        names: Ids of the submissions.
    """
    notebook = share("reference") / f"{rubric}.ipynb"
    record = ReferenceRecord.model_validate_json(notebook.with_suffix(".evidence.json").read_bytes())
    out, course = ResultsFolder(folder), load_course(find_rubric(rubric), DatasetStore())
    for name in names:
        out.write_evidence(name, record.evidence)
        out.write_executed(name, notebook.read_bytes())
        submission = Submission(id=name, student=name, notebook=Path(), sha256=record.notebook_sha256)
        publish(judge(submission, record.evidence, course), record.evidence, course, out)
    note_rubric(course.loaded, out)
    publish_class(course, out)
    return out
