"""Values that fit the declarations of the record, and values that do not."""

from collections.abc import Iterator
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from hypothesis import strategies as st

__all__ = ["mismatches", "values_of"]

Strategy = st.SearchStrategy[Any]


def mismatches(value: Any, hint: Any, place: str = "") -> Iterator[str]:
    """Places at which a JSON value is not of a declared type."""
    origin, inner = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        yield from _unlike(value, hint, place)
    elif origin is Literal:
        yield from () if value in inner else [f"{place}: {value!r} is none of {inner}"]
    elif origin in {list, dict}:
        yield from _unlike_items(value, hint, place)
    elif origin is NotRequired:
        yield from mismatches(value, inner[0], place)
    elif inner:
        found = [list(mismatches(value, each, place)) for each in inner]
        yield from () if [] in found else [text for texts in found for text in texts]
    elif not _is_plain(value, hint):
        yield f"{place}: {type(value).__name__} is no {hint.__name__}"


def _is_plain(value: Any, hint: Any) -> bool:
    if hint is Any or hint is bool:
        return hint is Any or isinstance(value, bool)
    return isinstance(value, (float, int) if hint is float else hint) and not isinstance(value, bool)


def _unlike_items(value: Any, hint: Any, place: str) -> Iterator[str]:
    origin, inner = get_origin(hint), get_args(hint)
    if not isinstance(value, origin):
        yield f"{place}: {type(value).__name__} is no {origin.__name__}"
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from mismatches(item, inner[-1], f"{place}.{key}")


def _unlike(value: Any, declared: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {type(value).__name__} is no {declared.__name__}"
        return
    hints = get_type_hints(declared, include_extras=True)
    yield from (f"{place}.{key} is missing" for key in sorted(declared.__required_keys__ - value.keys()))
    yield from (f"{place}.{key} is not declared" for key in sorted(value.keys() - hints.keys()))
    for key in value.keys() & hints.keys():
        yield from mismatches(value[key], hints[key], f"{place}.{key}")


def values_of(hint: Any, noise: Strategy, depth: int = 6) -> Strategy:
    """Values of a declared type in which any part may be noise instead."""
    return st.one_of(_fitting(hint, noise, depth), _fitting(hint, noise, depth), noise) if depth > 0 else noise


def _fitting(hint: Any, noise: Strategy, depth: int) -> Strategy:
    origin, inner = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        return st.deferred(lambda: _objects(hint, noise, depth))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in {list, dict}:
        items = values_of(inner[-1], noise, depth - 1)
        keyed = st.dictionaries(st.text(max_size=3), items, max_size=3)
        return keyed if origin is dict else st.lists(items, max_size=3)
    if inner:
        return st.one_of(*(_fitting(each, noise, depth) for each in inner))
    return _PLAIN.get(hint, noise)


_PLAIN: dict[Any, Strategy] = {
    str: st.sampled_from(["m1", "m2", "a", "arrays/a1.npz", "../x"]) | st.text(max_size=5),
    int: st.integers(0, 9),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
}


def _objects(declared: Any, noise: Strategy, depth: int) -> Strategy:
    parts = {key: values_of(hint, noise, depth - 1) for key, hint in get_type_hints(declared).items()}
    required = {key: part for key, part in parts.items() if key in declared.__required_keys__}
    return st.fixed_dictionaries(required, optional={key: parts[key] for key in parts.keys() - required.keys()})
