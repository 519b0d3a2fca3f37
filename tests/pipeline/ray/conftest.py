"""A small course for a worker."""

from pathlib import Path

import pytest

from grader.datasets.store import DatasetStore
from grader.pipeline.course import load_course
from grader.pipeline.ray import worker
from grader.pipeline.ray.engine import RayEngine
from grader.pipeline.ray.shares import Machine, Order
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options
from grader.store.results import ResultsFolder
from tests.support.command import RUBRIC, small_digits


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Order:
    """An order of a small course that this process can carry out as a worker would."""
    monkeypatch.setenv("GRADER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(worker, "_places", {})
    DatasetStore().import_file("digits", small_digits(tmp_path / "digits.npz"))
    (tmp_path / "tiny.yaml").write_text(RUBRIC, encoding="utf-8")
    course = load_course(find_rubric(str(tmp_path / "tiny.yaml")), DatasetStore())
    options = Options(isolation="none", device="cpu")
    engine = RayEngine(course, options, ResultsFolder(tmp_path / "out"))
    made = engine.order([Machine(id="0", name="m", cpus=4, gpus=0)], name="t", submissions=2)
    made.out.mkdir()
    made.sign.write_text("t", encoding="ascii")
    return made
