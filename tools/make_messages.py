"""Write `grader/locale/messages.pot`: every message of the grader, for translators.

`python tools/make_messages.py` writes the template; `python tools/make_messages.py de` also updates or creates the
catalog `grader/locale/de.po`, keeping its translations. A language is that one file.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

__all__ = ["extracted", "main"]

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "grader" / "locale"
METHODS = [("grader/inside/**", "ignore"), ("grader/**.py", "python")]
KEYWORDS = {"say": None, "say_count": (1, 2), "word": None}


def extracted() -> Catalog:
    """Collect the messages of the source code, sorted by text."""
    catalog = Catalog(project="cnn-grader", version="1", charset="utf-8")
    found = extract_from_dir(ROOT, METHODS, keywords=KEYWORDS, directory_filter=_is_source)
    for path, _line, text, comments, context in sorted(found, key=lambda one: (one[0], one[1])):
        # Without line numbers, which would change with every edit.
        catalog.add(text, locations=[(path, 0)], auto_comments=comments, context=context)
    return catalog


def _is_source(folder: str | Path) -> bool:
    relative = Path(folder).resolve().relative_to(ROOT)
    return not relative.parts or (relative.parts[0] == "grader" and "__pycache__" not in relative.parts)


def pot_text(catalog: Catalog) -> bytes:
    """Render a catalog without the date on which it was made."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=110, sort_output=True, omit_header=True, include_lineno=False)
    return buffer.getvalue()


def main(languages: list[str]) -> None:
    """Write the template and update the named languages."""
    catalog = extracted()
    LOCALE.mkdir(exist_ok=True)
    (LOCALE / "messages.pot").write_bytes(pot_text(catalog))
    print(f"{len(catalog)} messages")
    for code in languages:
        path = LOCALE / f"{code}.po"
        known = read_po(io.BytesIO(path.read_bytes()), locale=code) if path.is_file() else Catalog(locale=code)
        known.update(catalog, no_fuzzy_matching=True)
        with path.open("wb") as file:
            write_po(file, known, width=110, sort_output=True, include_lineno=False)
        missing = sum(1 for one in known if one.id and not one.string)
        print(f"{code}: {missing} untranslated")


if __name__ == "__main__":
    main(sys.argv[1:])
