"""The head of an untrusted `.npy` file is read as numpy writes it, or refused with one kind of error."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from grader.facts.npy import LARGEST_HEAD, NpyHead, read_npy_head


def written(array: np.ndarray[Any, Any], version: tuple[int, int]) -> io.BytesIO:
    stream = io.BytesIO()
    npy.write_array(stream, array, version=version, allow_pickle=False)
    stream.seek(0)
    return stream


def head(text: bytes, version: bytes = b"\x01\x00") -> io.BytesIO:
    return io.BytesIO(b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little") + text)


@given(
    st.sampled_from(["<f4", ">f8", "|u1", "|b1", "<i8", "<u8", "<f2", ">i2"]),
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.booleans(),
    st.sampled_from([(1, 0), (2, 0), (3, 0)]),
)
def test_what_numpy_writes_is_read(dtype: str, shape: tuple[int, ...], fortran: bool, version: tuple[int, int]) -> None:  # noqa: FBT001 - drawn
    array = np.zeros(shape, dtype, order="F" if fortran else "C")
    stream = written(array, version)
    read = read_npy_head(stream)
    assert (read.shape, read.dtype, read.size) == (array.shape, array.dtype, array.nbytes)
    assert stream.read() == array.tobytes("F" if read.fortran else "C")


GOOD = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def test_the_example_of_the_refused_heads_is_right() -> None:
    assert read_npy_head(head(GOOD)) == NpyHead((2,), fortran=False, dtype=np.dtype("<f4"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,",  # the tokenizer raises an error of its own
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }",  # as Python 2 wrote it
        b"  {\n 'descr'\n\t:",
        b"(" * 300,
        b"-" * 3000 + b"1",
        GOOD.replace(b"<f4", b"|O"),
        GOOD.replace(b"<f4", b"<M8[s]"),
        GOOD.replace(b"<f4", b"<f5"),
        GOOD.replace(b"'<f4'", b"[('a', '<f4')]"),
        GOOD.replace(b"(2,)", b"(-2,)"),
        GOOD.replace(b"(2,)", b"(True,)"),
        GOOD.replace(b"(2,)", b"[2]"),
        GOOD.replace(b"(2,)", b"(2" + b"0" * 60 + b",)"),
        GOOD.replace(b"(2,)", b"(" + b"1," * 40 + b")"),
        GOOD.replace(b"False", b"0"),
        GOOD.replace(b"'shape'", b"'form'"),
        GOOD.replace(b"}", b"'x': 1}"),
        b"\xff\x00" * 20,
        b" " * (LARGEST_HEAD + 1),
    ],
)
def test_another_head_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"head|plain numbers"):
        read_npy_head(head(text))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00\x10\x00", b"PK\x03\x04" * 9])
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no \.npy file"):
        read_npy_head(io.BytesIO(content))


def test_a_head_that_ends_too_early_is_refused() -> None:
    with pytest.raises(ValueError, match="incomplete"):
        read_npy_head(io.BytesIO(head(GOOD).getvalue()[:30]))
