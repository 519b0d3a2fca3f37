"""Replace `tensorflow_datasets` by `load` and `builder` for the course's data sets, using `tf.data`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..hooking.imports import Factory
from ..record.notes import Notes

__all__ = ["Builder", "Info", "Label", "Splits", "modules", "rows_of_split"]

Load = Callable[[str, str], Any]
"""Function (name, via) → `(x_train, y_train), (x_test, y_test)`."""

CLASS_NAMES: Mapping[str, tuple[str, ...]] = {
    "fashion_mnist": (
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
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
_PIECE = re.compile(r"\s*(\w+)\s*(?:\[\s*(-?\d+%?)?\s*:\s*(-?\d+%?)?\s*\])?\s*")


def rows_of_split(split: str, sizes: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Read a split such as `train[:80%]+test[:500]`.

    Args:
        split: The `split` argument of `tfds.load`; `all` means every split.
        sizes: Rows in each split.

    Returns:
        (split, first row, row after the last) of each piece, in order.

    Raises:
        ValueError: The text is malformed, or names an unknown split.
    """
    pieces = []
    for text in split.split("+"):
        match = _PIECE.fullmatch(text)
        if not match or (match[1] not in sizes and match[1] != "all"):
            split_names = ", ".join(sizes)
            msg = f"unknown split {text!r}; the splits are {split_names}"
            raise ValueError(msg)
        for name in sizes if match[1] == "all" else (match[1],):
            start, stop = (_bound(bound, sizes[name]) for bound in match.group(2, 3))
            pieces.append((name, start or 0, sizes[name] if stop is None else stop))
    return pieces


def _bound(text: str | None, size: int) -> int | None:
    if text is None:
        return None
    number = round(int(text[:-1]) * size / 100) if text.endswith("%") else int(text)
    return max(0, min(size, number + size if number < 0 else number))


class Label:
    """Feature of the labels: the numbers and names of the classes."""

    dtype = np.dtype(np.int64)
    shape = ()

    def __init__(self, names: Sequence[str]) -> None:
        """Store the names of the classes in the order of their numbers."""
        self.names = list(names)
        self.num_classes = len(self.names)

    def int2str(self, number: int) -> str:
        """Return the name of a class."""
        return self.names[int(number)]

    def str2int(self, name: str) -> int:
        """Return the number of a class."""
        return self.names.index(name)


class Splits(dict[str, Any]):
    """Sizes of the splits, also for slices such as `train[:10%]`."""

    def __missing__(self, split: str) -> Any:
        """Count the rows of a split that is a slice or a sum."""
        sizes = {name: part.num_examples for name, part in self.items()}
        count = sum(stop - start for _, start, stop in rows_of_split(split, sizes))
        return SimpleNamespace(name=split, num_examples=count)


class Info:
    """Information about a data set, which `with_info=True` returns with the data."""

    supervised_keys = ("image", "label")
    version = "3.0.1"
    description = citation = homepage = ""

    def __init__(self, name: str, image_shape: tuple[int, ...], classes: int, sizes: Mapping[str, int]) -> None:
        """Describe a data set.

        Args:
            name: The data set.
            image_shape: Height, width, channels.
            classes: Number of classes.
            sizes: Rows in each split.
        """
        self.name = self.full_name = name
        self.features = {
            "image": SimpleNamespace(shape=image_shape, dtype=np.dtype(np.uint8)),
            "label": Label(CLASS_NAMES.get(name) or [str(number) for number in range(classes)]),
        }
        self.splits = Splits({split: SimpleNamespace(name=split, num_examples=n) for split, n in sizes.items()})


