"""Read the grading worksheet of a Moodle assignment; its headings are in the language of the instructor."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from grader.delivery.pairing import Person
from grader.delivery.sheet import Sheet, read_sheet
from grader.delivery.worksheet import Place, heading_key
from grader.schema.errors import UsageError

__all__ = ["MoodleSheet", "read_moodle_sheet"]

_HEADINGS: Final = {
    "grade": (
        "grade",
        "bewertung",
        "note",
        "calificación",
        "valutazione",
        "beoordeling",
        "cijfer",
        "nota",
        "avaliação",
    ),
    "maximum": (
        *("maximum grade", "bestwertung", "maximale bewertung", "note maximale", "calificación máxima"),
        *("maximum cijfer", "maximale beoordeling", "valutazione massima"),
    ),
    "changeable": (
        *("grade can be changed", "bewertung kann geändert werden", "la note peut être modifiée"),
        *("la calificación puede cambiarse", "cijfer kan gewijzigd worden"),
    ),
    "scale": ("scale", "skala", "barème", "escala", "scala", "schaal"),
    "name": (
        *("full name", "fullname", "name", "first name / last name", "first name / surname", "vollständiger name"),
        *("vorname / nachname", "nom complet", "nombre completo", "nome completo", "volledige naam"),
    ),
    "first": ("first name", "vorname"),
    "last": ("last name", "surname", "nachname"),
    "email": ("email address", "email", "e-mail-adresse", "e-mail", "adresse de courriel", "dirección de correo"),
    "number": ("id number", "id-nummer", "matrikelnummer", "numéro d'identification", "número de id"),
    "login": ("username", "anmeldename", "nutzername", "nom d'utilisateur", "nombre de usuario"),
}
"""Column → headings in some languages of Moodle. `--column` names the column of the grades in any other language."""
_PARTICIPANT: Final = re.compile(r"\D+\d+")
"""Moodle's name of a person in the assignment: the word of its language, then a number."""
_UNCHANGEABLE: Final = frozenset({"no", "nein", "non", "nee"})
_ADVICE: Final = "download the grading worksheet of the assignment: View all submissions, Download grading worksheet"
_MOST_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class MoodleSheet:
    """A grading worksheet."""

    sheet: Sheet
    name: str
    """Path of the file, for errors."""
    columns: dict[str, int]
    """Indexes of the recognized columns; `participant` is always there."""

    def people(self) -> Iterator[tuple[Person, Place]]:
        """Read the participants."""
        for row in range(1, len(self.sheet.rows)):
            values = {key: self.sheet.value(row, index) for key, index in self.columns.items()}
            if not values["participant"]:
                continue
            parts = (values.get("first", ""), values.get("last", ""))
            person = Person(
                line=self.sheet.lines[row],
                name=values.get("name", "") or " ".join(filter(None, parts)),
                ids=(values.get("number", ""),),
                login=values.get("login", ""),
                email=values.get("email", ""),
                participant=values["participant"],
            )
            locked = values.get("changeable", "").casefold() in _UNCHANGEABLE
            yield person, Place(row, "Moodle does not allow to change this grade" if locked else "")

    def column_of_grades(self, named: str = "") -> int:
        """Find the column of the grades.

        Args:
            named: Its heading; empty to find it by the headings of known languages.

        Raises:
            UsageError: There is no such column.
        """
        headings = [cell.value.strip() for cell in self.sheet.rows[0]]
        if named:
            found = [index for index, cell in enumerate(headings) if heading_key(cell) == heading_key(named)]
        else:
            found = [self.columns["grade"]] if "grade" in self.columns else []
        if len(found) == 1:
            return found[0]
        known = ", ".join(map(repr, headings[:_MOST_LISTED]))
        msg = f"the column of the grades was not found; columns: {known}"
        raise UsageError(msg, where=self.name, advice="name it with `--column`")


def read_moodle_sheet(content: bytes, *, name: str) -> MoodleSheet:
    """Read a grading worksheet.

    Args:
        content: Bytes of the file.
        name: Path of the file, for errors.

    Raises:
        UsageError: It is no grading worksheet.
    """
    sheet = read_sheet(content, name=name)
    aliases = {alias: column for column, words in _HEADINGS.items() for alias in words}
    columns: dict[str, int] = {}
    for index, cell in enumerate(sheet.rows[0]):
        column = aliases.get(heading_key(cell.value))
        if column is not None:
            columns.setdefault(column, index)
    participant = _participant_column(sheet)
    if participant is None:
        msg = "this is no grading worksheet of Moodle: no column has only values such as `Participant 12345`"
        raise UsageError(msg, where=name, advice=_ADVICE)
    return MoodleSheet(sheet, name, {**columns, "participant": participant})


def _participant_column(sheet: Sheet) -> int | None:
    """Find the column whose values all are a word of any language and a number that no other row has."""
    for column in range(len(sheet.rows[0])):
        values = [text for row in range(1, len(sheet.rows)) if (text := sheet.value(row, column))]
        words = {re.sub(r"\d+$", "", text) for text in values}
        if values and len(words) == 1 and all(_PARTICIPANT.fullmatch(text) for text in values):
            return column if len(set(values)) == len(values) else None
    return None
