"""Read data set files: `.npz`, IDX, CIFAR batches, and tar archives of JPEG files.

Pickles are read only with a restricted unpickler. All readers return the four arrays as Keras's `load_data` does.
"""

import codecs
import gzip
import io
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from grader.datasets.registry import PARTS, DatasetInfo
from grader.schema.errors import DatasetMissingError

__all__ = [
    "Arrays",
    "RestrictedUnpickler",
    "check_arrays",
    "read_any",
    "read_cifar",
    "read_idx",
    "read_jpegs",
    "read_npz",
]

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
"""Arrays under the keys `x_train`, `y_train`, `x_test`, `y_test`."""

_IDX = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_LARGEST_BATCH = 64 << 20
_LARGEST_ARRAY = 4 << 30
_SHUFFLE_SEED = 20_240_917
_IDX_UNSIGNED_BYTE = 8


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Convert every error of a damaged file to `DatasetMissingError`."""
    try:
        yield
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        MemoryError,  # a header may announce any size
        zlib.error,
        tarfile.TarError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
    ) as error:
        msg = f"cannot read the file as a data set ({error})"
        raise DatasetMissingError(msg, where=str(path), advice="download it again, or import another copy") from error


def read_any(path: Path, info: DatasetInfo | None = None) -> Arrays:
    """Read a data set in any supported format.

    Args:
        path: An `.npz`; a folder of IDX files; a folder or tar of CIFAR batches; a tar of `<split>/<class>/x.jpg`.
        info: The known data set, if it is one; required for JPEG files to map class folders to labels.

    Raises:
        DatasetMissingError: The file is damaged or has none of these formats.
    """
    if path.is_dir():
        if (path / "data_batch_1").is_file():
            return read_cifar(path)
        return read_idx(path)
    if not path.is_file():
        msg = "the file does not exist"
        raise DatasetMissingError(msg, where=str(path), advice="check the path")
    if path.suffix == ".npz":
        return read_npz(path)
    if path.name.endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")):
        return read_cifar(path) if _holds_batches(path) else read_jpegs(path, info)
    msg = f"`{path.suffix}` is not a format that can be imported"
    advice = (
        "import an .npz with x_train, y_train, x_test and y_test, a folder of IDX files, or a tar of either CIFAR form"
    )
    raise DatasetMissingError(msg, where=str(path), advice=advice)


def read_npz(path: Path) -> Arrays:
    """Read an `.npz` with `x_train`, `y_train`, `x_test`, `y_test`.

    Raises:
        DatasetMissingError: The file is damaged, holds objects instead of numbers, or lacks one of the arrays.
    """
    with _reading(path), np.load(path, allow_pickle=False) as file:
        missing = [part for part in PARTS if part not in file.files]
        if missing:
            present = ", ".join(file.files) or "no arrays"
            msg = f"it must contain the arrays {', '.join(missing)}; it contains {present}"
            raise ValueError(msg)
        return {part: np.asarray(file[part]) for part in PARTS}


def read_idx(folder: Path) -> Arrays:
    """Read the four IDX files of MNIST or a data set like it from a folder, compressed with gzip or not.

    Raises:
        DatasetMissingError: A file is missing or damaged.
    """
    return {part: _read_idx_file(_idx_file(folder, stem)) for part, stem in _IDX.items()}


def _idx_file(folder: Path, stem: str) -> Path:
    for name in (f"{stem}.gz", stem, stem.replace("-idx", ".idx")):
        if (folder / name).is_file():
            return folder / name
    msg = f"the folder does not contain {stem}.gz"
    raise DatasetMissingError(msg, where=str(folder), advice="use a folder that contains all four IDX files")


def _read_idx_file(path: Path) -> Array:
    """Read one IDX file.

    Its format is two zero bytes, the type, the number of axes, each axis as a big-endian integer, then the numbers.
    """
    with _reading(path):
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(path.open("rb"))
            if path.suffix == ".gz":
                file = cast("IO[bytes]", stack.enter_context(gzip.open(file)))
            head = file.read(4)
            if len(head) != 4 or head[:2] != b"\x00\x00" or head[2] != _IDX_UNSIGNED_BYTE:  # noqa: PLR2004 -- IDX
                msg = "it is not an IDX file of bytes"
                raise ValueError(msg)
            shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(head[3]))
            count = int(np.prod(shape, dtype=np.int64))
            if count > _LARGEST_ARRAY:
                msg = f"its header announces {count:,} bytes, which is too many"
                raise ValueError(msg)
            content = file.read(count + 1)
        if len(content) != count:
            msg = f"it contains {len(content):,} bytes, but its header announces {count:,}"
            raise ValueError(msg)
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)


# --- CIFAR ---------------------------------------------------------------------------------------------------


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler for CIFAR's files; it creates only arrays, strings, numbers, lists and dictionaries."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the four functions that pickled NumPy arrays and bytes need; refuse everything else.

        Raises:
            pickle.UnpicklingError: The pickle requests any other name.
        """
        allowed: dict[str, Any] = {
            "_reconstruct": _reconstruct,
            "ndarray": np.ndarray,
            "dtype": _plain_dtype,
            "encode": codecs.encode,
        }
        modules = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "_codecs"}
        if module in modules and name in allowed and (name == "encode") == (module == "_codecs"):
            return allowed[name]
        msg = f"it refers to {module}.{name}, which does not belong in a data set"
        raise pickle.UnpicklingError(msg)


