"""Every module that holds a function is found, with and without an index."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from grader.inside.hooking import holders
from grader.inside.hooking.holders import holders_of, make_index
from grader.inside.hooking.imports import replace_everywhere


def load_model() -> None:
    """Stand for a function of Keras."""


def other() -> None:
    """Stand for a function that is not in the index."""


def module(name: str, **names: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(names)
    sys.modules[name] = made
    return made


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Leave the modules and the index as they were."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
    holders._index.clear()
    holders._modules.clear()


@pytest.mark.parametrize("function", [load_model, other])
@pytest.mark.parametrize("indexed", [True, False])
def test_holders_before_and_after_the_index_are_found(*, function: Any, indexed: bool) -> None:
    before = module("keras.first", load_model=function, loading=function, more=3)
    module("pandas.strange", load_model=function)
    if indexed:
        make_index()
    after = module("tensorflow.later", load_model=function)
    found = {(one.__name__, attribute) for one, attribute in holders_of(function, {"keras", "tensorflow"})}
    wanted = {(before.__name__, "load_model"), (before.__name__, "loading"), (after.__name__, "load_model")}
    assert found == wanted
    assert {one.__name__ for one, _ in holders_of(function, {"pandas"})} == {"pandas.strange"}


def test_a_replacement_can_be_replaced_again() -> None:
    holder = module("keras.first", load_model=load_model)
    make_index()

    def first() -> None:
        """Stand for a wrapper."""

    first.__name__ = "load_model"
    replace_everywhere(load_model, first, "load_model", ("keras",))
    replace_everywhere(first, other, "load_model", ("keras",))
    assert holder.load_model is other
    assert list(holders_of(load_model, {"keras"})) == []
