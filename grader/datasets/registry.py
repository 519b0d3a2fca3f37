"""Table of the data sets that the grader knows by name: their shapes, classes, licenses and official files."""

from collections.abc import Mapping
from dataclasses import dataclass

from grader.facts.nearest import did_you_mean
from grader.schema.errors import DatasetMissingError

__all__ = ["KNOWN", "PARTS", "SPLITS", "DatasetInfo", "OfficialFile", "unknown_dataset"]

SPLITS = ("train", "test")
PARTS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, slots=True)
class OfficialFile:
    """One file that Keras downloads for a data set."""

    name: str
    url: str
    sha256: str
    """Hash of the file, or of its unpacked content if `unpacked` is true."""
    unpacked: bool = False
    """Whether the hash belongs to the unpacked content; mirrors compress the same bytes differently."""


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """Properties of a known data set."""

    name: str
    title: str
    image_shape: tuple[int, ...]
    """Shape of one image in Keras: (height, width) or (height, width, channels)."""
    label_shape: tuple[int, ...]
    """Shape of one label: () or (1,)."""
    counts: Mapping[str, int]
    """Number of images in each split."""
    labels: tuple[str, ...]
    """Class names, starting with class 0."""
    licence: str
    files: tuple[OfficialFile, ...]
    caches: tuple[str, ...]
    """Paths relative to Keras's `datasets` folder where Keras stores it, newest Keras version first."""

    def shape(self, part: str) -> tuple[int, ...]:
        """Return the shape of one array.

        Args:
            part: `x_train`, `y_train`, `x_test` or `y_test`.
        """
        item_shape = self.image_shape if part.startswith("x") else self.label_shape
        return (self.counts[part[2:]], *item_shape)


_TENSORFLOW = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

KNOWN: Mapping[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="mnist",
            title="MNIST handwritten digits",
            image_shape=(28, 28),
            label_shape=(),
            counts={"train": 60_000, "test": 10_000},
            labels=tuple("0123456789"),
            licence="CC BY-SA 3.0, Y. LeCun, C. Cortes, C. Burges",
            files=(
                OfficialFile(
                    "mnist.npz",
                    _TENSORFLOW + "mnist.npz",
                    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                ),
            ),
            caches=("mnist.npz",),
        ),
        DatasetInfo(
            name="fashion_mnist",
            title="Fashion-MNIST articles of clothing",
            image_shape=(28, 28),
            label_shape=(),
            counts={"train": 60_000, "test": 10_000},
            labels=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            licence="MIT, Zalando SE",
            # Keras checks no hashes here. These are hashes of the unpacked files, which all distributions share.
            files=(
                OfficialFile(
                    "train-labels-idx1-ubyte.gz",
                    _TENSORFLOW + "train-labels-idx1-ubyte.gz",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    unpacked=True,
                ),
                OfficialFile(
                    "train-images-idx3-ubyte.gz",
                    _TENSORFLOW + "train-images-idx3-ubyte.gz",
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    unpacked=True,
                ),
                OfficialFile(
                    "t10k-labels-idx1-ubyte.gz",
                    _TENSORFLOW + "t10k-labels-idx1-ubyte.gz",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                    unpacked=True,
                ),
                OfficialFile(
                    "t10k-images-idx3-ubyte.gz",
                    _TENSORFLOW + "t10k-images-idx3-ubyte.gz",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    unpacked=True,
                ),
            ),
            caches=("fashion-mnist",),
        ),
        DatasetInfo(
            name="cifar10",
            title="CIFAR-10 tiny color photographs",
            image_shape=(32, 32, 3),
            label_shape=(1,),
            counts={"train": 50_000, "test": 10_000},
            labels=(
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
            licence="free for research and teaching with a citation: A. Krizhevsky, 2009",
            files=(
                OfficialFile(
                    "cifar-10-python.tar.gz",
                    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                ),
            ),
            caches=(
                "cifar-10-batches-py-target/cifar-10-batches-py",
                "cifar-10-batches-py",
                "cifar-10-batches-py.tar.gz",
            ),
        ),
    )
}


_NO_IMAGES: Mapping[str, str] = {
    "imdb": "texts",
    "reuters": "texts",
    "boston_housing": "numbers for a regression",
    "california_housing": "numbers for a regression",
}
"""Data sets of Keras that hold no images → their content."""


def unknown_dataset(name: str, also: tuple[str, ...] = ()) -> DatasetMissingError:
    """Build the error for an unknown data set, suggesting the most similar name.

    Args:
        name: The requested name.
        also: Names of the course's own data sets on this machine.
    """
    names = sorted({*KNOWN, *also})
    plain = name.lower().replace("-", "_")
    if plain in _NO_IMAGES:
        return DatasetMissingError(
            f"the data set `{name}` holds {_NO_IMAGES[plain]}, but the grader judges only classifiers of images",
            advice=f"use one of {', '.join(names)}, or import images of your own with `grader data import NAME FILE`",
        )
    return DatasetMissingError(
        f"unknown data set `{name}`{did_you_mean(plain, names)}",
        advice=f"known data sets are {', '.join(names)}; add another one with `grader data import NAME FILE`",
    )
