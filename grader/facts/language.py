"""Renders messages in a language: the one place that formats numbers, percentages, shapes, lists and counts."""

import functools
import gettext
import hashlib
import math
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, get_timezone_name
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from grader.facts.nearest import suggestion
from grader.schema.message import LITERAL, Message

__all__ = [
    "DATASETS",
    "FORMATS",
    "JOINERS",
    "TIMES",
    "Language",
    "catalog_digest",
    "english",
    "language",
    "languages",
    "unknown_language",
]

_CATALOGS = Path(__file__).resolve().parents[1] / "locale"
DATASETS: Mapping[str, str] = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
}
"""Names of data sets as people write them; the same in every language."""
TIMES = " \N{MULTIPLICATION SIGN} "
"""The sign between the axes of a shape."""
_LARGEST_WHOLE = 1e15
"""Beyond it a float does not tell whole numbers apart."""
_MINUTE, _HOUR = 60, 3600
_ENGLISH_DATE = "d MMM y"
"""Pattern of dates in English; Babel's default is American."""
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Language:
    """A language: its catalog of messages, and how it writes numbers.

    Attributes:
        code: Such as `en` or `de`.
        catalog: Translations; English needs none, since each message's id is English.
        texts: The translations of one rubric: pairs of its text and the text in this language.
        zone: The time zone of dates and times.
    """

    code: str
    catalog: gettext.NullTranslations
    texts: tuple[tuple[str, str], ...] = ()
    zone: tzinfo = UTC

    def __reduce__(self) -> tuple[Callable[..., "Language"], tuple[str, tuple[tuple[str, str], ...], tzinfo]]:
        """Pickle the code instead of the catalog, whose plural rule is a function."""
        return _restored, (self.code, self.texts, self.zone)

    def with_texts(self, texts: Mapping[str, str]) -> "Language":
        """Return the same language with the translations of a rubric.

        Args:
            texts: Text of the rubric → text in this language.
        """
        return replace(self, texts=tuple(sorted(texts.items())))

    def in_zone(self, zone: tzinfo) -> "Language":
        """Return the same language with dates and times in a time zone."""
        return self if zone == self.zone else replace(self, zone=zone)

    @functools.cached_property
    def _texts(self) -> Mapping[str, str]:
        return dict(self.texts)

    def rubric_text(self, text: str) -> str:
        """Translate a text of the rubric; one without a translation stays as it is."""
        return self._texts.get(text.strip(), text)

    @property
    def tag(self) -> str:
        """The code in the form of HTML and mail: `pt-BR` for `pt_BR`."""
        return self.code.replace("_", "-")

    @functools.cached_property
    def locale(self) -> Locale:
        """Babel's data for the language."""
        return Locale.parse(self.code)

    def text(self, message: Message) -> str:
        """Render a message.

        Args:
            message: Any message; nested messages are rendered too.

        Returns:
            Plain text, names in backticks.
        """
        if not message.id:
            return ""
        if message.id == LITERAL:
            return self.rubric_text(self.plain(message.values["text"]))
        if message.plural is None:
            template = self.catalog.gettext(message.id)
        else:
            template = self.catalog.ngettext(message.id, message.plural, _count(message))
        return self._filled(template, message.values)

    def word(self, text: str) -> str:
        """Translate a fixed word of this module's own."""
        return self.catalog.gettext(text)

    def _filled(self, template: str, values: Mapping[str, Any]) -> str:
        pieces = []
        for before, name, spec, _ in _parsed(template):
            pieces.append(before)
            if name is not None:
                pieces.append(self.value(values[name], spec or ""))
        return "".join(pieces)

    def value(self, value: Any, spec: str = "") -> str:
        """Format one value.

        Args:
            value: As in `Message.values`.
            spec: Names of formats from `FORMATS`; for a sequence the last one may be a joiner (`code or`).
        """
        kind, _, joiner = spec.partition(" ")
        if not joiner and kind in JOINERS:
            kind, joiner = "", kind
        if kind in _OF_A_SEQUENCE or (not isinstance(value, (list, tuple)) and not joiner):
            return FORMATS[kind](self, value)
        items = value if isinstance(value, (list, tuple)) else (value,)
        return JOINERS[joiner](self, [FORMATS[kind](self, item) for item in items])

    # --- numbers

    def number(self, value: Any) -> str:
        """Write a whole number with its thousands separated, another one with at most four significant digits."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return self.word("not a number")
        if isinstance(value, int) or (float(value).is_integer() and abs(value) < _LARGEST_WHOLE):
            return self.whole(int(value))
        digits, e, exponent = f"{value:.4g}".partition("e")
        return f"{self._decimal(digits)}{e}{exponent}"

    def whole(self, value: int) -> str:
        """Write a whole number with its thousands separated."""
        text = f"{value:,}"
        return text if self.code == "en" else format_decimal(value, locale=self.locale)

    def _decimal(self, text: str) -> str:
        """Write a decimal number that is given with the digits it shall have."""
        if self.code == "en":
            return text
        places = len(text.partition(".")[2])
        return format_decimal(float(text), format="#,##0." + "0" * places if places else "#,##0", locale=self.locale)

    def percent(self, part: Any, places: int | None = None) -> str:
        """Write a part of a whole as a percentage.

        Args:
            part: A fraction of 1.
            places: The number of decimals, such as on an axis; None for at most two: `98.52 %`, `99 %`.
        """
        if part is None or not math.isfinite(part):
            return self.word("not a number")
        if abs(part) >= _LARGEST_WHOLE:
            return f"{self.number(100 * part)} %"
        text = f"{100 * part:.2f}".rstrip("0").rstrip(".") if places is None else f"{100 * part:.{places}f}"
        return f"{self._decimal(text)} %"

    def points(self, value: Any) -> str:
        """Write points with at most two decimals: `10`, `7.5`, `3.33`."""
        return self._decimal(f"{value:.2f}".rstrip("0").rstrip("."))

    def seconds(self, value: Any) -> str:
        """Write a duration as a person says it: `8.4 s`, `3 min 05 s`, `1 h 02 min`."""
        if value is None or not math.isfinite(value):
            return self.word("not a number")
        if value < _MINUTE:
            return f"{self._decimal(f'{value:.1f}'.removesuffix('.0'))} s"
        minutes, rest = divmod(round(value), _MINUTE)
        if value < _HOUR:
            return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
        hours, minutes = divmod(minutes, _MINUTE)
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"

    def size(self, value: Any) -> str:
        """Write an amount of memory in bytes: `512 MiB`, `6 GiB`."""
        for unit, name in ((_GIB, "GiB"), (_MIB, "MiB"), (_KIB, "KiB")):
            if value >= unit:
                return f"{self._decimal(f'{value / unit:.1f}'.removesuffix('.0'))} {name}"
        return f"{self.whole(int(value))} B"

    # --- dates

    def date(self, value: Any) -> str:
        """Write a day: `29 Nov 2026`.

        Args:
            value: A date and time, or its text in ISO 8601. It is shown in the language's time zone if it has a zone.
        """
        moment = self._moment(value)
        if moment is None:
            return self.word("an unknown date")
        return format_date(moment, _ENGLISH_DATE if self.code == "en" else "medium", locale=self.locale)

    def time(self, value: Any) -> str:
        """Write a day and a time: `29 Nov 2026, 20:09 CET`.

        Args:
            value: A date and time, or its text in ISO 8601. One without a zone is shown as it is, without a zone.
        """
        moment = self._moment(value)
        if moment is None:
            return self.word("an unknown date")
        zone = f" {self._zone_name(moment)}" if moment.tzinfo is not None else ""
        return f"{self.date(moment)}, {moment:%H:%M}{zone}"

    def _moment(self, value: Any) -> datetime | None:
        """Read a date and time, and convert it to the time zone if it has one; None if it is unknown or malformed."""
        try:
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo is None else moment.astimezone(self.zone)
        except (ValueError, OverflowError):
            return None

    def _zone_name(self, moment: datetime) -> str:
        """Name the zone of a time by its abbreviation, such as `CET`, or by its offset, such as `UTC+03`."""
        name = moment.tzname() or ""
        if name[:1] in {"+", "-"}:
            return f"UTC{name}"
        if self.code == "en" or name == "UTC":
            return name
        own = get_timezone_name(moment, width="short", locale=self.locale)
        return own if own.isalpha() else name

    # --- names and places

    def plain(self, value: Any) -> str:
        """Render a nested message, a number or a text as it is."""
        if isinstance(value, Message):
            return self.text(value)
        if isinstance(value, bool):
            return self.word("yes") if value else self.word("no")
        if isinstance(value, (int, float)):
            return self.number(value)
        return "" if value is None else str(value)

    def shape(self, value: Any) -> str:
        """Write a shape with multiplication signs; an open axis is `any`."""
        if value is None:
            return self.word("an unknown shape")
        axes = [self.word("any") if axis is None else str(axis) for axis in value]
        return TIMES.join(axes) or self.word("a single number")

    def cell(self, value: Any) -> str:
        """Name a cell as a person counts: index 0 is `cell 1`."""
        return self.word("an unknown cell") if value is None else f"{self.word('cell')} {value + 1}"

    def upper_cell(self, value: Any) -> str:
        """Name a cell at the start of a sentence."""
        return self.word("An unknown cell") if value is None else f"{self.word('Cell')} {value + 1}"

    def split(self, value: Any) -> str:
        """Name a split, as a word before *images* or *accuracy*: `training` for `train`."""
        if value == "test":
            return self.catalog.pgettext("before images or accuracy", "test")
        if value == "train":
            return self.catalog.pgettext("before images or accuracy", "training")
        return str(value)


@functools.lru_cache(maxsize=4096)
def _parsed(template: str) -> tuple[tuple[str, str | None, str | None, str | None], ...]:
    return tuple(string.Formatter().parse(template))


def _count(message: Message) -> int:
    count = message.values.get("count")
    return count if isinstance(count, int) else 0


def _code(_: Language, value: Any) -> str:
    return f"`{value}`"


def _raw(_: Language, value: Any) -> str:
    return str(value)


def _dataset(_: Language, value: Any) -> str:
    return DATASETS.get(str(value), str(value))


_Format = Callable[[Language, Any], str]
FORMATS: Mapping[str, _Format] = {
    "": Language.plain,
    "number": Language.number,
    "percent": Language.percent,
    "points": Language.points,
    "seconds": Language.seconds,
    "size": Language.size,
    "date": Language.date,
    "time": Language.time,
    "shape": Language.shape,
    "cell": Language.cell,
    "Cell": Language.upper_cell,
    "split": Language.split,
    "dataset": _dataset,
    "code": _code,
    "raw": _raw,
}
"""The formats a template's field can name."""
_OF_A_SEQUENCE = frozenset({"shape"})


