"""How messages become text, in English and in another language."""

import math
import pickle
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.facts import language as module
from grader.facts.language import FORMATS, Language, english, language, languages
from grader.schema.message import literal, say, say_count, sentences

GERMAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "{model:code} reaches {accuracy:percent} in {cell:cell}."
msgstr "In {cell:cell} erreicht {model:code} {accuracy:percent}."

msgid "{count:number} epoch"
msgid_plural "{count:number} epochs"
msgstr[0] "{count:number} Epoche"
msgstr[1] "{count:number} Epochen"

msgid "cell"
msgstr "Zelle"
"""


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Language:
    (tmp_path / "de.po").write_text(GERMAN, encoding="utf-8")
    monkeypatch.setattr(module, "_CATALOGS", tmp_path)
    language.cache_clear()
    yield_ = language("de")
    language.cache_clear()
    return yield_


@pytest.mark.parametrize(
    ("spec", "value", "text"),
    [
        ("number", 12345, "12,345"),
        ("number", 0.123456, "0.1235"),
        ("number", 3.0, "3"),
        ("number", 1e-7, "1e-07"),
        ("number", math.nan, "not a number"),
        ("number", math.inf, "not a number"),
        ("number", None, "not a number"),
        ("percent", 0.9852, "98.52 %"),
        ("percent", 0.99, "99 %"),
        ("percent", 1.0, "100 %"),
        ("percent", 0.0, "0 %"),
        ("points", 7.5, "7.5"),
        ("points", 10.0, "10"),
        ("seconds", 8.44, "8.4 s"),
        ("seconds", 60, "1 min"),
        ("seconds", 185, "3 min 05 s"),
        ("seconds", 3720, "1 h 02 min"),
        ("size", 6 << 30, "6 GiB"),
        ("size", 1536, "1.5 KiB"),
        ("shape", [None, 28, 1], "any × 28 × 1"),
        ("shape", [], "a single number"),
        ("shape", None, "an unknown shape"),
        ("cell", 4, "cell 5"),
        ("cell", None, "an unknown cell"),
        ("Cell", 0, "Cell 1"),
        ("split", "train", "training"),
        ("dataset", "fashion_mnist", "Fashion-MNIST"),
        ("code", "net", "`net`"),
        ("code or", ["a", "b", "c"], "`a`, `b`, or `c`"),
        (" or", ["a", "b"], "a or b"),
        ("or", ["a", "b"], "a or b"),
        ("code", ["a", "b"], "`a` and `b`"),
        ("cell", [0, 2], "cell 1 and cell 3"),
        ("list", ["a", 1], "a, 1"),
        ("number clauses", [1000, 2], "1,000; 2"),
        ("", [], ""),
        ("", True, "yes"),
        ("", None, ""),
        ("raw", 12345, "12345"),
    ],
)
def test_each_kind_of_value_is_written_in_one_way(spec: str, value: object, text: str) -> None:
    assert english(say("{value:" + spec + "}" if spec else "{value}", value=value)) == text


def test_counts_take_the_plural_forms_of_the_language(german: Language) -> None:
    one, many = (say_count("{count:number} epoch", "{count:number} epochs", n) for n in (1, 2000))
    assert [english(one), english(many)] == ["1 epoch", "2,000 epochs"]
    assert [german.text(one), german.text(many)] == ["1 Epoche", "2.000 Epochen"]


def test_a_catalog_changes_the_order_and_the_numbers(german: Language) -> None:
    said = say("{model:code} reaches {accuracy:percent} in {cell:cell}.", model="net", accuracy=0.9852, cell=3)
    assert english(said) == "`net` reaches 98.52 % in cell 4."
    assert german.text(said) == "In Zelle 4 erreicht `net` 98,52 %."


def test_a_message_without_a_translation_stays_english(german: Language) -> None:
    assert german.text(say("Nothing was trained.")) == "Nothing was trained."


def test_nested_messages_are_rendered_too(german: Language) -> None:
    epochs = say_count("{count:number} epoch", "{count:number} epochs", 1)
    assert german.text(sentences(say("{what}.", what=epochs), literal("{as it is}"))) == "1 Epoche. {as it is}"


@given(st.floats() | st.integers(-(10**400), 10**400))
def test_any_number_can_be_written(value: float) -> None:
    for spec in ("number", "percent", "seconds"):
        if isinstance(value, int) and spec != "number":
            continue
        assert FORMATS[spec](language("en"), value)


def test_english_is_always_there_and_an_unknown_language_is_refused() -> None:
    assert "en" in languages()
    with pytest.raises(KeyError):
        language("xx")


@pytest.mark.parametrize(
    ("code", "zone", "shown", "day"),
    [
        ("en", "UTC", "10 Nov 2026, 23:30 UTC", "10 Nov 2026"),
        ("en", "Europe/Berlin", "11 Nov 2026, 00:30 CET", "11 Nov 2026"),
        ("de", "Europe/Berlin", "11.11.2026, 00:30 MEZ", "11.11.2026"),
        ("en", "America/Sao_Paulo", "10 Nov 2026, 20:30 UTC-03", "10 Nov 2026"),
    ],
)
def test_times_are_in_the_zone_of_the_language(code: str, zone: str, shown: str, day: str) -> None:
    zoned = pickle.loads(pickle.dumps(language(code).in_zone(ZoneInfo(zone))))  # noqa: S301 - made here
    assert zoned.time("2026-11-10T23:30:00+00:00") == shown
    assert zoned.date("2026-11-10T23:30:00+00:00") == day


def test_a_time_without_a_zone_stays_as_it_is() -> None:
    zoned = language("en").in_zone(ZoneInfo("Europe/Berlin"))
    assert zoned.time("2026-11-10T23:30:00") == "10 Nov 2026, 23:30"
    assert zoned.date("2026-11-10") == "10 Nov 2026"
