"""The preprocessing of a training, found from rows of a known data set."""

from pathlib import Path

import numpy as np
import pytest

from grader.inside.watch.preparation import affine_from_sample, prepared_test_images


def sample_file(folder: Path, images: np.ndarray, fingerprints: np.ndarray) -> Path:
    path = folder / "a1.npz"
    index = np.arange(0, len(images), 7)
    np.savez(path, fingerprints=fingerprints, sample_index=index, sample=images[index].astype(np.float32))
    return path


@pytest.mark.parametrize(("scale", "shift"), [(1 / 255, 0.0), (1 / 127.5, -1.0), (1.0, 0.0), (1 / 78.5675, -0.4241)])
def test_the_preparation_is_found_from_recognised_rows(
    tmp_path: Path, small_mnist: Path, scale: float, shift: float
) -> None:
    folder = small_mnist / "mnist"
    raw = np.load(folder / "x_train.npy")[500:700]
    prints = np.load(folder / "fingerprints.npy")[500:700]
    prepared = (raw * scale + shift).astype(np.float32)[..., None]
    found = affine_from_sample(sample_file(tmp_path, prepared, prints), folder)
    assert found is not None
    assert found.scale == pytest.approx(scale, rel=1e-4)
    assert found.shift == pytest.approx(shift, abs=1e-3)
    test = prepared_test_images(folder, found, (28, 28, 1), np.dtype(np.float32))
    assert test.shape == (400, 28, 28, 1)
    assert test == pytest.approx((np.load(folder / "x_test.npy") * scale + shift)[..., None], abs=1e-3)


def test_no_preparation_is_made_up_where_no_formula_explains_the_images(tmp_path: Path, small_mnist: Path) -> None:
    folder = small_mnist / "mnist"
    raw = np.load(folder / "x_train.npy")[:100].astype(np.float64)
    prints = np.load(folder / "fingerprints.npy")[:100]
    assert affine_from_sample(sample_file(tmp_path, np.sqrt(raw), prints), folder) is None
    assert affine_from_sample(sample_file(tmp_path, raw / 255, prints + np.uint64(1)), folder) is None
    assert affine_from_sample(sample_file(tmp_path, raw[:, ::2, ::2], prints), folder) is None