def _reconstruct(_kind: Any, _shape: Any, _code: Any) -> Array:
    """Create the empty array that the pickle fills next."""
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _plain_dtype(code: Any, *_flags: Any) -> np.dtype[Any]:
    """Create a numeric dtype; refuse arrays of objects."""
    dtype = np.dtype(code.decode("ascii") if isinstance(code, bytes) else code)
    if dtype.kind not in "biuf":
        msg = f"it contains an array of the unsupported type {dtype}"
        raise pickle.UnpicklingError(msg)
    return dtype


def _read_batch(file: IO[bytes]) -> tuple[Array, Array]:
    """Read one batch: images (n, 32, 32, 3) and labels (n, 1)."""
    content = file.read(_LARGEST_BATCH + 1)
    if len(content) > _LARGEST_BATCH:
        msg = "a batch is far larger than CIFAR's"
        raise ValueError(msg)
    batch = RestrictedUnpickler(io.BytesIO(content), encoding="bytes").load()
    pixels = np.asarray(batch[b"data"], dtype=np.uint8)
    labels = np.asarray(batch[b"labels"], dtype=np.uint8).reshape(-1, 1)
    images = pixels.reshape(len(labels), 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels


def read_cifar(path: Path) -> Arrays:
    """Read `cifar-10-python.tar.gz`, or the folder it unpacks to, with rows in the same order as Keras.

    Raises:
        DatasetMissingError: The file is damaged, or its pickles hold anything except arrays and lists.
    """
    with _reading(path):
        batches = dict(_folder_batches(path) if path.is_dir() else _tar_batches(path))
        names = [f"data_batch_{n}" for n in range(1, 6)]
        missing = [name for name in (*names, "test_batch") if name not in batches]
        if missing:
            msg = f"it does not contain {', '.join(missing)}"
            raise ValueError(msg)
        return {
            "x_train": np.concatenate([batches[name][0] for name in names]),
            "y_train": np.concatenate([batches[name][1] for name in names]),
            "x_test": batches["test_batch"][0],
            "y_test": batches["test_batch"][1],
        }


def _is_batch(name: str) -> bool:
    return name.startswith("data_batch_") or name == "test_batch"


def _folder_batches(folder: Path) -> Iterator[tuple[str, tuple[Array, Array]]]:
    for path in sorted(folder.iterdir()):
        if _is_batch(path.name):
            with path.open("rb") as file:
                yield path.name, _read_batch(file)


def _tar_batches(path: Path) -> Iterator[tuple[str, tuple[Array, Array]]]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name).name
            file = archive.extractfile(member) if member.isfile() and _is_batch(name) else None
            if file is not None:
                with closing(file):
                    yield name, _read_batch(file)


def _holds_batches(path: Path) -> bool:
    with _reading(path), tarfile.open(path) as archive:
        first = [Path(member.name).name for member, _ in zip(archive, range(20), strict=False)]
        return any(_is_batch(name) or name == "batches.meta" for name in first)


# --- JPEG files ----------------------------------------------------------------------------------------------


