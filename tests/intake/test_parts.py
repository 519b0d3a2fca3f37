"""Deciding whether subfolders are parts of one submission or several students'."""

import pytest

from grader.intake.parts import Reading, Subfolder, is_material_name, is_part_name, is_work_name, read_subfolders


def folders(text: str) -> list[Subfolder]:
    """Make subfolders of a text: `name` has files, `name*` a notebook, `name-` nothing, `name@` is a repository."""
    return [
        Subfolder(name.rstrip("*-@"), notebooks=name.count("*"), empty="-" in name, repository="@" in name)
        for name in text.split("|")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "data|notebooks*|src",
        "data|images|notebooks*|outputs-|saved_models|utils",
        "Data2|code*",
        "my_notebooks*|trainData",
        "hw1*|data",
        "notebooks*|src*|tests",
        "daten|notebook*|bilder",
        "data|hw1",
    ],
)
def test_well_known_parts_are_one_submission(text: str) -> None:
    assert read_subfolders(folders(text)) == Reading(one=True)


@pytest.mark.parametrize("text", ["ann*|letters", "project x*|mynet|pictures of cats", "ann*|data|letters"])
def test_folders_without_a_notebook_next_to_one_with_a_notebook_are_parts_and_this_is_reported(text: str) -> None:
    assert read_subfolders(folders(text)) == Reading(one=True, unsure=True)


def test_a_folder_that_the_notebook_uses_is_surely_a_part() -> None:
    assert read_subfolders(folders("exp*|letters"), mentioned=lambda name: name == "letters") == Reading(one=True)


@pytest.mark.parametrize(
    ("text", "students", "nobodys"),
    [
        ("ann*|bob*", "ann bob", ""),
        ("ann*|bob*|cem|dan-", "ann bob cem dan", ""),
        ("ann*|bob*|data|src", "ann bob", "data src"),
        ("ann*|bob*|notebooks*", "ann bob", "notebooks"),
        ("ann*|bob*|solution*", "ann bob solution", ""),
        ("ann*|bob*|script-training*", "ann bob script-training", ""),
        ("submission_71*|submission_72*|submission_73", "submission_71 submission_72 submission_73", ""),
        ("ann@|bob@", "ann bob", ""),
        ("ann*|bob*|data@", "ann bob data", ""),
        ("ann|bob", "ann bob", ""),
    ],
)
def test_several_folders_with_notebooks_are_a_class(text: str, students: str, nobodys: str) -> None:
    expected = Reading(one=False, students=tuple(students.split()), nobodys=tuple(nobodys.split()))
    assert read_subfolders(folders(text)) == expected


@pytest.mark.parametrize(
    ("text", "students"),
    [
        ("ann*|dan-", ("ann", "dan")),
        ("Ann Lee*|Bob Ray", ("Ann Lee", "Bob Ray")),
        ("s123*|s456|data", ("s123", "s456")),
        ("hw1-ann*|hw1-bob@", ("hw1-ann", "hw1-bob")),
        ("hw1*|hw2*", ("hw1", "hw2")),
        ("54-gpu-assert*|48-script-training*", ("48-script-training", "54-gpu-assert")),
    ],
)
def test_a_class_that_could_be_one_submission_is_reported(text: str, students: tuple[str, ...]) -> None:
    reading = read_subfolders(folders(text))
    assert (reading.one, reading.students, reading.unsure) == (False, students, True)


@pytest.mark.parametrize("names", [("demo", "main"), ("max", "src"), ("notebooks", "src"), ("hw1", "project")])
def test_folders_with_a_notebook_of_the_same_name_are_students(names: tuple[str, ...]) -> None:
    reading = read_subfolders([Subfolder(name, notebooks=1, alike=True) for name in names])
    assert reading == Reading(one=False, students=names, unsure=True)
    course = [Subfolder(name, notebooks=1, alike=True) for name in ("ann", "bob", "notebooks")]
    assert read_subfolders(course).nobodys == ("notebooks",)


def test_a_folder_that_is_complete_in_itself_is_a_student_s() -> None:
    subfolders = [Subfolder("ann", notebooks=1, parts=True), Subfolder("data"), Subfolder("notebooks", notebooks=1)]
    expected = Reading(one=False, students=("ann",), nobodys=("data", "notebooks"), unsure=True)
    assert read_subfolders(subfolders) == expected


def test_data_that_most_notebooks_of_a_class_use_is_nobody_s() -> None:
    reading = read_subfolders(folders("ann*|bob*|letters|cem"), mentioned=lambda name: name == "letters")
    assert reading == Reading(one=False, students=("ann", "bob", "cem"), nobodys=("letters",))


@pytest.mark.parametrize(
    ("loose", "text", "reading"),
    [
        (1, "data|src", Reading(one=True)),
        (1, "data|src*", Reading(one=True, unsure=True)),
        (1, "ann*|data", Reading(one=False, students=("ann",), nobodys=("data",))),
        (3, "data|src", Reading(one=False, nobodys=("data", "src"))),
    ],
)
def test_one_loose_notebook_has_parts_and_several_are_a_class(loose: int, text: str, reading: Reading) -> None:
    assert read_subfolders(folders(text), loose=loose) == reading


def test_names_are_known_in_usual_forms_and_students_names_are_not() -> None:
    for name in ("data", "Data", "data_2", "trainData", "images-raw", "saved_models", "MyData", "abbildungen"):
        assert is_material_name(name)
    for name in ("hw1", "homework_3", "final project", "mnist-cnn"):
        assert is_part_name(name)
        assert not is_material_name(name)
    for name in (
        "A",
        "i",
        "V",
        "ann",
        "Ann Lee",
        "s1234567",
        "group1",
        "team_a",
        "submission_71",
        "123456",
        "max",
        "mark",
    ):
        assert not is_part_name(name)
    assert is_work_name("02_train_model")
    assert not is_work_name("ann_hw1")
