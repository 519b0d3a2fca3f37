"""Create data URIs of pictures: PNG files made from arrays, and verified pictures of students."""

import base64
import binascii
import io
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from grader.schema.message import Message, say

__all__ = ["MAX_IMAGE_BYTES", "MAX_PIXELS", "MAX_TOTAL_BYTES", "ImageBudget", "Picture", "png_uri", "verified_picture"]

MAX_IMAGE_BYTES: Final = 3 << 20
"""Maximum size of a student's picture in the report; larger ones remain in `executed.ipynb`."""
MAX_PIXELS: Final = 12_000_000
"""Maximum number of pixels; a larger picture would fill a browser's memory even if its file is small."""
MAX_TOTAL_BYTES: Final = 24 << 20
"""Maximum total size of a student's pictures in one report."""
_TOO_LARGE: Final = say("it is larger than {limit:size}", limit=MAX_IMAGE_BYTES)
_FORMATS: Final = {"PNG": "image/png", "JPEG": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is safe to show on the page."""

    uri: str
    """`data:image/png;base64,…` or `data:image/jpeg;base64,…`."""
    width: int
    height: int


@dataclass(slots=True)
class ImageBudget:
    """Remaining part of a page's size limit for a student's pictures."""

    left: int = MAX_TOTAL_BYTES

    def take(self, size: int) -> bool:
        """Subtract `size` bytes; return False and subtract nothing if they do not fit."""
        if size > self.left:
            return False
        self.left -= size
        return True


def png_uri(pixels: npt.NDArray[Any]) -> str:
    """Encode one image as a PNG data URI.

    Args:
        pixels: uint8 of shape (height, width), (height, width, 1) or (height, width, 3).

    Returns:
        `data:image/png;base64,…`.

    Raises:
        ValueError: The array is not such an image.
    """
    if pixels.dtype != np.uint8 or not pixels.size:
        msg = f"an image of uint8 pixels is needed, not {pixels.dtype} of shape {pixels.shape}"
        raise ValueError(msg)
    if pixels.ndim == 3 and pixels.shape[2] == 1:  # noqa: PLR2004  height, width, channel
        pixels = pixels[:, :, 0]
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):  # noqa: PLR2004  gray, or red-green-blue
        msg = f"an image has the shape (height, width) or (height, width, 3), not {pixels.shape}"
        raise ValueError(msg)
    return _uri(pixels.tobytes(), pixels.shape)


@lru_cache(maxsize=4096)
def _uri(data: bytes, shape: tuple[int, ...]) -> str:
    """Encode an image once: many models fail on the same test images."""
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def verified_picture(encoded: str, budget: ImageBudget) -> Picture | Message:
    """Decode a student's picture and verify its format before a browser opens it.

    The format is read from the bytes, not from the notebook's label, and the size from the header, before any pixel is
    decoded.

    Args:
        encoded: base64, with optional white space.
        budget: Size limit of the page; a verified picture reduces it.

    Returns:
        The picture, or a description of the reason why it is not shown.
    """
    if len(encoded) > MAX_IMAGE_BYTES * 3 // 2:
        return _TOO_LARGE
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return say("its data is damaged")
    if len(data) > MAX_IMAGE_BYTES:
        return _TOO_LARGE
    measured = _measure(data)
    if isinstance(measured, Message):
        return measured
    kind, width, height = measured
    if not budget.take(len(data)):
        return say("the pictures of the notebook have more than {limit:size} in total", limit=MAX_TOTAL_BYTES)
    return Picture(f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}", width, height)


def _measure(data: bytes) -> tuple[str, int, int] | Message:
    """Return media type, width and height of a valid PNG or JPEG, or a description of what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as image:
                kind, (width, height) = image.format or "", image.size
                if width * height > MAX_PIXELS:
                    return say("it has {size:shape} pixels", size=(width, height))
                image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return say("it has too many pixels")
    except Exception:  # noqa: BLE001  a crafted file can raise anything inside an image library
        return say("it is not a valid PNG or JPEG file")
    return _FORMATS[kind], width, height
