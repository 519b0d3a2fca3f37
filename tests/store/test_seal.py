"""The seal of `grade.json`: every edit is found, and formatting is none."""

import copy
import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grader.schema.grade import Grade
from grader.store.results import grade_bytes, grade_data
from grader.store.seal import is_edited, is_sealed_stamp, seal_of, sorted_text
from tests.report import samples

WRITTEN: Any = json.loads(grade_bytes(grade_data(samples.rich_grade())))
_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for key, item in inner for place in places(item, (*path, key))]
    return [*([path] if path else []), *below]


PLACES = places(WRITTEN)


def parent_of(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def test_the_seal_is_the_same_from_texts_that_are_known() -> None:
    lists = [item for value in WRITTEN.values() if isinstance(value, list) for item in value]
    parts = [*lists, WRITTEN["execution"], WRITTEN["reference"]]
    assert len(parts) > 2
    assert seal_of(WRITTEN, {id(part): sorted_text(part) for part in parts}) == WRITTEN["seal"]
    assert seal_of(WRITTEN, {}) == seal_of(WRITTEN) == WRITTEN["seal"]


def test_a_grade_as_written_is_not_edited_and_formatting_is_no_edit() -> None:
    assert not is_edited(WRITTEN)
    assert is_sealed_stamp(WRITTEN)
    assert not is_edited(json.loads(json.dumps(WRITTEN, indent=7, sort_keys=True, ensure_ascii=True)))
    assert Grade.model_validate(WRITTEN) == samples.rich_grade()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), _VALUES)
def test_each_changed_value_is_found(path: tuple[Any, ...], value: Any) -> None:
    edited = copy.deepcopy(WRITTEN)
    parent = parent_of(edited, path)
    assume(json.dumps(parent[path[-1]]) != json.dumps(value))
    parent[path[-1]] = value
    assert is_edited(edited)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES))
def test_each_removed_value_is_found(path: tuple[Any, ...]) -> None:
    edited = copy.deepcopy(WRITTEN)
    del parent_of(edited, path)[path[-1]]
    assert is_edited(edited)


@settings(deadline=None)
@given(st.sampled_from([path for path in PLACES if isinstance(path[-1], str)]), st.text(), _VALUES)
def test_each_added_value_is_found(path: tuple[Any, ...], key: str, value: Any) -> None:
    edited = copy.deepcopy(WRITTEN)
    parent = parent_of(edited, path)
    assume(key not in parent)
    parent[key] = value
    assert is_edited(edited)


@given(st.text(), st.text())
def test_an_edit_outside_the_submissions_own_data_leaves_their_seal(title: str, student: str) -> None:
    assume(title != WRITTEN["rubric"]["title"])
    assume(student != WRITTEN["submission"]["student"])
    points = {**WRITTEN, "rubric": {**WRITTEN["rubric"], "title": title}}
    assert is_edited(points)
    assert is_sealed_stamp(points)
    name = {**WRITTEN, "submission": {**WRITTEN["submission"], "student": student}}
    assert is_edited(name)
    assert not is_sealed_stamp(name)


def test_a_grade_of_an_earlier_version_is_not_accused() -> None:
    new = {"comments", "flags", "requests", "review", "late", "excused", "seal"}
    assert not is_edited({key: value for key, value in WRITTEN.items() if key not in new})
    assert not is_edited(None)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_text_of_a_student_is_sealed_as_it_is_read_back(text: str) -> None:
    grade = samples.rich_grade()
    stamp = grade.submission.model_copy(update={"student": text})
    content = grade_bytes(grade_data(grade.model_copy(update={"submission": stamp})))
    assert not is_edited(json.loads(content))