def _joined(style: str) -> Callable[[Language, Sequence[str]], str]:
    def join(language: Language, items: Sequence[str]) -> str:
        return format_list(list(items), style=style, locale=language.locale)  # type: ignore[arg-type]  # one of its words

    return join


def _with(separator: str) -> Callable[[Language, Iterable[str]], str]:
    return lambda _, items: separator.join(items)


JOINERS: Mapping[str, Callable[[Language, list[str]], str]] = {
    "": _joined("standard"),
    "and": _joined("standard"),
    "or": _joined("or"),
    "list": _with(", "),
    "sentences": _with(" "),
    "clauses": _with("; "),
}
"""How the items of a list are joined; the last word of a field's format."""


@functools.cache
def language(code: str) -> Language:
    """Load a language.

    Args:
        code: Such as `en`; one of `languages()`.

    Raises:
        KeyError: There is no catalog for it.
    """
    if code not in languages():
        raise KeyError(code)
    path = _CATALOGS / f"{code}.po"
    return Language(code, _read_catalog(path) if path.is_file() else gettext.NullTranslations())


def _restored(code: str, texts: tuple[tuple[str, str], ...], zone: tzinfo) -> Language:
    return replace(language(code), texts=texts, zone=zone)


def unknown_language(code: str) -> str:
    """Describe what is wrong with a language's code; empty if there is a catalog for it."""
    if code in languages():
        return ""
    return f"unknown language {code!r}{suggestion(code, languages())}"


@functools.cache
def catalog_digest(code: str) -> str:
    """Digest the catalog of a language; empty for English."""
    path = _CATALOGS / f"{code}.po"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def languages() -> tuple[str, ...]:
    """List the languages there is a catalog for; English is always there."""
    return ("en", *sorted(path.stem for path in _CATALOGS.glob("*.po") if path.stem != "en"))


def _read_catalog(path: Path) -> gettext.NullTranslations:
    """Compile a `.po` file in memory, so that a language is one file."""
    import io  # noqa: PLC0415 - only where a language other than English is used

    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def english(message: Message | str) -> str:
    """Render a message in English; a plain text stays as it is."""
    return message if isinstance(message, str) else language("en").text(message)
