"""A quick run of real notebooks gives the same verdicts as the full run, whose results are kept with the tests."""

import json
from pathlib import Path

import pytest

from tests.support.command import grader, needs_bubblewrap
from tests.support.sample_results import sample_results

SAMPLES = Path(__file__).parents[2] / "examples" / "submissions"
RUNS = [("mnist-cnn", "chiara"), ("mnist-cnn", "dmitri")]


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.tensorflow
@pytest.mark.parametrize(("rubric", "student"), RUNS)
def test_a_quick_run_gives_the_verdicts_of_the_full_run(tmp_path: Path, rubric: str, student: str) -> None:
    needs_bubblewrap()
    done = grader(
        "check", SAMPLES / rubric / f"{student}.ipynb", "--rubric", rubric, "--quick", "--format", "json", timeout=300
    )
    assert done.code == 1, done.err
    quick = {line["id"]: line for line in json.loads(done.out)["criteria"]}
    grade = sample_results(tmp_path)[rubric].read_grade(student)
    assert grade is not None
    full = {line.id: line for line in grade.criteria}
    assert quick.keys() <= full.keys()
    judged = {name: line for name, line in quick.items() if line["status"] != "pending"}
    assert len(judged) >= 10
    assert {name: line["status"] for name, line in judged.items()} == {name: full[name].status for name in judged}
    assert {name: line["points"] for name, line in judged.items()} == {name: full[name].points for name in judged}
    assert quick["accuracy"]["message"].startswith("Not judged in a quick run")
