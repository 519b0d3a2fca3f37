"""Real MNIST, its index, and a record folder to write claims into."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import grader
from grader.evidence.provenance import DatasetIndex, make_index
from grader.inside.describe.fingerprint import fingerprint
from grader.schema.submission import Run

MNIST = Path(grader.__file__).parent / "datasets" / "files" / "mnist.npz"


@pytest.fixture(scope="session")
def mnist() -> SimpleNamespace:
    with np.load(MNIST) as stored:
        return SimpleNamespace(**{name: stored[name] for name in ("x_train", "y_train", "x_test", "y_test")})


@pytest.fixture(scope="session")
def mnist_index(mnist: SimpleNamespace) -> DatasetIndex:
    prints = np.concatenate([fingerprint(mnist.x_train), fingerprint(mnist.x_test)])
    return make_index("mnist", mnist.x_train, mnist.y_train, mnist.x_test, mnist.y_test, prints)


@pytest.fixture(scope="session")
def indexes(mnist_index: DatasetIndex) -> dict[str, DatasetIndex]:
    return {"mnist": mnist_index}


@pytest.fixture
def small_index() -> DatasetIndex:
    """A data set of 300 + 100 random 6-by-6 images of 4 classes."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (400, 6, 6), dtype=np.uint8)
    labels = rng.integers(0, 4, 400)
    labels[:4] = range(4)
    return make_index("tiny", images[:300], labels[:300], images[300:], labels[300:], fingerprint(images))


@pytest.fixture
def run() -> Run:
    """A run of three code cells that are the notebook's cells 2, 3 and 5."""
    return Run(
        status="completed",
        seconds=1.0,
        cells_run=3,
        cells_total=3,
        isolation="none",
        seed=7,
        dialect="keras3",
        cell_map=(1, 2, 4),
    )


class Record:
    """Writes arrays as the recorder does and returns their descriptions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "arrays").mkdir(parents=True)
        self._number = 0

    def array(self, images: NDArray[Any], **more: Any) -> dict[str, Any]:
        self._number += 1
        file = f"arrays/a{self._number}.npz"
        index = np.unique(np.linspace(0, len(images) - 1, min(128, len(images))).round().astype(np.int64))
        np.savez(
            self.root / file,
            fingerprints=fingerprint(images),
            sample_index=index,
            sample=images[index].astype(np.float32),
        )
        description = {
            "array": f"a{self._number}",
            "shape": list(images.shape),
            "dtype": str(images.dtype),
            "low": float(images.min()),
            "high": float(images.max()),
            "mean": float(images.mean()),
            "std": float(images.std()),
            "source": "array",
            "names": ["x"],
            "file": file,
        }
        return description | more

    def labels(self, labels: NDArray[Any]) -> dict[str, Any]:
        self._number += 1
        file = f"arrays/y{self._number}.npy"
        np.save(self.root / file, labels.astype(np.int32))
        values, counts = np.unique(labels, return_counts=True)
        classes = {str(int(v)): int(c) for v, c in zip(values, counts, strict=True)}
        return {"shape": [len(labels)], "dtype": "uint8", "one_hot": False, "classes": classes, "file": file}


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "record")


@pytest.fixture
def events() -> Callable[..., list[dict[str, Any]]]:
    """Number events and put them into the second executed cell unless they say otherwise."""

    def make(*given: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"n": n, "t": float(n), "cell": 2, **event} for n, event in enumerate(given, start=1)]

    return make