class Builder:
    """Builder of a data set, as `tfds.builder` returns it; `load` uses it too."""

    def __init__(self, name: str, load: Load) -> None:
        """Load the data set.

        Args:
            name: Name with an optional version, such as `mnist` or `mnist:3.*.*`.
            load: Function that loads the arrays.

        Raises:
            RuntimeError: The course did not provide it.
        """
        self.name = re.split(r"[:/]", name)[0]
        train, test = load(self.name, "tensorflow_datasets.load")
        self._parts = {split: (self._images(x), y.ravel()) for split, (x, y) in (("train", train), ("test", test))}
        sizes = {split: len(y) for split, (_, y) in self._parts.items()}
        classes = int(self._parts["train"][1].max()) + 1 if sizes["train"] else 0
        self.info = Info(self.name, self._parts["train"][0].shape[1:], classes, sizes)

    @staticmethod
    def _images(x: np.ndarray) -> np.ndarray:
        return x[..., None] if x.ndim == 3 else x  # noqa: PLR2004 - gray images without a channel axis

    def download_and_prepare(self, **_: Any) -> None:
        """Do nothing: the data set is already on this machine."""

    def as_dataset(
        self,
        split: Any = None,
        *,
        batch_size: int | None = None,
        as_supervised: bool = False,
        shuffle_files: bool = False,
        **_: Any,
    ) -> Any:
        """Create `tf.data` data sets.

        Args:
            split: A split, a list or dictionary of splits, or None for all splits in a dictionary.
            batch_size: Rows per batch; -1 returns whole tensors.
            as_supervised: Whether to return `(image, label)` pairs instead of dictionaries.
            shuffle_files: Ignored, since there is only one file.
        """
        del shuffle_files
        if split is None:
            split = {name: name for name in self._parts}
        if isinstance(split, Mapping):
            return {key: self._one(each, batch_size, as_supervised) for key, each in split.items()}
        if isinstance(split, (list, tuple)):
            return type(split)(self._one(each, batch_size, as_supervised) for each in split)
        return self._one(split, batch_size, as_supervised)

    def _one(self, split: str, batch_size: int | None, as_supervised: bool) -> Any:  # noqa: FBT001 - private
        import tensorflow as tf

        sizes = {name: len(y) for name, (_, y) in self._parts.items()}
        pieces = rows_of_split(str(split), sizes)
        images, labels = (
            np.concatenate([self._parts[name][part][start:stop] for name, start, stop in pieces]) for part in (0, 1)
        )
        labels = labels.astype(np.int64)
        rows = (images, labels) if as_supervised else {"image": images, "label": labels}
        if batch_size == -1:
            return tf.nest.map_structure(tf.convert_to_tensor, rows)
        data = tf.data.Dataset.from_tensor_slices(rows)
        return data.batch(batch_size) if batch_size else data


def _as_numpy(data: Any) -> Any:
    import tensorflow as tf

    if isinstance(data, tf.data.Dataset):
        return _Rows(data)
    if isinstance(data, Mapping):
        return {key: _as_numpy(each) for key, each in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(_as_numpy(each) for each in data)
    return data.numpy() if hasattr(data, "numpy") else data


def _as_dataframe(data: Any, info: Any = None) -> Any:
    """Create a table with a column for each feature, like `tfds.as_dataframe`; images remain arrays."""
    import pandas as pd  # type: ignore[import-untyped]  # it brings no types

    del info
    keys = Info.supervised_keys
    return pd.DataFrame([row if isinstance(row, Mapping) else dict(zip(keys, row, strict=True)) for row in _Rows(data)])


def _show_examples(data: Any, info: Any = None, *_: Any, rows: int = 3, cols: int = 3, **__: Any) -> Any:
    """Draw the first images with their classes, like `tfds.show_examples`; either argument may be the data set."""
    import matplotlib.pyplot as plt

    if isinstance(data, Info):
        data, info = info, data
    figure = plt.figure(figsize=(3 * cols, 3 * rows))
    for place, row in zip(range(rows * cols), _Rows(data), strict=False):
        image, label = (row[key] for key in Info.supervised_keys) if isinstance(row, Mapping) else row
        axes = figure.add_subplot(rows, cols, place + 1)
        axes.imshow(image.squeeze(), cmap="binary")
        axes.set_axis_off()
        name = info.features["label"].int2str(label) if info is not None else label
        axes.set_title(f"{name} ({label})")
    return figure


class _Rows:
    def __init__(self, data: Any) -> None:
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        return iter(self._data.as_numpy_iterator())

    def __len__(self) -> int:
        return len(self._data)


def modules(load: Load, datasets: Sequence[str], notes: Notes) -> dict[str, Factory]:
    """Create the table of replacement modules.

    Args:
        load: Function that loads a data set.
        datasets: The names of the data sets that the course provides.
        notes: Receives a note when the replacement is used.
    """

    def load_dataset(name: str, *, split: Any = None, with_info: bool = False, **options: Any) -> Any:
        used = {key: options[key] for key in ("batch_size", "as_supervised", "shuffle_files") if key in options}
        builder = Builder(name, load)
        data = builder.as_dataset(split, **used)
        return (data, builder.info) if with_info else data

    def make(fullname: str) -> ModuleType:
        notes.tell(
            "tensorflow_datasets",
            "`tensorflow_datasets` was replaced: `load` and `builder` return the course's own copy of "
            f"{', '.join(datasets) or 'no data set'}, in the data set's original order.",
        )
        module = ModuleType(
            fullname, "A replacement with `load`, `builder`, `as_numpy`, `as_dataframe` and `show_examples`."
        )
        contents = {
            "__version__": "4.9.0",
            "load": load_dataset,
            "builder": lambda name, **_: Builder(name, load),
            "as_numpy": _as_numpy,
            "as_dataframe": _as_dataframe,
            "show_examples": _show_examples,
            "list_builders": lambda **_: list(datasets),
            "disable_progress_bar": lambda: None,
            "enable_progress_bar": lambda: None,
            "Split": SimpleNamespace(TRAIN="train", TEST="test", ALL="all"),
        }
        vars(module).update(contents)
        return module

    return {"tensorflow_datasets": make}
