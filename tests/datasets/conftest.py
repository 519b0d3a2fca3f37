"""Small data sets in the real formats."""

import gzip
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]


class Makers:
    """Makes small files in the formats that real data sets come in."""

    @staticmethod
    def pixels(count: int, *shape: int, seed: int = 0) -> Array:
        """Random images."""
        return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)

    @staticmethod
    def write_idx(folder: Path, train: int = 20, test: int = 10, *, packed: bool = True) -> dict[str, Array]:
        """Four IDX files with the head that MNIST's have."""
        arrays = {
            "train-images-idx3-ubyte": Makers.pixels(train, 28, 28),
            "train-labels-idx1-ubyte": np.arange(train, dtype=np.uint8) % 10,
            "t10k-images-idx3-ubyte": Makers.pixels(test, 28, 28, seed=1),
            "t10k-labels-idx1-ubyte": np.arange(test, dtype=np.uint8) % 10,
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            content = head + array.tobytes()
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                (folder / name).write_bytes(content)
        return arrays

    @staticmethod
    def batch_bytes(data: Array, labels: list[int]) -> bytes:
        """A batch as Python 2 pickled CIFAR's: keys as bytes, NumPy's old module name."""
        raw = pickle.dumps({b"data": data, b"labels": labels, b"batch_label": b"x"}, protocol=2)
        return raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")

    @staticmethod
    def write_cifar(
        target: Path, rows: int = 4, batches: dict[str, bytes] | None = None
    ) -> dict[str, tuple[Array, list[int]]]:
        """`cifar-10-python.tar.gz`, with fewer rows in each batch."""
        names = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
        contents: dict[str, tuple[Array, list[int]]] = {}
        with tarfile.open(target, "w:gz") as archive:
            for seed, name in enumerate(names):
                data = Makers.pixels(rows, 3072, seed=seed)
                labels = [(seed + row) % 10 for row in range(rows)]
                contents[name] = (data, labels)
                raw = (batches or {}).get(name, Makers.batch_bytes(data, labels))
                info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                info.size = len(raw)
                archive.addfile(info, io.BytesIO(raw))
        return contents


@pytest.fixture
def makers() -> type[Makers]:
    """Functions that create the files."""
    return Makers


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A course's own data set as `.npz`."""
    path = tmp_path / "own.npz"
    np.savez(
        path,
        allow_pickle=False,
        x_train=Makers.pixels(30, 8, 8),
        y_train=np.arange(30) % 3,
        x_test=Makers.pixels(6, 8, 8, seed=1),
        y_test=np.arange(6) % 3,
    )
    return path
