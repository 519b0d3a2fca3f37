"""Images of a known data set in another shape get their plain form back; others leave some pixels of every row."""

from pathlib import Path

import numpy as np
import pytest

from grader.inside.describe.fingerprint import fingerprint
from grader.inside.describe.landmarks import LANDMARKS, KnownImages, landmarks

RAW = np.random.default_rng(0).integers(0, 256, (50, 12, 12), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
ROOM = 1 << 20


@pytest.fixture
def known(tmp_path: Path) -> KnownImages:
    for name, images in (("grey", RAW), ("colour", COLOUR)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x_train.npy", images)
        np.save(tmp_path / name / "fingerprints.npy", fingerprint(images))
    return KnownImages(tmp_path, ("grey", "colour", "not there"))


@pytest.mark.parametrize(
    "images",
    [
        np.pad(RAW, ((0, 0), (2, 2), (2, 2))),
        np.pad(RAW / 255.0, ((0, 0), (1, 1), (3, 3)), constant_values=-1)[..., None],
        np.repeat(RAW[..., None], 3, axis=-1),
        np.pad(np.repeat(RAW[..., None], 3, axis=-1), ((0, 0), (2, 2), (2, 2), (0, 0))),
    ],
    ids=["padded", "padded with white", "repeated", "both"],
)
def test_a_frame_and_repeated_channels_are_undone(known: KnownImages, images: np.ndarray) -> None:
    assert not known.knows(fingerprint(images))
    assert known.knows(fingerprint(known.plain(images)))
    np.testing.assert_array_equal(fingerprint(known.plain(images)), fingerprint(RAW))


@pytest.mark.parametrize(
    "images",
    [
        RAW,
        COLOUR,
        RAW.reshape(50, -1),
        np.random.default_rng(2).random((50, 16, 16)),
        np.pad(RAW, ((0, 0), (10, 10), (10, 10))),
        np.pad(RAW, ((0, 0), (2, 3), (2, 2))),
        np.stack([RAW, RAW, 255 - RAW], axis=-1),
        np.empty((0, 16, 16)),
    ],
    ids=[
        "grey",
        "colour",
        "flat",
        "no frame",
        "a wide frame",
        "a crooked frame",
        "three different channels",
        "nothing",
    ],
)
def test_what_is_no_known_image_in_another_shape_stays_as_it_is(known: KnownImages, images: np.ndarray) -> None:
    assert known.plain(images) is images


def test_the_pixels_that_vary_most_are_kept_of_every_row() -> None:
    images = np.zeros((40, 20, 20), np.float32)
    images[:, 5:15, 5:15] = np.random.default_rng(3).random((40, 10, 10))
    kept = landmarks(images, images[:30], ROOM)
    index, values = kept["landmark_index"], kept["landmarks"]
    assert values.shape == (40, len(index)) == (40, LANDMARKS)
    assert (np.diff(index) > 0).all()
    np.testing.assert_array_equal(values, images.reshape(40, -1)[:, index])
    assert all(5 <= place // 20 < 15 and 5 <= place % 20 < 15 for place in index.tolist())


@pytest.mark.parametrize(
    ("images", "room"),
    [
        (RAW, 10),
        (RAW[:5], ROOM),
        (np.ones((40, 12, 12)), ROOM),
        (np.full((40, 12, 12), np.nan), ROOM),
    ],
    ids=["no room", "few rows", "constant", "not a number"],
)
def test_landmarks_that_would_say_nothing_or_are_too_many_are_not_kept(images: np.ndarray, room: int) -> None:
    assert landmarks(images, images.astype(np.float32), room) == {}
