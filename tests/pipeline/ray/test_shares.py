"""How large a part of a machine one submission gets."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest

from grader.pipeline.ray.shares import Machine, Share, share_of
from grader.schema.errors import UsageError


def machine(cpus: float = 0, gpus: float = 0) -> Machine:
    return Machine(id="0", name="m", cpus=cpus, gpus=gpus)


HEAD, SMALL, LARGE, ONE_GPU, FOUR_GPUS = machine(), machine(4), machine(64), machine(8, 1), machine(32, 4)


@pytest.mark.parametrize(
    ("machines", "jobs", "device", "wanted"),
    [
        ([HEAD, SMALL, LARGE], 1, "cpu", Share(cpus=4, gpus=0)),
        ([HEAD, SMALL, LARGE], 4, "auto", Share(cpus=1, gpus=0)),
        ([LARGE], 16, "auto", Share(cpus=4, gpus=0)),
        ([SMALL], 9, "auto", Share(cpus=1, gpus=0)),
        ([machine(2.5)], 1, "auto", Share(cpus=2, gpus=0)),
        ([SMALL, ONE_GPU], 1, "auto", Share(cpus=8, gpus=1)),
        ([SMALL, ONE_GPU], 2, "cpu", Share(cpus=2, gpus=0)),
        ([ONE_GPU], 4, "gpu", Share(cpus=2, gpus=0.25)),
        ([ONE_GPU], 3, "gpu", Share(cpus=2, gpus=0.3333)),
        ([FOUR_GPUS], 4, "gpu", Share(cpus=8, gpus=1)),
        ([FOUR_GPUS], 6, "gpu", Share(cpus=5, gpus=0.5)),
        ([SMALL, LARGE], None, "auto", Share(cpus=2, gpus=0)),
        ([machine(1)], None, "cpu", Share(cpus=1, gpus=0)),
        ([FOUR_GPUS], None, "auto", Share(cpus=8, gpus=1)),
        ([FOUR_GPUS, ONE_GPU], 2, "gpu", Share(cpus=4, gpus=0.5)),
    ],
)
def test_a_submission_gets_its_part_of_the_smallest_machine_that_can_be_used(
    machines: Sequence[Machine], jobs: int | None, device: Literal["auto", "cpu", "gpu"], wanted: Share
) -> None:
    assert share_of(machines, jobs, device) == wanted


@pytest.mark.parametrize("jobs", range(1, 40))
@pytest.mark.parametrize("gpus", [1, 2, 3, 8])
def test_as_many_as_asked_for_fit_onto_the_gpus_and_no_part_spans_two(jobs: int, gpus: int) -> None:
    part = share_of([machine(64, gpus)], jobs, "gpu").gpus
    assert int(1 / part) * gpus >= jobs


def test_no_more_memory_is_asked_for_than_the_smallest_machine_has() -> None:
    machines = [replace(SMALL, memory=16e9), replace(LARGE, memory=8e9), replace(HEAD, memory=1e9)]
    assert share_of(machines, 1, "cpu", int(6e9)).memory == int(6e9)
    assert share_of(machines, 1, "cpu", int(9e9)).memory == int(8e9)


@pytest.mark.parametrize(
    ("machines", "device", "said"),
    [([HEAD], "auto", "ray start"), ([], "cpu", "ray start"), ([HEAD, SMALL], "gpu", "--num-gpus")],
)
def test_a_cluster_that_has_not_what_is_needed_is_told(
    machines: Sequence[Machine], device: Literal["auto", "cpu", "gpu"], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        share_of(machines, 1, device)