def read_jpegs(path: Path, info: DatasetInfo | None) -> Arrays:
    """Read a tar of `<split>/<class>/<n>.jpg`.

    The images in the archive are sorted by class. They are put into one fixed shuffled order, so that the first or last
    rows of a split contain every class, as in the original.

    Args:
        path: The tar.
        info: The known data set: its classes in order and its shapes.

    Raises:
        DatasetMissingError: The file is damaged, the data set is unknown, or a folder is not one of its classes.
    """
    if info is None:
        msg = "a tar file of pictures can only be imported for a data set with known classes"
        raise DatasetMissingError(
            msg, where=str(path), advice="import an .npz with x_train, y_train, x_test and y_test"
        )
    images: dict[str, list[tuple[str, Array, int]]] = {"train": [], "test": []}
    with _reading(path), tarfile.open(path) as archive:
        for member in archive:
            parts = Path(member.name).parts[-3:]
            file = archive.extractfile(member) if member.isfile() and _is_picture(parts) else None
            if file is not None:
                with closing(file):
                    images[parts[0]].append((member.name, _read_picture(file, info), _class_of(parts[1], info)))
    arrays: dict[str, Array] = {}
    for split, rows in images.items():
        arrays[f"x_{split}"], arrays[f"y_{split}"] = _in_fixed_order(rows, info)
    return arrays


def _is_picture(parts: Sequence[str]) -> bool:
    return len(parts) == 3 and parts[0] in {"train", "test"} and parts[2].lower().endswith((".jpg", ".jpeg", ".png"))  # noqa: PLR2004 -- split, class, file


def _class_of(folder: str, info: DatasetInfo) -> int:
    names = [name.lower() for name in info.labels]
    return names.index(folder.lower())


def _read_picture(file: IO[bytes], info: DatasetInfo) -> Array:
    colours = len(info.image_shape) == 3  # noqa: PLR2004 -- height, width, channels
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB" if colours else "L"), dtype=np.uint8)
    if pixels.shape != info.image_shape:
        msg = f"a picture has the shape {pixels.shape} instead of {info.image_shape}"
        raise ValueError(msg)
    return pixels


def _in_fixed_order(rows: list[tuple[str, Array, int]], info: DatasetInfo) -> tuple[Array, Array]:
    """Sort rows by name, then shuffle them with a constant seed, so the same tar gives the same rows everywhere."""
    rows.sort(key=lambda row: row[0])
    order = np.random.Generator(np.random.PCG64(_SHUFFLE_SEED)).permutation(len(rows))
    images = np.empty((len(rows), *info.image_shape), dtype=np.uint8)
    labels = np.empty((len(rows), *info.label_shape), dtype=np.uint8)
    for place, row in enumerate(order):
        images[place], labels[place] = rows[row][1], rows[row][2]
    return images, labels


# --- checks of the arrays ------------------------------------------------------------------------------------


def check_arrays(arrays: Arrays, info: DatasetInfo | None, where: str) -> None:
    """Make sure that four arrays form a data set, and the known one if `info` is given.

    Args:
        arrays: The arrays of a reader.
        info: The known data set that they should be; None for a course's own.
        where: The file, for the message.

    Raises:
        DatasetMissingError: The arrays have a wrong type, shape or label.
    """
    problem = _known_problem(arrays, info) if info else _own_problem(arrays)
    if problem:
        msg = f"the file is not this data set: {problem}"
        raise DatasetMissingError(msg, where=where, advice="import another copy")


def _known_problem(arrays: Arrays, info: DatasetInfo) -> str:
    for part in PARTS:
        have, want = arrays[part], info.shape(part)
        if have.dtype != np.uint8 or have.shape != want:
            return f"{part} has the type {have.dtype} and the shape {have.shape}; {info.name} needs uint8 and {want}"
    for part in ("y_train", "y_test"):
        highest = int(arrays[part].max())
        if highest >= len(info.labels):
            return f"{part} contains the class {highest}, but {info.name} has {len(info.labels)} classes"
    return ""


def _own_problem(arrays: Arrays) -> str:
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if x.ndim not in {2, 3, 4} or x.dtype.kind not in "buif" or not len(x):
            return f"x_{split} has the type {x.dtype} and the shape {x.shape}; it must be a numeric array of images"
        if y.dtype.kind not in "iu" or y.shape not in {(len(x),), (len(x), 1)}:
            return f"y_{split} has the type {y.dtype} and the shape {y.shape}; it must have one integer per image"
        if int(y.min()) < 0:
            return f"y_{split} contains the class {int(y.min())}; classes start at 0"
    shapes = [arrays[part].shape for part in ("x_train", "x_test")]
    if shapes[0][1:] != shapes[1][1:]:
        return f"the images of x_train and x_test have different shapes: {shapes[0]} and {shapes[1]}"
    return ""
