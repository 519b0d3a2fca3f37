"""Modules that do not exist here, and modules under another name."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from grader.inside.hooking.imports import AliasFinder, StandInFinder, after_import, prefer, replace_everywhere


@pytest.fixture(autouse=True)
def _own_imports() -> Iterator[None]:
    finders, modules = list(sys.meta_path), set(sys.modules)
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_stand_in_is_made_when_it_is_first_imported_and_only_then() -> None:
    made: list[str] = []

    def make(name: str) -> ModuleType:
        made.append(name)
        return ModuleType(name)

    prefer(StandInFinder({"not_there": make, "not_there.below": make}))
    assert made == []
    below = importlib.import_module("not_there.below")
    assert made == ["not_there", "not_there.below"]
    assert sys.modules["not_there"].below is below
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("not_there.further")


def test_a_stand_in_below_a_real_namespace_leaves_its_neighbours_alone() -> None:
    prefer(StandInFinder({"json.extra": ModuleType}))
    assert importlib.import_module("json.extra").__name__ == "json.extra"
    assert importlib.import_module("json.tool").__file__


def test_an_alias_is_the_very_same_module_and_keeps_its_own_spec() -> None:
    prefer(AliasFinder("jason", "json"))
    alias = importlib.import_module("jason.decoder")
    real = importlib.import_module("json.decoder")
    assert alias is real
    assert real.__spec__ is not None
    assert real.__spec__.name == "json.decoder"
    assert importlib.import_module("jason") is importlib.import_module("json")


def test_an_alias_has_nothing_that_its_target_lacks() -> None:
    prefer(AliasFinder("jason", "json"))
    with pytest.raises(ModuleNotFoundError, match=r"jason\.nothing"):
        importlib.import_module("jason.nothing")
    with pytest.raises(ModuleNotFoundError, match="jasonette"):
        importlib.import_module("jasonette")


def test_a_failing_hook_does_not_fail_the_import() -> None:
    prefer(StandInFinder({"hooked": ModuleType}))
    seen: list[str] = []

    def hook(module: ModuleType) -> None:
        seen.append(module.__name__)
        raise AttributeError

    after_import("hooked", hook)
    assert importlib.import_module("hooked").__name__ == "hooked"
    assert seen == ["hooked"]


def test_a_function_is_replaced_wherever_it_was_imported_to() -> None:
    def old() -> None: ...

    def new() -> None: ...

    for name in ("pack", "pack.a", "other.a"):
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name])["load"] = old
    replace_everywhere(old, new, "load", ("pack",))
    assert [vars(sys.modules[name])["load"] for name in ("pack", "pack.a", "other.a")] == [new, new, old]
