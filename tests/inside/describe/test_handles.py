"""The variables of a graph are read by their handles."""

from types import SimpleNamespace
from typing import Any

import pytest

from grader.inside.describe.handles import handles_of, kind_of, shape_of


class Tensor:
    """A tensor of a type, with the text by which TensorFlow shows it."""

    def __init__(self, dtype: str, text: str = "") -> None:
        self.dtype = SimpleNamespace(name=dtype)
        self.text = text

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        (Tensor("resource", '<ResourceHandle(name="kernel", type="tensorflow::Var")>'), "Var"),
        (Tensor("resource", '<ResourceHandle(type="tensorflow::data::IteratorResource")>'), "IteratorResource"),
        (Tensor("resource", "<ResourceHandle>"), "Resource"),
        (Tensor("variant"), "Dataset"),
    ],
)
def test_a_resource_has_a_kind(tensor: Any, kind: str) -> None:
    assert kind_of(tensor) == kind


def test_variables_of_both_kinds_have_handles_and_other_objects_have_none() -> None:
    of_tensorflow = SimpleNamespace(handle="first")
    of_keras_3 = SimpleNamespace(_value=SimpleNamespace(handle="second"))
    assert list(handles_of([of_tensorflow, object(), of_keras_3])) == ["first", "second"]


def test_an_unknown_size_of_a_variable_counts_as_0() -> None:
    shape = SimpleNamespace(dim=[SimpleNamespace(size=3), SimpleNamespace(size=-1)])
    handle = SimpleNamespace(_handle_data=SimpleNamespace(shape_and_type=[SimpleNamespace(shape=shape)]))
    assert shape_of(handle) == (3, 0)
