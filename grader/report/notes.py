"""The notes in the form that the template shows: the graded model first, alike ones once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.report.code_lines import code_line
from grader.report.links import Link, Target
from grader.schema.grade import DiagnosticGrade, ModelGrade
from grader.schema.message import MessageLike

__all__ = ["NoteGroup", "NoteView", "note_groups", "note_views"]


@dataclass(frozen=True, slots=True)
class NoteView:
    """One note, in the list of notes and next to its cell."""

    note: DiagnosticGrade
    anchor: str
    title: MessageLike
    message: MessageLike
    advice: MessageLike
    link: Link | None
    code: str
    """The line of code that the note is about; empty if unknown."""


@dataclass(frozen=True, slots=True)
class NoteGroup:
    """Notes of the same kind, which share their title and their advice."""

    title: MessageLike
    advice: MessageLike
    notes: tuple[NoteView, ...]
    elsewhere: bool
    """Whether the notes are about other models than the graded one."""


def note_views(notes: Sequence[DiagnosticGrade], to: Target) -> tuple[NoteView, ...]:
    """Convert the notes, in the order of the grade."""
    return tuple(_view(number, note, to) for number, note in enumerate(notes, start=1))


def _view(number: int, note: DiagnosticGrade, to: Target) -> NoteView:
    return NoteView(
        note=note,
        anchor=f"note-{number}",
        title=to.text(note.title, note.title_says),
        message=to.text(note.message, note.says),
        advice=to.text(note.advice, note.advice_says),
        link=to.link(note.cell) if note.cell is not None else None,
        code=code_line(note.message, () if note.cell is None else (note.cell,), to.sources, to.models),
    )


def note_groups(notes: Iterable[NoteView], main: ModelGrade | None) -> tuple[NoteGroup, ...]:
    """Group the notes by their kind; those on the graded model come first, those on other models last.

    Args:
        notes: The notes.
        main: The graded model.
    """
    kinds: dict[tuple[str, bool], list[NoteView]] = {}
    for note in sorted(notes, key=lambda note: _rank(note, main)):
        kinds.setdefault((note.note.id, _rank(note, main) > 1), []).append(note)
    return tuple(_group(tuple(group), elsewhere=elsewhere) for (_, elsewhere), group in kinds.items())


def _rank(note: NoteView, main: ModelGrade | None) -> int:
    """Rank a note: 0 on the graded model, 1 on no model, 2 on another model."""
    if note.note.model is None:
        return 1
    return 0 if main is not None and note.note.model == main.id else 2


def _group(notes: tuple[NoteView, ...], *, elsewhere: bool) -> NoteGroup:
    first = notes[0]
    return NoteGroup(first.title, first.advice, notes, elsewhere)
