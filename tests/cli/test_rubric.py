"""`grader rubric`."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.command import (
    NOTEBOOKS,
    RUBRIC,
    grade_of,
    grader,
    needs_bubblewrap,
)

sandboxed = pytest.mark.bubblewrap


@sandboxed
def test_a_reference_is_kept_by_a_command_and_refused_when_it_changed(rubric: Path, out: Path) -> None:
    needs_bubblewrap()
    rubric.write_text(RUBRIC + "reference: solution.ipynb\n", encoding="utf-8")
    solution = rubric.with_name("solution.ipynb")
    shutil.copy(NOTEBOOKS / "no-kernel-metadata.ipynb", solution)
    done = grader("rubric", "test", rubric, "--update")
    assert done.code == 1
    assert "not stored: the reference does not get full marks" in done.err
    shutil.copy(NOTEBOOKS / "plain.ipynb", solution)
    done = grader("rubric", "test", rubric, "--update")
    assert done.code == 0, done.err
    words = ("grade", NOTEBOOKS / "plain.ipynb", "--rubric", rubric, "--out", out)
    assert grader(*words).code == 0
    assert grade_of(out, "plain")["reference"] is not None
    solution.write_text(solution.read_text(encoding="utf-8").replace("[1, 2, 3]", "[1, 2]"), encoding="utf-8")
    done = grader(*words)
    assert done.code == 3
    assert "changed after its evidence was stored" in done.err


def test_rubrics_are_listed_shown_validated_and_described(rubric: Path) -> None:
    listed = json.loads(grader("rubric", "list", "--json").out)
    assert "mnist-cnn" in {one["id"] for one in listed}
    assert all(Path(one["file"]).is_file() for one in listed)
    assert "mnist-cnn" in grader("rubric", "list").out
    assert json.loads(grader("rubric", "show", rubric, "--json").out)["id"] == "tiny"
    assert "explained" in grader("rubric", "show", rubric).out
    assert json.loads(grader("rubric", "schema").out)["type"] == "object"
    done = grader("rubric", "validate", rubric, "mnist-cnn")
    assert (done.code, done.out.count(": valid, ")) == (0, 2)
    done = grader("rubric", "test", rubric)
    assert (done.code, "the rubric has no reference" in done.err) == (2, True)
