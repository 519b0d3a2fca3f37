"""Rows of real MNIST are recognised, and nothing else is."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.evidence.provenance import DatasetIndex, Recognition, make_index, overlap, recognise_rows
from grader.inside.describe.fingerprint import fingerprint

Index = dict[str, DatasetIndex]


def recognise(
    images: NDArray[Any], labels: NDArray[Any] | None, indexes: Index, *, neighbours: bool = True
) -> Recognition | None:
    """Recognise an array as it would come out of the record."""
    index = np.unique(np.linspace(0, len(images) - 1, min(128, len(images))).round().astype(np.int64))
    sample = images[index].astype(np.float32)
    classes = None if labels is None else labels.astype(np.int32)
    return recognise_rows(fingerprint(images), classes, sample, index, indexes, neighbours=neighbours)


def known(found: Recognition | None) -> Recognition:
    assert found is not None
    return found


def standardised(images: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    """Standardise column by column as scikit-learn does."""
    flat = like.reshape(len(like), -1).astype(np.float32)
    std = flat.std(axis=0)
    std[std == 0] = 1
    scaled: NDArray[Any] = (images.reshape(len(images), -1).astype(np.float32) - flat.mean(axis=0)) / std
    return scaled


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda x: x, id="raw"),
        pytest.param(lambda x: x / np.float32(255), id="divided"),
        pytest.param(lambda x: x / 255.0 - 0.5, id="shifted"),
        pytest.param(lambda x: (x - 33.3) / 78.6, id="standardised by one mean"),
        pytest.param(lambda x: x.reshape(len(x), -1) / 255.0, id="flattened"),
        pytest.param(lambda x: x[..., None].astype(np.float16), id="half precision"),
        pytest.param(
            lambda x: (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True), id="standardised per image"
        ),
    ],
)
def test_scaled_shifted_and_reshaped_rows_keep_their_numbers(
    mnist: SimpleNamespace, indexes: Index, prepare: Any
) -> None:
    found = known(recognise(prepare(mnist.x_train[2000:7000]), None, indexes))
    assert found.fact.method == "fingerprint"
    assert found.fact.counts == {"train": 5000, "test": 0}
    assert (found.fact.matched, found.fact.order) == (1.0, "original")
    assert (found.fact.start, found.fact.stop, found.fact.duplicates) == (2000, 7000, 0)
    assert found.rows is not None
    np.testing.assert_array_equal(found.rows, np.arange(2000, 7000))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_selection_of_rows_is_recognised_row_by_row(
    mnist: SimpleNamespace, indexes: Index, data: st.DataObject
) -> None:
    rows = np.array(data.draw(st.lists(st.integers(0, 69_999), min_size=1, max_size=40)))
    scale = data.draw(st.floats(1e-3, 1e3))
    shift = data.draw(st.floats(-10, 10))
    images = np.stack([mnist.x_train[r] if r < 60_000 else mnist.x_test[r - 60_000] for r in rows])
    found = known(recognise(images * scale + shift, None, indexes))
    assert found.rows is not None
    np.testing.assert_array_equal(found.rows, rows)
    assert found.fact.counts == {"train": int((rows < 60_000).sum()), "test": int((rows >= 60_000).sum())}
    assert found.fact.duplicates == sum(count > 1 for count in np.unique(rows, return_counts=True)[1])


def test_a_shuffled_split_is_whole_and_shuffled(mnist: SimpleNamespace, indexes: Index) -> None:
    order = np.random.default_rng(0).permutation(60_000)
    found = known(recognise(mnist.x_train[order], mnist.y_train[order], indexes))
    assert (found.fact.order, found.fact.start, found.fact.stop) == ("shuffled", 0, 60_000)


def test_test_images_among_the_training_images_are_counted(mnist: SimpleNamespace, indexes: Index) -> None:
    mixed = np.concatenate([mnist.x_train[:500], mnist.x_test[:120]]) / 255.0
    fact = known(recognise(mixed, None, indexes)).fact
    assert fact.counts == {"train": 500, "test": 120}
    assert (fact.start, fact.stop) == (None, None)


def test_rows_that_stand_twice_are_counted(mnist: SimpleNamespace, indexes: Index) -> None:
    fact = known(recognise(mnist.x_train[[0, 1, 2, 1, 2, 2]], None, indexes)).fact
    assert fact.duplicates == 2


def test_pixels_standardised_column_wise_are_known_by_their_labels(mnist: SimpleNamespace, indexes: Index) -> None:
    images = standardised(mnist.x_test, mnist.x_train)
    found = known(recognise(images, mnist.y_test, indexes))
    assert found.fact.method == "labels"
    assert found.fact.counts == {"train": 0, "test": 10_000}
    assert (found.fact.start, found.fact.stop) == (0, 10_000)


def test_an_inverted_image_is_known_by_its_labels(mnist: SimpleNamespace, indexes: Index) -> None:
    fact = known(recognise(1 - mnist.x_train[:3000] / 255.0, mnist.y_train[:3000], indexes)).fact
    assert (fact.method, fact.start, fact.stop) == ("labels", 0, 3000)


def test_labels_alone_do_not_make_noise_a_data_set(mnist: SimpleNamespace, indexes: Index) -> None:
    noise = np.random.default_rng(1).normal(size=(2000, 28, 28))
    assert recognise(noise, mnist.y_train[:2000], indexes) is None


def test_constant_images_with_the_right_labels_are_not_recognised(mnist: SimpleNamespace, indexes: Index) -> None:
    assert recognise(np.zeros((500, 28, 28)), mnist.y_train[:500], indexes) is None


def test_labels_that_belong_to_other_rows_do_not_name_them(mnist: SimpleNamespace, indexes: Index) -> None:
    images = standardised(mnist.x_train[5000:6000], mnist.x_train)
    assert recognise(images, mnist.y_train[:1000], indexes, neighbours=False) is None


def test_shuffled_column_wise_standardised_rows_are_known_by_neighbours(mnist: SimpleNamespace, indexes: Index) -> None:
    order = np.random.default_rng(0).permutation(60_000)[:48_000]
    chosen = mnist.x_train[order]
    found = known(recognise(standardised(chosen, chosen), mnist.y_train[order], indexes))
    assert found.fact.method == "neighbour"
    assert found.fact.counts == {"train": 48_000, "test": 0}
    assert (found.rows, found.fact.start, found.fact.duplicates) == (None, None, 0)
    sampled = np.unique(np.linspace(0, 47_999, 128).round().astype(np.int64))
    np.testing.assert_array_equal(found.sample_rows, order[sampled])


def test_neighbours_count_both_splits_from_the_sample(mnist: SimpleNamespace, indexes: Index) -> None:
    images = standardised(np.concatenate([mnist.x_train[:3000], mnist.x_test[:1000]]), mnist.x_train)
    shuffled = images[np.random.default_rng(3).permutation(4000)]
    fact = known(recognise(shuffled, None, indexes)).fact
    assert sum(fact.counts.values()) == 4000
    assert fact.counts["test"] == pytest.approx(1000, abs=400)


@pytest.mark.parametrize(
    "augment",
    [
        pytest.param(lambda x: np.roll(x, 2, axis=2), id="moved"),
        pytest.param(lambda x: x[:, :, ::-1], id="mirrored"),
        pytest.param(lambda x: x + np.random.default_rng(2).normal(0, 30, x.shape), id="noisy"),
    ],
)
def test_augmented_images_are_not_guessed(mnist: SimpleNamespace, indexes: Index, augment: Any) -> None:
    order = np.random.default_rng(0).permutation(2000)
    found = recognise(augment(mnist.x_train[order].astype(np.float32)), mnist.y_train[order], indexes)
    assert found is None or found.fact.matched < 0.05


def test_partly_augmented_images_are_matched_in_part(mnist: SimpleNamespace, indexes: Index) -> None:
    images = np.concatenate([mnist.x_train[:100], np.roll(mnist.x_train[100:400], 3, axis=1)])
    fact = known(recognise(images, None, indexes)).fact
    assert fact.matched == pytest.approx(0.25, abs=0.01)


def test_the_data_set_with_most_rows_is_named(mnist_index: DatasetIndex, small_index: DatasetIndex) -> None:
    images = small_index.images["train"][:50]
    fact = known(recognise(images, None, {"mnist": mnist_index, "tiny": small_index})).fact
    assert (fact.dataset, fact.stop) == ("tiny", 50)


def test_nothing_is_recognised_without_data_sets(mnist: SimpleNamespace) -> None:
    assert recognise(mnist.x_train[:10], None, {}) is None


def test_identical_images_of_a_data_set_continue_their_neighbours() -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 5, 5), dtype=np.uint8)
    images[25] = images[3]
    images[26] = images[4]
    index = make_index("d", images[:20], np.zeros(20), images[20:], np.zeros(10), fingerprint(images))
    for start, stop in ((0, 20), (20, 30)):
        found = known(recognise(images[start:stop], None, {"d": index}))
        assert found.rows is not None
        np.testing.assert_array_equal(found.rows, np.arange(start, stop))


def test_every_copy_of_an_image_can_be_used_once() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 5), dtype=np.uint8)
    images[4] = images[1]
    index = make_index("d", images, np.zeros(6), images[:0], np.zeros(0), fingerprint(images))
    found = known(recognise(images[[1, 4]], None, {"d": index}))
    assert found.rows is not None
    assert sorted(found.rows.tolist()) == [1, 4]
    assert found.fact.duplicates == 0


def test_an_index_gives_raw_rows_of_both_splits(mnist: SimpleNamespace, mnist_index: DatasetIndex) -> None:
    raw = mnist_index.raw([60_000, 5, 69_999])
    np.testing.assert_array_equal(raw, np.stack([mnist.x_test[0], mnist.x_train[5], mnist.x_test[9999]]))
    with pytest.raises(IndexError, match="mnist has rows 0 to 69999"):
        mnist_index.raw([70_000])


def test_parts_of_different_length_make_no_index() -> None:
    images = np.zeros((3, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="do not match the numbers of images and labels"):
        make_index("d", images, np.zeros(3), images, np.zeros(2), np.zeros(6))


def test_column_labels_are_flattened() -> None:
    images = np.zeros((3, 2, 2), np.uint8)
    index = make_index("d", images, np.array([[0], [1], [2]]), images[:0], np.zeros((0, 1)), np.zeros(3))
    assert index.labels["train"].tolist() == [0, 1, 2]
    assert index.classes == 3


def test_overlap_counts_each_row_once_and_no_unknown_ones() -> None:
    assert overlap(np.array([1, 2, 2, -1], np.int32), np.array([2, 2, 3, -1], np.int32)) == 1
    assert overlap(None, np.array([1], np.int32)) is None
