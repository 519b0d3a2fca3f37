"""Claims of any type become values or nothing."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grader.evidence.claims import (
    MalformedError,
    as_bool,
    as_float,
    as_floats,
    as_int,
    as_json,
    as_shape,
    as_text,
    as_texts,
    need_id,
    need_int,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING)
@example("\ud800" * 2001)
@example({"\udfff": math.nan, "\x00": -math.inf})
@example([10**400, -(10**400), 2**53 + 1, 1e308 * 10])
@example([[[[[[[[[[[[[[math.inf]]]]]]]]]]]]]])
def test_a_cleaned_value_is_always_strict_json(value: object) -> None:
    json.dumps(as_json(value), allow_nan=False).encode()
    json.dumps(as_json(value), ensure_ascii=False).encode()


@given(ANYTHING)
def test_no_reader_of_optional_values_raises(value: object) -> None:
    number, shape = as_float(value), as_shape(value)
    assert number is None or math.isfinite(number)
    assert shape is None or all(axis is None or axis >= 0 for axis in shape)
    assert len(as_text(value, 5)) <= 5
    assert all(isinstance(text, str) for text in as_texts(value, 3))
    assert as_bool(value) in {True, False, None}


def test_numbers_keep_to_their_bounds() -> None:
    assert [as_int(v) for v in (5, 5.0, 5.5, True, "5", -1, 10**400, None)] == [
        5,
        5,
        None,
        None,
        None,
        None,
        None,
        None,
    ]
    assert as_float(10**400) is None
    assert as_float(float("nan")) is None
    with pytest.raises(MalformedError):
        need_int(3, 4)


def test_lists_are_cut_and_keep_their_places() -> None:
    numbers = as_floats([1, None, "x", 4, 5], 4)
    assert (len(numbers), numbers[0], numbers[3]) == (4, 1.0, 4.0)
    assert all(math.isnan(n) for n in numbers[1:3])
    assert as_floats({"a": 1}, 4) == ()


def test_text_loses_halves_of_characters_and_controls() -> None:
    assert as_text("a\ud800b\x00c\x1bd\ne") == "a\ufffdb\ufffdc\ufffdd\ne"


def test_nesting_is_cut() -> None:
    deep: object = 1
    for _ in range(500):
        deep = [deep]
    assert str(as_json(deep)).count("[") == 12


@pytest.mark.parametrize("value", ["", "a/b", "..\\x", "m 1", None, 1, "x" * 65])
def test_an_identifier_is_plain(value: object) -> None:
    with pytest.raises(MalformedError):
        need_id(value)


@pytest.mark.parametrize("value", [[1] * 17, [1, -1], [1, "2"], "12", 5, [True]])
def test_a_shape_is_a_short_list_of_lengths(value: object) -> None:
    assert as_shape(value) is None
    assert as_shape([None, 28, 28.0]) == (None, 28, 28)
