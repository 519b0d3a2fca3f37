"""Damage documents: each form has edits that keep a part of its structure, so that readers get past the first check.

One function makes all changes from a random generator. The property tests, the loop without coverage and Atheris use
it.
"""

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, Literal

__all__ = ["LARGEST", "Form", "mutated"]

Form = Literal["bytes", "text", "json", "jsonl", "zip"]
"""How a document is damaged: as bytes, text, JSON, lines of JSON, or members of a zip."""

LARGEST = 256 << 10
"""Maximum size in bytes of a damaged document, except for the rare long ones."""
_LONG = 1 << 20
"""Size of the rare long documents, which find work that grows faster than the document."""

_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "9" * 5000,
    "nan",
    "null",
    "\x00",
    "\x1b]0;title\x07",
    "\x1b[31m",
    "\u202e",
    "\ud800",
    "\ufeff",
    "\u2028",
    "ﬁ",
    "e\u0301",
    "İ",
    "٣",
    "²",
    "a" * 5000,
    "/" * 300,
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\x",
    ".",
    "..",
    "%s%n{0}{x}{",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "]]>",
    "-->",
    "\r\n\r\n",
    "::set-output name=x::y",
    "`x` **y** |",
    "%%bash\nls",
    "!ls",
    "import os; os.system('touch written')",
    "(" * 300,
    "[" * 300,
    "(((((-" * 60,
    "lambda: " * 200,
    "\\\n",
    "'''",
    "f'{x",
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    0.5,
    -0.0,
    5e-324,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    [],
    {},
    [[]],
    [None],
    [0] * 3000,
    {"": ""},
)
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def mutated(form: Form, document: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Damage a document.

    Args:
        form: Its form.
        document: The document.
        others: Documents of the same form, to take parts from.
        rng: Makes all choices.

    Returns:
        Another document, of at most `LARGEST` bytes, or rarely about `_LONG` bytes.
    """
    if rng.random() < 0.1:
        form = "bytes"
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        document = _EDITS[form](document, others, rng)
    if rng.random() < 0.004 and document:
        return _long(document, rng)
    return document[:LARGEST]


def _long(document: bytes, rng: random.Random) -> bytes:
    """Repeat a short piece of a document very often."""
    at = rng.randrange(len(document))
    piece = document[at : at + rng.choice((1, 2, 3, 8, 40))]
    count = _LONG // len(piece) // rng.choice((1, 1, 4, 16))
    return document[:at] + piece * count + document[at:]


# --- bytes and text --------------------------------------------------------------------------------------------------


def _bytes(document: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    at = rng.randrange(len(document) + 1)
    end = min(len(document), at + rng.choice((1, 1, 2, 4, 8, 30, 300, 3000)))
    before, piece, after = document[:at], document[at:end], document[end:]
    match rng.randrange(9):
        case 0:
            document = before + after
        case 1:
            document = before + piece * rng.choice((2, 2, 3, 50)) + after
        case 2:
            document = before + rng.randbytes(rng.choice((1, 1, 2, 8))) + piece + after
        case 3:
            flipped = bytes(byte ^ 1 << rng.randrange(8) for byte in piece[:4])
            document = before + flipped + piece[4:] + after
        case 4:
            number = _number(rng)
            document = before + number + document[at + len(number) :]
        case 5:
            document = before
        case 6 if others:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            document = before + other[start : start + rng.choice((4, 40, 400, 4000))] + after
        case 7:
            document = after + before
        case _:
            document = before + rng.choice(_TEXTS).encode("utf-8", "surrogatepass") + piece + after
    return document


def _number(rng: random.Random) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    return (rng.choice(_NUMBERS) & (1 << 8 * size) - 1).to_bytes(size, rng.choice(("little", "big")))


def _text(document: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Damage lines and words, or else bytes."""
    choice = rng.randrange(5)
    if choice <= 1:
        return _bytes(document, others, rng)
    lines = document.split(b"\n")
    at = rng.randrange(len(lines))
    if choice == 2:
        lines.insert(rng.randrange(len(lines) + 1), lines[at])
    elif choice == 3:
        other = rng.choice(others).split(b"\n") if others else lines
        lines[at] = rng.choice(other)
    else:
        words = lines[at].split(b" ")
        words[rng.randrange(len(words))] = rng.choice(_TEXTS).encode("utf-8", "surrogatepass")
        lines[at] = b" ".join(words)
    return b"\n".join(lines)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _json(document: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return _bytes(document, others, rng)
    try:
        donor = json.loads(rng.choice(others)) if others else value
    except (ValueError, RecursionError):
        donor = value
    changed = _changed(value, donor, rng)
    try:
        return json.dumps(changed, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    except (RecursionError, ValueError):  # a number of more digits than Python writes
        return document


def _changed(value: Any, donor: Any, rng: random.Random) -> Any:
    """Change a part of a value, chosen by walking down from its root."""
    holder: Any = [value]
    root, key = holder, 0
    current: Any = value
    while isinstance(current, dict | list) and current and rng.random() < 0.85:
        holder = current
        key = rng.choice(list(current)) if isinstance(current, dict) else rng.randrange(len(current))
        current = holder[key]
    choice = rng.randrange(10)
    if choice == 0 and holder is not root:
        del holder[key]
    elif choice == 1 and isinstance(holder, list) and holder is not root:
        holder[key:key] = [current] * rng.choice((1, 1, 3, 40))
    elif choice == 2 and isinstance(holder, dict):
        holder[rng.choice((*_TEXTS[:12], *list(holder)))] = current
    elif choice == 3:
        holder[key] = _deep(current, rng)
    elif choice <= 5:
        holder[key] = _part(donor, rng)
    elif choice == 6 and isinstance(current, str):
        holder[key] = _text(current.encode("utf-8", "replace"), (), rng).decode("utf-8", "replace")
    elif choice == 7:
        holder[key] = rng.choice(_TEXTS)
    elif choice == 8 and isinstance(current, int | float):
        holder[key] = rng.choice((current + 1, -current, current * 1.5 if abs(current) < 2**60 else 0, str(current)))
    else:
        holder[key] = rng.choice(_VALUES)
    return root[0]


def _deep(value: Any, rng: random.Random) -> Any:
    for _ in range(rng.choice((1, 2, 20, 100, 400))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def _part(value: Any, rng: random.Random) -> Any:
    while isinstance(value, dict | list) and value and rng.random() < 0.7:
        value = rng.choice(list(value.values()) if isinstance(value, dict) else value)
    return value


def _jsonl(document: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    lines = document.split(b"\n")
    at = rng.randrange(len(lines))
    choice = rng.randrange(8)
    if choice == 0:
        del lines[at]
    elif choice == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[at])
    elif choice == 2 and others:
        lines[at:at] = rng.choice(others).split(b"\n")[at : at + rng.choice((1, 3, 10))]
    else:
        lines[at] = _json(lines[at], [line for other in others for line in other.split(b"\n")[:200]], rng)
    return b"\n".join(lines)


# --- zip -------------------------------------------------------------------------------------------------------------

_Member = tuple[zipfile.ZipInfo, bytes]


def _zip(document: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Change a member, and pack the zip again with right checksums; sometimes damage the packed bytes, too."""
    members = _members(document)
    if not members or rng.random() < 0.15:
        return _bytes(document, others, rng)
    at = rng.randrange(len(members))
    info, content = members[at]
    choice = rng.randrange(8)
    if choice == 0:
        del members[at]
    elif choice == 1:
        members.insert(0, (_info(rng.choice(_TEXTS) or "x"), content))
    elif choice == 2:
        changed = _info(_bytes(info.filename.encode(), (), rng).decode("utf-8", "replace")[:300] or "x")
        members[at] = (changed, content)
    elif choice == 3:
        info.external_attr = rng.choice((0o120777, 0o140777, 0o010644, 0o020666, 0o100000, 0o40755)) << 16
    elif choice == 4:
        info.compress_type = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    elif choice == 5:
        info.date_time = rng.choice(((1980, 1, 1, 0, 0, 0), (2107, 15, 31, 31, 63, 62), (1980, 0, 0, 0, 0, 0)))
        info.extra = rng.choice((b"", b"\x75\x70\x00\x00", b"\x75\x70\xff\xff\x01", rng.randbytes(5)))
    elif content[:1] in {b"{", b"["}:
        members[at] = (info, _json(content, (), rng))
    else:
        members[at] = (info, _bytes(content, (), rng))
    return _packed(members) or document


def _members(document: bytes) -> list[_Member]:
    try:
        with zipfile.ZipFile(io.BytesIO(document)) as archive:
            infos = archive.infolist()[:60]
            if sum(info.file_size for info in infos) > 4 * LARGEST:
                return []
            return [(info, archive.read(info)) for info in infos]
    except Exception:  # noqa: BLE001 - a damaged zip has no members; the reader under test is another one
        return []


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o644 << 16
    return info


def _packed(members: Sequence[_Member]) -> bytes:
    stream = io.BytesIO()
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
            warnings.simplefilter("ignore")  # two members of one name
            for info, content in members:
                archive.writestr(info, content, info.compress_type)
    except (ValueError, struct.error, UnicodeError, RuntimeError, NotImplementedError):
        return b""
    return stream.getvalue()


_EDITS: dict[Form, Callable[[bytes, Sequence[bytes], random.Random], bytes]] = {
    "bytes": _bytes,
    "text": _text,
    "json": _json,
    "jsonl": _jsonl,
    "zip": _zip,
}
