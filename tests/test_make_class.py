"""The program of the benchmarks that makes a large class from a few graded submissions."""

import json
import subprocess
import sys
from pathlib import Path

from grader.pipeline.regrade import course_of_results, regrade_class
from grader.store.database import Database, ExecutionKey
from grader.store.results import ResultsFolder
from tests.support.kept_results import keep_results

PROGRAM = Path(__file__).parents[1] / "bench" / "make_class.py"
KEY = ExecutionKey(notebook="n", settings="s", runtime="r", data="d")


def test_the_copies_have_evidence_and_executions_of_their_own_and_can_be_graded(tmp_path: Path) -> None:
    source = keep_results(tmp_path / "results", "keras-mnist-cnn", "ada", "bruno")
    database = Database(source.database_path)
    database.record_execution("ada", KEY, seconds=1.5, parts='{"dataset": "mnist"}')
    database.record_execution("bruno", KEY, seconds=2.5, attempt=2)
    subprocess.run(
        [sys.executable, PROGRAM, source.root, tmp_path / "class", "--size", "5"], check=True, capture_output=True
    )

    made = ResultsFolder(tmp_path / "class")
    names = made.submissions()
    assert len(names) == 5
    rows = {row.submission: row for row in Database(made.database_path).executions()}
    assert tuple(sorted(rows)) == names
    ordered = [rows[name] for name in sorted(names, key=lambda name: name[-5:])]
    assert [(row.attempt, row.seconds, row.parts) for row in ordered] == [
        *[(1, 1.5, '{"dataset": "mnist"}'), (2, 2.5, "")] * 2,
        (1, 1.5, '{"dataset": "mnist"}'),
    ]
    assert Database(made.database_path).gradings() == ()
    evidences = [json.loads((made.evidence_folder(name) / "evidence.json").read_bytes()) for name in names]
    assert len({json.dumps(evidence["cells"]) for evidence in evidences}) == 5
    result = regrade_class(course_of_results(made), made, workers=1)
    assert (result.total, result.not_graded) == (5, 0)
