"""Write `grader/locale/messages.pot`: every message of the grader, for translators.

`python tools/make_messages.py` writes the template; `python tools/make_messages.py de` also updates or creates the
catalog `grader/locale/de.po`, keeping its translations. A language is that one file; see `docs/translating.md`.
"""

import ast
import io
import re
import string
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

__all__ = ["extracted", "faults", "main", "pot_text", "read_catalog", "updated", "write_catalog"]

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "grader" / "locale"

_Keyword = tuple[int | tuple[int, str], ...] | None
"""Positions of the arguments that are texts; None for the first one."""
KEYWORDS: Mapping[str, _Keyword] = {
    "say": None,
    "say_count": (1, 2),
    "word": None,
    "pgettext": ((1, "c"), 2),
    # In templates; a `trans` block becomes a call of one of these.
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
}
_WIDTH = 110
_TEMPLATE_FIELD = re.compile(r"%\((\w+)\)s")
_COUNT = {"num": "count"}
"""Name of the count in templates → in messages."""
_VOLATILE = re.compile(rb'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By): .*\n', re.MULTILINE)


def python_messages(
    file: IO[bytes], keywords: Mapping[str, object], comment_tags: object, options: object
) -> Iterator[tuple[int, str, tuple[str | None, ...], list[str]]]:
    """Find the calls that make messages; Babel's own extractor overlooks a call inside the arguments of another one.

    Args:
        file: A Python file.
        keywords: Names of the functions.
        comment_tags: Not used; Babel passes it.
        options: Not used; Babel passes it.

    Yields:
        Line, function, its positional arguments (None if an argument is no literal text), and no comments.
    """
    del comment_tags, options
    for node in ast.walk(ast.parse(file.read())):
        name = _called(node) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in keywords:
            yield node.lineno, name, tuple(map(_literal, node.args)), []


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _literal(argument: ast.expr) -> str | None:
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


METHODS: list[tuple[str, Any]] = [
    ("grader/inside/**", "ignore"),
    ("grader/**.py", python_messages),
    ("templates/**.j2", babel_extract),
]
OPTIONS = {"templates/**.j2": {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}}


def extracted() -> Catalog:
    """Collect the messages of the source code and the templates, sorted by text."""
    catalog = Catalog(project="cnn-grader", version="1", charset="utf-8")
    found = extract_from_dir(ROOT, METHODS, OPTIONS, keywords=KEYWORDS, directory_filter=_is_source)
    for path, _line, text, comments, context in sorted(found, key=lambda one: (one[0], one[1])):
        # Without line numbers, which would change with every edit.
        catalog.add(text, locations=[(path, 0)], auto_comments=comments, context=context)
    return catalog


def _is_source(folder: str | Path) -> bool:
    relative = Path(folder).resolve().relative_to(ROOT)
    return not relative.parts or (relative.parts[0] in {"grader", "templates"} and "__pycache__" not in relative.parts)


def pot_text(catalog: Catalog) -> bytes:
    """Render a catalog without the date on which it was made."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=_WIDTH, sort_output=True, omit_header=True, include_lineno=False)
    return buffer.getvalue()


def read_catalog(path: Path, code: str) -> Catalog:
    """Read the catalog of a language, or make an empty one."""
    if not path.is_file():
        return Catalog(locale=code, project="cnn-grader", version="1", fuzzy=False)
    return read_po(io.BytesIO(path.read_bytes()), locale=code)


def write_catalog(path: Path, catalog: Catalog) -> None:
    """Write a catalog without dates and versions, so that an unchanged one stays the same file."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=_WIDTH, sort_output=True, include_lineno=False)
    path.write_bytes(_VOLATILE.sub(b"", buffer.getvalue()))


def updated(catalog: Catalog, template: Catalog) -> Catalog:
    """Give a catalog the messages of the template.

    A translation is kept with its message. A new message that resembles a removed one gets its translation, marked
    as fuzzy. Other translations of removed messages stay as obsolete entries.
    """
    catalog.update(template, update_header_comment=False)
    return catalog


def faults(catalog: Catalog) -> Iterator[str]:
    """List what a catalog lacks: missing, fuzzy and obsolete entries, and translations with wrong fields."""
    for message in catalog:
        if not message.id:
            continue
        name = _texts(message.id)[0]
        if not all(_texts(message.string)) or len(_texts(message.string)) < _forms(catalog, message):
            yield f"no translation: {name}"
        elif message.fuzzy:
            yield f"fuzzy: {name}"
        elif not _same_fields(message):
            yield f"other fields or formats than the English text: {name}"
    for message in catalog.obsolete.values():
        yield f"obsolete: {_texts(message.id)[0]}"


def _texts(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text or "",) if text is None or isinstance(text, str) else tuple(text)


def _forms(catalog: Catalog, message: Message) -> int:
    return catalog.num_plurals if message.pluralizable else 1


def _same_fields(message: Message) -> bool:
    """Check that each translation has the fields of its English text; the first form may leave out the count."""
    one, many = _fields(_texts(message.id)[0]), _fields(_texts(message.id)[-1])
    uncounted = frozenset(field for field in many if field[0] != "count")
    try:
        first, *others = map(_fields, _texts(message.string))
    except ValueError:
        return False
    return first in {one, many, uncounted} and all(fields == many for fields in others)


def _fields(text: str) -> frozenset[tuple[str, str]]:
    """List names and formats of the fields of a text: `{name:format}`, or `%(name)s` in templates.

    Raises:
        ValueError: The text is malformed.
    """
    parts = string.Formatter().parse(text)
    named = {(_COUNT.get(name, name), "%") for name in _TEMPLATE_FIELD.findall(text)}
    return frozenset({(name, spec or "") for _, name, spec, _ in parts if name is not None} | named)


def main(languages: list[str]) -> None:
    """Write the template and update the named languages."""
    template = extracted()
    LOCALE.mkdir(exist_ok=True)
    (LOCALE / "messages.pot").write_bytes(pot_text(template))
    print(f"{len(template)} messages")
    for code in languages:
        path = LOCALE / f"{code}.po"
        catalog = updated(read_catalog(path, code), template)
        write_catalog(path, catalog)
        kinds = Counter(fault.partition(":")[0] for fault in faults(catalog))
        print(f"{code}: {', '.join(f'{count} × {kind}' for kind, count in kinds.items()) or 'complete'}")


if __name__ == "__main__":
    main(sys.argv[1:])
