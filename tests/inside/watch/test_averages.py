"""The array that is the mean of several outputs, without a kernel."""

import numpy as np
import pytest

from grader.inside.watch.averages import Finding, PassOutputs

RANDOM = np.random.default_rng(7)


def outputs(
    count: int = 12, shape: tuple[int, ...] = (40, 10), dtype: str = "float32"
) -> tuple[PassOutputs, list[np.ndarray]]:
    passes = [RANDOM.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype) for _ in range(count)]
    if shape[-1] == 1:
        passes = [RANDOM.random(shape).astype(dtype) for _ in range(count)]
    held = PassOutputs(shape)
    for each in passes:
        held.add(each)
    return held, passes


@pytest.mark.parametrize("count", [2, 12, 130])
@pytest.mark.parametrize("shape", [(40, 10), (1, 10), (40, 1), (3_000, 10), (7, 8, 8)])
def test_the_mean_is_found_at_any_size(count: int, shape: tuple[int, ...]) -> None:
    held, passes = outputs(count, shape)
    mean = np.asarray(np.mean(passes, axis=0))
    assert held.find(mean) == Finding("mean", count)
    assert held.find(mean.astype(np.float64)) == Finding("mean", count)
    assert held.find(mean.reshape(shape[0], -1)) == Finding("mean", count)


@pytest.mark.parametrize("shape", [(40, 10), (1, 10), (40, 1)])
def test_no_other_array_is_the_mean(shape: tuple[int, ...]) -> None:
    held, passes = outputs(12, shape)
    others = [*passes, np.std(passes, axis=0), np.max(passes, axis=0), 0.5 * np.mean(passes, axis=0)]
    others += [
        RANDOM.random(shape),
        np.zeros(shape),
        np.mean(passes, axis=0) + 0.01,
        np.mean(passes, axis=0)[::-1] * 0.9,
    ]
    assert [held.find(other.astype("float32")) for other in others] == [None] * len(others)
    assert held.find(np.zeros(shape, dtype=int)) is None
    assert held.find(np.array("text")) is None


def test_consecutive_passes_are_found_with_their_number() -> None:
    held, passes = outputs()
    assert held.find(np.mean(passes[:5], axis=0)) == Finding("mean", 5)
    assert held.find(np.mean(passes[2:], axis=0)) == Finding("mean", 10)


def test_half_precision_is_compared_as_exactly_as_it_is() -> None:
    held, passes = outputs(dtype="float16")
    assert held.find(np.mean(passes, axis=0)) == Finding("mean", 12)
    assert held.find(passes[3]) is None


def test_a_part_of_the_images_and_one_column_are_found() -> None:
    held, passes = outputs()
    mean = np.mean(passes, axis=0)
    assert held.find(mean[:5]) == Finding("mean", 12)
    assert held.find(mean[0]) == Finding("mean", 12)
    assert held.find(mean[:, 3]) == Finding("mean", 12)
    assert held.find(np.concatenate([RANDOM.random((9, 10)), mean])) == Finding("mean", 12)


def test_other_reductions_have_their_own_names() -> None:
    held, passes = outputs()
    assert held.find(np.sum(passes, axis=0)) == Finding("sum", 12)
    assert held.find(np.median(passes, axis=0)) == Finding("median", 12)
    assert held.find(np.mean(passes, axis=1)) == Finding("wrong_axis", 12)
    assert held.find(np.mean(passes, axis=2)) == Finding("wrong_axis", 12)


def test_more_passes_than_are_stored_have_no_known_average() -> None:
    held, passes = outputs(501, (2, 3))
    assert held.count == 501
    assert held.find(np.mean(passes, axis=0)) is None


def test_equal_passes_have_no_mean_of_their_own() -> None:
    held = PassOutputs((4, 3))
    for _ in range(5):
        held.add(np.full((4, 3), 0.25))
    assert held.find(np.full((4, 3), 0.25)) is None
    assert held.find(np.full((4, 3), 1.25)) == Finding("sum", 5)


def test_the_best_finding_is_kept() -> None:
    held = PassOutputs((4, 3))
    for finding in (
        Finding("sum", 5),
        Finding("mean", 3),
        Finding("mean", 5),
        Finding("discarded", 5),
        Finding("mean", 2),
    ):
        held.note(finding)
    assert (held.average, held.averaged) == ("mean", 5)


def test_closed_outputs_take_no_memory_and_are_only_counted() -> None:
    held, passes = outputs()
    assert 0 < held.stored_bytes < 12 * 2 * 8 * 1_100
    held.close()
    held.add(passes[0])
    assert (held.stored_bytes, held.count) == (0, 13)
    assert held.find(np.mean(passes, axis=0)) is None


def test_many_passes_over_many_images_take_little_memory() -> None:
    held = PassOutputs((10_000, 10))
    for _ in range(100):
        held.add(RANDOM.random((10_000, 10), dtype=np.float32))
    assert held.stored_bytes < 4 << 20
