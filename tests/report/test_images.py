"""Pictures as data URIs."""

import base64
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from grader.report.images import ImageBudget, Picture, png_uri, verified_picture
from grader.schema.message import Message, say
from tests.report import samples


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (32, 32, 3)])
def test_an_array_becomes_a_png_with_the_same_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(
        np.asarray(_decoded(png_uri(pixels))), pixels.reshape(shape[:2]) if shape[-1] == 1 else pixels
    )


@pytest.mark.parametrize("wrong", [np.zeros((28, 28)), np.zeros((28,), np.uint8), np.zeros((2, 2, 4), np.uint8)])
def test_an_array_that_is_no_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="image"):
        png_uri(wrong)


def test_a_sound_picture_is_shown_with_its_size() -> None:
    found = verified_picture(samples.png(320, 200), ImageBudget())
    assert isinstance(found, Picture)
    assert (found.width, found.height) == (320, 200)
    assert found.uri.startswith("data:image/png;base64,")


def test_a_picture_that_would_fill_the_memory_is_not_shown() -> None:
    assert isinstance(verified_picture(samples.bomb(), ImageBudget()), Message)
    large = verified_picture(samples.bomb(4_000), ImageBudget())
    assert large == say("it has {size:shape} pixels", size=[4000, 4000])


def test_the_format_is_read_from_the_bytes_and_not_from_what_they_are_called() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, format="JPEG")
    found = verified_picture(base64.b64encode(buffer.getvalue()).decode(), ImageBudget())
    assert isinstance(found, Picture)
    assert found.uri.startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(
    "data", [b"GIF89a", b"<svg onload=alert(1)/>", b"", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 9)]
)
def test_what_is_not_a_png_or_jpeg_is_not_shown(data: bytes) -> None:
    assert verified_picture(base64.b64encode(data).decode(), ImageBudget()) == say("it is not a valid PNG or JPEG file")


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 300))
def test_a_damaged_picture_never_breaks_the_report(noise: bytes, place: int) -> None:
    data = base64.b64decode(samples.png(8, 8))
    broken = data[:place] + noise + data[place + len(noise) :]
    assert isinstance(verified_picture(base64.b64encode(broken).decode(), ImageBudget()), Picture | Message)


def test_all_pictures_together_stay_within_the_allowance() -> None:
    size = len(base64.b64decode(samples.png()))
    budget = ImageBudget(left=size + 1)
    assert isinstance(verified_picture(samples.png(), budget), Picture)
    assert isinstance(verified_picture(samples.png(), budget), Message)
    assert budget.left == 1
