"""The catalogs: each language has every message, with the fields of the English text."""

import importlib.util
import io
import string
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from babel.messages.catalog import Catalog

from grader.facts.language import FORMATS, JOINERS, language, languages
from grader.schema.message import Message

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "grader" / "locale"
TRANSLATED = [code for code in languages() if code != "en"]
SAMPLES: dict[str, Any] = {
    "": "sample",
    "number": 1234.5,
    "percent": 0.1234,
    "points": 2.5,
    "seconds": 185,
    "size": 1536,
    "date": "2026-11-29T20:09:05+01:00",
    "time": "2026-11-29T20:09:05+01:00",
    "shape": [None, 28, 28],
    "cell": 6,
    "Cell": 6,
    "split": "train",
    "dataset": "fashion_mnist",
    "code": "conv2d_1",
    "raw": "sample",
}
"""Format → a value for it."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_messages", ROOT / "tools" / "make_messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def template(tool: ModuleType) -> Catalog:
    made: Catalog = tool.extracted()
    return made


def catalog(*entries: tuple[Any, Any]) -> Catalog:
    """Make a German catalog."""
    made = Catalog(locale="de")
    for text, translation in entries:
        made.add(text, translation)
    return made


def specs(template: str) -> dict[str, str]:
    """Map the fields of a template to their formats."""
    return {name: spec or "" for _, name, spec, _ in string.Formatter().parse(template) if name is not None}


def sample(spec: str) -> Any:
    """Make a value for a format; a list if the format joins a list."""
    assert set(SAMPLES) == set(FORMATS)
    kind, _, joiner = spec.partition(" ")
    if kind in JOINERS and kind not in FORMATS:
        return ["one", "two"]
    return [SAMPLES[kind], SAMPLES[kind]] if joiner else SAMPLES[kind]


def samples(template: Catalog) -> Iterator[Message]:
    """Make each message of the template with sample values; a counted one with 1 and with 2000."""
    for entry in template:
        if not entry.id or entry.context:
            continue
        one, plural = (entry.id, None) if isinstance(entry.id, str) else entry.id
        values = {name: sample(spec) for text in (one, plural or "") for name, spec in specs(text).items()}
        if plural is None:
            yield Message(id=one, values=values)
            continue
        for count in (1, 2000):
            yield Message(id=one, plural=plural, values=values | {"count": count})


@pytest.mark.parametrize("code", TRANSLATED)
def test_each_language_has_every_message_of_the_grader(tool: ModuleType, template: Catalog, code: str) -> None:
    translations = tool.read_catalog(LOCALE / f"{code}.po", code)
    faults = list(tool.faults(tool.updated(translations, template)))
    if faults:
        pytest.fail(f"run `make messages LANGUAGES={code}` and complete the catalog:\n" + "\n".join(faults))


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalog_is_written_as_the_tool_writes_it(
    tool: ModuleType, template: Catalog, tmp_path: Path, code: str
) -> None:
    path = LOCALE / f"{code}.po"
    written = tmp_path / f"{code}.po"
    tool.write_catalog(written, tool.updated(tool.read_catalog(path, code), template))
    assert written.read_bytes() == path.read_bytes(), f"run `make messages LANGUAGES={code}`"


@pytest.mark.parametrize("code", languages())
def test_every_message_can_be_shown_in_every_language(template: Catalog, code: str) -> None:
    writer = language(code)
    shown = 0
    for message in samples(template):
        text = writer.text(message)
        assert text.strip()
        english = message.id if message.plural is None or message.values["count"] == 1 else message.plural
        for name, spec in specs(english).items():
            assert writer.value(message.values[name], spec) in text, (message.id, name)
        shown += 1
    assert shown > 1000


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_with_words_differs_from_the_english_text(tool: ModuleType, code: str) -> None:
    """Except for words that are the same in both languages."""
    same = [
        entry.id
        for entry in tool.read_catalog(LOCALE / f"{code}.po", code)
        if isinstance(entry.id, str) and entry.id and entry.string == entry.id and _words(entry.id) > 1
    ]
    assert same == []


def _words(template: str) -> int:
    """Count the words outside of fields."""
    return sum(len(text.split()) for text, *_ in string.Formatter().parse(template) if any(map(str.isalpha, text)))


def test_numbers_and_places_are_written_as_in_germany() -> None:
    german = language("de")
    fields = {"percent": 0.9702, "number": 12345, "cell": 4, "shape": [None, 28], "split": "train", "size": 1536}
    assert {spec: german.value(value, spec) for spec, value in fields.items()} == {
        "percent": "97,02 %",
        "number": "12.345",
        "cell": "Zelle 5",
        "shape": "beliebig × 28",
        "split": "Trainings",
        "size": "1,5 KiB",
    }
    assert german.value(1.5e-05, "number") == "1,5e-05"
    assert german.value(["a", "b", "c"], "code or") == "`a`, `b` oder `c`"


def test_a_message_inside_the_arguments_of_another_one_is_found(tool: ModuleType) -> None:
    code = b"say_count('{count:number} layer: {x}', '{count:number} layers: {x}', 2, x=say('{name:code} here', name=n))"
    found = [texts for _, _, texts, _ in tool.python_messages(io.BytesIO(code), tool.KEYWORDS, (), {})]
    assert found == [("{count:number} layer: {x}", "{count:number} layers: {x}", None), ("{name:code} here",)]


def test_an_update_keeps_translations_and_shows_what_is_left_to_do(tool: ModuleType) -> None:
    translations = catalog(
        ("The model was never trained.", "Das Modell wurde nie trainiert."),
        ("No curve is drawn in {cell:cell}.", "In {cell:cell} ist keine Kurve."),
        ("Something else entirely", "Etwas anderes"),
    )
    template = Catalog()
    for text in ("The model was never trained.", "No curve was drawn in {cell:cell}.", "{count:number} of 7"):
        template.add(text)
    updated = tool.updated(translations, template)
    assert updated["The model was never trained."].string == "Das Modell wurde nie trainiert."
    assert sorted(tool.faults(updated)) == [
        "fuzzy: No curve was drawn in {cell:cell}.",
        "no translation: {count:number} of 7",
        "obsolete: Something else entirely",
    ]


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("{model:code} in {cell:cell}", "{model:code}"),
        ("{model:code} in {cell:cell}", "{model:code} in {cell:cell}, {x}"),
        ("{part:percent} more", "{part:number} mehr"),
        ("{part:percent} more", "{part:percent mehr"),
        (("{count} more", "{count} more"), ("{count} mehr", "")),
        (("{count} in {a}", "{count} in {a}"), ("{count} in {a}", "{count}")),
    ],
)
def test_a_translation_with_other_fields_is_a_fault(tool: ModuleType, text: object, translation: object) -> None:
    assert len(list(tool.faults(catalog((text, translation))))) == 1


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("{model:code} in {cell:cell}", "In {cell:cell}: {model:code}"),
        (("One image of {a}", "{count:number} images of {a}"), ("Ein Bild von {a}", "{count:number} Bilder von {a}")),
        (("{count:number} image", "{count:number} images"), ("Ein Bild", "{count:number} Bilder")),
        ("{{x}}", "{{x}}"),
    ],
)
def test_a_translation_may_change_the_order_and_leave_out_a_count_of_one(
    tool: ModuleType, text: object, translation: object
) -> None:
    assert list(tool.faults(catalog((text, translation)))) == []
