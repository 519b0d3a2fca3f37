"""The seal of `grade.json`: digests by which the grader finds that somebody edited the file by hand."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["SEAL", "is_edited", "is_sealed_stamp", "seal_of", "sorted_text"]

SEAL: Final = "seal"
"""Key of the seal in `grade.json`."""
_GRADE, _STAMP = "grade", "submission"
_SINCE_SEALS: Final = frozenset({"comments", "flags", "requests", "review", "late", "excused"})
"""Keys that only versions of the grader write that also write a seal."""


def seal_of(data: Mapping[str, Any], texts: Mapping[int, bytes] | None = None) -> dict[str, str]:
    """Compute the seal of a grade: a digest of the whole, and one of the submission's own data.

    Args:
        data: JSON values of the grade; a seal among them is left out.
        texts: The texts of some of its values and of the items of its lists, as `sorted_text` returns them, by the
            identity of the value.
    """
    if texts is None:
        return {_GRADE: _digest({key: value for key, value in data.items() if key != SEAL}), _STAMP: _stamp(data)}
    fields = (sorted_text(key) + b":" + _text(data[key], texts) for key in sorted(data) if key != SEAL)
    return {_GRADE: hashlib.sha256(b"{" + b",".join(fields) + b"}").hexdigest(), _STAMP: _stamp(data)}


def _text(value: Any, texts: Mapping[int, bytes]) -> bytes:
    known = texts.get(id(value))
    if known is None and type(value) is list:
        return b"[" + b",".join([texts.get(id(item)) or sorted_text(item) for item in value]) + b"]"
    return known or sorted_text(value)


def is_edited(data: Any) -> bool:
    """Return whether somebody edited a `grade.json`, other than by formatting it.

    A grade of an earlier version of the grader has no seal, and nothing is known about it.

    Args:
        data: The JSON values of the file.
    """
    if not isinstance(data, Mapping):
        return False
    if SEAL not in data:
        return not _SINCE_SEALS.isdisjoint(data)
    return bool(data[SEAL] != seal_of(data))


def is_sealed_stamp(data: Any) -> bool:
    """Return whether the submission's own data in a `grade.json` are as the grader wrote them.

    Args:
        data: The JSON values of the file.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get(SEAL), Mapping):
        return False
    return bool(data[SEAL].get(_STAMP) == _stamp(data))


def _stamp(data: Mapping[str, Any]) -> str:
    return _digest(data.get("submission"))


def _digest(value: Any) -> str:
    return hashlib.sha256(sorted_text(value)).hexdigest()


def sorted_text(value: Any) -> bytes:
    """Write JSON values as the text that a seal is computed from: with sorted keys, and without spaces."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    # The file has replacement characters for lone surrogates, too.
    return text.encode("utf-8", "replace")
