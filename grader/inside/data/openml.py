"""Serve `sklearn.datasets.fetch_openml` from the course's own copy, in OpenML's form."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import wrapt

from ..hooking.imports import after_import

__all__ = ["flat_images", "install", "wanted"]

NAMES = {"mnist_784": "mnist", "fashion_mnist": "fashion_mnist", "cifar_10": "cifar10"}
IDS = {554: "mnist_784", 40996: "Fashion-MNIST", 40927: "CIFAR_10"}
"""OpenML's number of each data set → its name."""


def wanted(name: str | None, data_id: int | None) -> tuple[str, str]:
    """Return which data set is requested.

    Args:
        name: OpenML's name of it.
        data_id: OpenML's number of it.

    Returns:
        OpenML's name and Keras's name; an unknown name is returned unchanged.
    """
    title = name if name is not None else IDS.get(data_id or 0, f"OpenML {data_id}")
    return title, NAMES.get(title.lower().replace("-", "_"), title)


def flat_images(x: np.ndarray) -> np.ndarray:
    """Convert images to OpenML's rows of 64-bit integers, which store color images channel by channel.

    Args:
        x: Images, (n, height, width) or (n, height, width, channels).
    """
    planes = x if x.ndim <= 3 else np.moveaxis(x, -1, 1)  # noqa: PLR2004 - batch, height and width
    return planes.reshape(len(x), -1).astype(np.int64)


def install(load: Callable[[str, str], Any], *, frames: bool = True) -> None:
    """Serve `fetch_openml` when scikit-learn is imported.

    Args:
        load: Function (name, via) → `(x_train, y_train), (x_test, y_test)`.
        frames: Whether data frames are returned by default, as since scikit-learn 0.24.
    """

    def fetch(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        del wrapped, instance
        arguments = kwargs | ({"name": args[0]} if args else {})
        title, dataset = wanted(arguments.get("name"), arguments.get("data_id"))
        (x_train, y_train), (x_test, y_test) = load(dataset, "sklearn.datasets.fetch_openml")
        data = np.concatenate([flat_images(x_train), flat_images(x_test)])
        target = np.concatenate([y_train.ravel(), y_test.ravel()]).astype(str).astype(object)
        return _bunch(
            title, data, target, as_frame=arguments.get("as_frame", frames), pair=arguments.get("return_X_y", False)
        )

    def hook(module: ModuleType) -> None:
        wrapt.wrap_function_wrapper(module, "fetch_openml", fetch)

    after_import("sklearn.datasets._openml", hook)


def _bunch(title: str, data: np.ndarray, target: np.ndarray, *, as_frame: Any, pair: bool) -> Any:
    from sklearn.utils import Bunch

    pixel = "a" if title == "CIFAR_10" else "pixel"
    first = 0 if pixel == "a" else 1
    names = [f"{pixel}{number}" for number in range(first, first + data.shape[1])]
    x: Any = data
    y: Any = target
    frame = None
    if as_frame:
        pd = import_module("pandas")
        x = pd.DataFrame(data, columns=names)
        y = pd.Series(target, name="class", dtype="category")
        frame = x.assign(**{"class": y})
    if pair:
        return x, y
    return Bunch(
        data=x,
        target=y,
        frame=frame,
        feature_names=names,
        target_names=["class"],
        categories=None if as_frame else {},
        details={"name": title, "version": "1"},
        DESCR=f"{title}, from the course's own copy.",
        url="",
    )
