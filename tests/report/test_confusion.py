"""The confusion matrix and the images that were mistaken."""

import numpy as np

from grader.report.confusion import confused_pairs, confusion
from tests.report import samples


def test_rows_are_true_classes_and_columns_predicted_ones() -> None:
    matrix = confusion(np.array([0, 0, 1, 1, 2]), [0, 2, 1, 1, 0], "mnist")
    assert matrix is not None
    assert [[cell.count for cell in row.cells] for row in matrix.rows] == [[1, 0, 1], [0, 2, 0], [1, 0, 0]]
    assert [row.right for row in matrix.rows] == [0.5, 1.0, 0.0]
    assert (matrix.wrong, matrix.total) == (2, 5)


def test_the_matrix_counts_every_image_once() -> None:
    _, labels = samples.digits(500)
    matrix = confusion(labels, samples.guesses(labels, 40), "mnist")
    assert matrix is not None
    assert sum(cell.count for row in matrix.rows for cell in row.cells) == 500
    assert matrix.wrong == 40


def test_only_mistakes_are_shaded_and_the_most_frequent_one_most() -> None:
    matrix = confusion(np.array([0] * 10 + [1] * 10), [0] * 1 + [1] * 9 + [1] * 9 + [0], "mnist")
    assert matrix is not None
    assert [[cell.shade for cell in row.cells] for row in matrix.rows] == [[0, 6], [2, 0]]


def test_labels_of_shape_n_by_1_are_flattened() -> None:
    assert confusion(np.array([[0], [1]]), [0, 1], "cifar10") is not None


def test_predictions_that_do_not_belong_to_the_labels_have_no_matrix() -> None:
    assert confusion(np.array([0, 1]), [0], "mnist") is None
    assert confusion(np.array([0, 1]), [0, -1], "mnist") is None
    assert confusion(np.arange(100), list(range(100)), "many") is None


def test_a_class_that_does_not_exist_counts_as_wrong() -> None:
    matrix = confusion(np.array([0, 1]), [0, 7], "mnist")
    assert matrix is not None
    assert (matrix.wrong, matrix.rows[1].right) == (1, 0.0)


def test_classes_with_names_are_named() -> None:
    matrix = confusion(np.arange(10), list(range(10)), "fashion_mnist")
    assert matrix is not None
    assert matrix.names[9] == "ankle boot"


def test_the_most_frequent_pairs_come_first_with_their_images() -> None:
    images = np.zeros((6, 28, 28), np.uint8)
    pairs = confused_pairs(images, np.array([1, 4, 4, 9, 4, 3]), [7, 9, 4, 9, 9, 5], "mnist")
    assert [(pair.true, pair.predicted, pair.times, [m.index for m in pair.images]) for pair in pairs] == [
        ("4", "9", 2, [1, 4]),
        ("1", "7", 1, [0]),
        ("3", "5", 1, [5]),
    ]


def test_a_pair_shows_at_most_four_images_and_a_page_at_most_six_pairs() -> None:
    images = np.zeros((100, 28, 28), np.uint8)
    labels = np.arange(100) % 10
    pairs = confused_pairs(images, labels, ((labels + 1) % 10).tolist(), "mnist")
    assert [(pair.times, len(pair.images)) for pair in pairs] == [(10, 4)] * 6
    assert all(not pair.images for pair in confused_pairs(images, labels, [0] * 100, "mnist", most_images=0))


def test_a_perfect_model_has_no_mistakes_to_show() -> None:
    images, labels = samples.digits(50)
    assert confused_pairs(images, labels, labels.tolist(), "mnist") == ()
