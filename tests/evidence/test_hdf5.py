"""The reader of HDF5 files agrees with the library, and survives every damage."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.evidence.hdf5 import Hdf5Error, read_arrays

h5py = pytest.importorskip("h5py")


def file_of(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as store:
        for path, values in arrays.items():
            store.create_dataset(path, data=values)
    return stream.getvalue()


NAMES = st.text("abcdef_0123456789", min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.lists(NAMES, min_size=2, max_size=2).map("/group_".join),
        st.lists(st.integers(0, 4), max_size=3),
        max_size=30,
    )
)
def test_every_array_is_found_with_its_shape_and_numbers(shapes: dict[str, list[int]]) -> None:
    arrays = {path: np.full(shape, number, "f4") for number, (path, shape) in enumerate(shapes.items())}
    content = file_of(arrays)
    found = read_arrays(content)
    assert {path: array.shape for path, array in found.items()} == {path: a.shape for path, a in arrays.items()}
    for path, array in found.items():
        assert content[array.start : array.start + array.size] == arrays[path].tobytes()


WHOLE = file_of({f"layers/dense_{number}/vars/0": np.ones((3, number), "f4") for number in range(12)})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(WHOLE)))
def test_a_damaged_file_is_refused_or_read(changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(WHOLE)
    for at, value in changes:
        damaged[at] = value
    for content in (bytes(damaged), bytes(damaged[:length])):
        try:
            arrays = read_arrays(content)
        except Hdf5Error:
            continue
        assert all(array.start + array.size <= len(content) for array in arrays.values() if array.size)


def test_links_and_compressed_arrays_are_refused() -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as store:
        store["link"] = h5py.SoftLink("/x")
    with pytest.raises(Hdf5Error, match="links"):
        read_arrays(stream.getvalue())
    packed = io.BytesIO()
    with h5py.File(packed, "w") as store:
        store.create_dataset("a", data=np.ones(100), compression="gzip")
    with pytest.raises(Hdf5Error, match="one block"):
        read_arrays(packed.getvalue())
