"""What a worker refuses, and what it keeps."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from grader.pipeline.ray.shares import Order
from grader.pipeline.ray.worker import ready
from grader.schema.errors import DatasetMissingError, UsageError


def test_a_worker_that_can_grade_is_made_ready_once(order: Order) -> None:
    place = ready(order)
    assert place.bench.threads == 4
    assert list(order.out.iterdir()) == [order.sign]
    order.sign.unlink()
    assert ready(order) is place


def test_a_worker_does_not_write_into_a_folder_that_only_looks_like_the_results(order: Order) -> None:
    order.sign.unlink()
    with pytest.raises(UsageError, match=r"is not available here.*NFS"):
        ready(order)
    order.sign.write_text("another run's", encoding="ascii")
    with pytest.raises(UsageError, match="is not available here"):
        ready(order)
    shutil.rmtree(order.out)
    with pytest.raises(UsageError, match="is not available here"):
        ready(order)
    assert not order.out.exists()


def test_a_worker_with_other_code_or_other_data_does_not_grade(order: Order, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the version of the grader here differs"):
        ready(replace(order, code="0"))
    with pytest.raises(UsageError, match="the data set `digits` here differs"):
        ready(replace(order, data={"digits": "0"}))
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(DatasetMissingError):
        ready(order)
