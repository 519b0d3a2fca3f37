"""The nearest name: one function for every unknown name."""

from pathlib import Path

import pytest

from grader.facts.nearest import did_you_mean, near_path, nearest, suggestion

NAMES = ("mnist", "fashion_mnist", "CIFAR10")


@pytest.mark.parametrize(
    ("name", "near"), [("mnits", "mnist"), ("MNIST", "mnist"), ("cifar-10", "CIFAR10"), ("xyzzy", None), ("", None)]
)
def test_the_most_similar_name_is_found_whatever_its_case(name: str, near: str | None) -> None:
    assert nearest(name, NAMES) == near


def test_without_a_similar_name_a_suggestion_lists_all() -> None:
    assert suggestion("mnits", NAMES) == "; did you mean 'mnist'?"
    assert suggestion("xyzzy", NAMES) == "; the choices are CIFAR10, fashion_mnist, mnist"
    assert did_you_mean("xyzzy", NAMES) == suggestion("xyzzy", ()) == ""


def test_the_nearest_file_is_in_the_same_folder_and_not_hidden(tmp_path: Path) -> None:
    for name in ("homework.ipynb", ".homewrk.ipynb", "data.csv"):
        (tmp_path / name).touch()
    assert near_path(tmp_path / "homewrk.ipynb") == f"; did you mean '{tmp_path / 'homework.ipynb'}'?"
    assert near_path(tmp_path / "other.zip") == ""
    assert near_path(tmp_path / "gone" / "homework.ipynb") == ""
