"""Pictures as data URIs: PNG made from arrays, and a student's pictures once they have been verified."""

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

__all__ = ["MAX_IMAGE_BYTES", "MAX_PIXELS", "MAX_TOTAL_BYTES", "ImageBudget", "Picture", "png_uri", "verified_picture"]

MAX_IMAGE_BYTES: Final = 3 << 20
"""A larger picture of a student's is not shown in the report; it stays in `executed.ipynb`."""
MAX_PIXELS: Final = 12_000_000
"""A larger one would fill a browser's memory however small its file is."""
MAX_TOTAL_BYTES: Final = 24 << 20
"""All of a student's pictures in one report together."""
_FORMATS: Final = {"PNG": "image/png", "JPEG": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that may stand on the page."""

    uri: str
    """`data:image/png;base64,…` or `data:image/jpeg;base64,…`."""
    width: int
    height: int


@dataclass(slots=True)
class ImageBudget:
    """What is left of a page's allowance for a student's pictures."""

    left: int = MAX_TOTAL_BYTES

    def take(self, size: int) -> bool:
        """Take `size` bytes from the allowance; False, and nothing taken, when they do not fit."""
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
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):  # noqa: PLR2004  grey, or red-green-blue
        msg = f"an image has the shape (height, width) or (height, width, 3), not {pixels.shape}"
        raise ValueError(msg)
    return _uri(pixels.tobytes(), pixels.shape)


@lru_cache(maxsize=4096)
def _uri(data: bytes, shape: tuple[int, ...]) -> str:
    """Encode the bytes of an image once: the same images of a test set are hard for many networks."""
    pixels = np.frombuffer(data, dtype=np.uint8).reshape(shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def verified_picture(encoded: str, budget: ImageBudget) -> Picture | str:
    """Decode a student's picture and see that it is what it says, before a browser does.

    The format is read from the bytes, never from what the notebook calls them; the size from the header, before any
    pixel is unpacked.

    Args:
        encoded: base64, white space allowed.
        budget: The page's allowance; a verified picture is taken from it.

    Returns:
        The picture, or the reason in words why it is not shown.
    """
    if len(encoded) > MAX_IMAGE_BYTES * 3 // 2:
        return "it is larger than 3 MiB"
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return "its data is damaged"
    if len(data) > MAX_IMAGE_BYTES:
        return "it is larger than 3 MiB"
    seen = _measure(data)
    if isinstance(seen, str):
        return seen
    kind, width, height = seen
    if not budget.take(len(data)):
        return "the notebook's pictures are larger than 24 MiB together"
    return Picture(f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}", width, height)


def _measure(data: bytes) -> tuple[str, int, int] | str:
    """Return media type, width and height of a PNG or JPEG that holds together, or what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as image:
                kind, (width, height) = image.format or "", image.size
                if width * height > MAX_PIXELS:
                    return f"it has {width} by {height} pixels"
                image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "it has too many pixels"
    except Exception:  # noqa: BLE001  a crafted file can raise anything inside an image library
        return "it is not a sound PNG or JPEG"
    return _FORMATS[kind], width, height
