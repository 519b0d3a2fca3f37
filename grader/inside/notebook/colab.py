"""Replace `google.colab`: calls that are useless elsewhere do nothing, and calls that need a person raise an error."""

from collections.abc import Mapping
from contextlib import nullcontext
from types import ModuleType
from typing import Any

from ..hooking.imports import Factory
from ..record.notes import Notes
from .paths import Places

__all__ = ["NobodyThereError", "SecretNotFoundError", "modules"]


class NobodyThereError(RuntimeError):
    """Error of a cell that waits for a person, since nobody is present during grading."""


class SecretNotFoundError(KeyError):
    """Error of a cell that asks for a Colab secret."""


def modules(notes: Notes, places: Places) -> dict[str, Factory]:
    """Create the table of replacement modules.

    Args:
        notes: Receives a note when a replacement is used.
        places: Makes the folder of Google Drive.
    """
    contents: dict[str, Mapping[str, Any]] = {
        "google.colab.drive": _drive(notes, places),
        "google.colab.files": _files(notes, places),
        "google.colab.output": _output(),
        "google.colab.userdata": _userdata(),
        "google.colab.auth": {"authenticate_user": _nothing},
        "google.colab.runtime": {"unassign": _nothing},
        "google.colab.patches": {"cv2_imshow": _cv2_imshow},
        "google.colab.data_table": {"enable_dataframe_formatter": _nothing, "disable_dataframe_formatter": _nothing},
    }

    def package(fullname: str) -> ModuleType:
        notes.tell("colab", "`google.colab` exists only in Colab; the notebook used a replacement.")
        return ModuleType(fullname, "A replacement for Colab's package.")

    table: dict[str, Factory] = {"google.colab": package}
    for name, attributes in contents.items():
        table[name] = _factory(attributes)
    return table


def _factory(attributes: Mapping[str, Any]) -> Factory:
    def make(fullname: str) -> ModuleType:
        module = ModuleType(fullname, "A replacement for Colab's module.")
        vars(module).update(attributes)
        return module

    return make


def _nothing(*_: Any, **__: Any) -> None:
    """Accept any arguments and do nothing."""


def _drive(notes: Notes, places: Places) -> Mapping[str, Any]:
    def mount(mountpoint: str = "/content/drive", *_: Any, **__: Any) -> None:
        places.make_drive(mountpoint)
        notes.tell(
            "colab.drive.mount",
            f"There is no Google Drive during grading: {mountpoint}/MyDrive is an empty folder. A missing file there "
            "is replaced by the submitted file with the same name. Submit the files together with the notebook.",
            show=True,
        )

    return {"mount": mount, "flush_and_unmount": _nothing}


def _files(notes: Notes, places: Places) -> Mapping[str, Any]:
    def upload(*_: Any, **__: Any) -> dict[str, bytes]:
        __tracebackhide__ = True  # IPython leaves this frame out of the student's traceback
        submitted = places.submitted_files()
        if submitted:
            notes.tell(
                "colab.files.upload.submitted",
                f"files.upload() returned the submitted files: {', '.join(submitted)}.",
                show=True,
            )
            return submitted
        message = (
            "files.upload() waits for a person to choose a file, but nobody is present during grading. "
            "Submit the file together with the notebook and open it by its name."
        )
        notes.tell("colab.files.upload", message)
        raise NobodyThereError(message)

    def download(filename: str = "", *_: Any, **__: Any) -> None:
        notes.tell("colab.files.download", f"files.download({filename!r}) did nothing: the file stays in its folder.")

    return {"upload": upload, "upload_file": upload, "download": download, "view": _nothing}


def _output() -> Mapping[str, Any]:
    def clear(*, wait: bool = False, **_: Any) -> None:
        from IPython.display import clear_output

        clear_output(wait=wait)

    names = ("eval_js", "register_callback", "enable_custom_widget_manager", "disable_custom_widget_manager")
    return {"clear": clear, "use_tags": nullcontext, **dict.fromkeys((*names, "no_vertical_scroll"), _nothing)}


def _userdata() -> Mapping[str, Any]:
    def get(key: str) -> str:
        msg = f"there is no secret {key!r} during grading"
        raise SecretNotFoundError(msg)

    return {"get": get, "SecretNotFoundError": SecretNotFoundError, "NotebookAccessError": SecretNotFoundError}


def _cv2_imshow(image: Any) -> None:
    """Show an image with channels in OpenCV's order: blue, green, red, and optionally alpha."""
    import numpy as np
    from IPython.display import display
    from PIL import Image

    pixels = np.clip(np.asarray(image), 0, 255).astype(np.uint8).squeeze()
    grey = 2
    if pixels.ndim > grey:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]
    display(Image.fromarray(pixels))
