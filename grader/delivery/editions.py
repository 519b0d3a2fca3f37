"""A grade in the forms that other tools get: the complete grade, the student's edition, and its plain texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from grader.delivery.letter import letter
from grader.facts.language import Language, language
from grader.facts.points import UNJUDGED
from grader.facts.rubric_texts import with_titles
from grader.report.edition import edition
from grader.report.people import people_view, remarks_of
from grader.report.text import clean, cut, rendered
from grader.schema.grade import CriterionGrade, Grade
from grader.schema.message import MessageLike, say
from grader.schema.rubric import Rubric

__all__ = [
    "LONGEST_TEXT",
    "Editions",
    "criterion_text",
    "decided_fraction",
    "editions_of",
    "fraction_text",
    "has_points",
    "hidden_lines",
    "late_title",
    "overall_text",
    "plain_text",
]

LONGEST_TEXT: Final = 4_000
"""Limit of one text in characters; the text of an exception can be as long as its author likes."""
_ENGLISH: Final = language("en")
_DISCOUNT: Final = say("Late submission")


@dataclass(frozen=True, slots=True)
class Editions:
    """A grade, and what its student may see of it."""

    whole: Grade
    """The complete grade, with titles in the language."""
    shown: Grade
    """The student's edition, with titles in the language."""
    language: Language = _ENGLISH
    """The language of the student."""


def editions_of(grade: Grade, rubric: Rubric | None, language: Language = _ENGLISH) -> Editions:
    """Make the editions of a grade.

    Args:
        grade: The complete grade; a student's edition is both.
        rubric: The rubric. Without it, the grade's own marks decide what students may see.
        language: The language of the student, with the rubric's texts (`LoadedRubric.writer`).
    """
    return Editions(
        whole=with_titles(grade, language),
        shown=with_titles(edition(grade, rubric, "student"), language),
        language=language,
    )


def plain_text(message: MessageLike, language: Language = _ENGLISH) -> str:
    """Render a message as plain text: no control characters, no writing directions, not too long.

    Args:
        message: The message; names and values of the student's code may be part of it.
        language: The language.
    """
    return cut(clean(rendered(message, language)), LONGEST_TEXT)


def criterion_text(line: CriterionGrade, language: Language = _ENGLISH) -> str:
    """Write the message, the cause, the advice and the comments of a criterion as plain text.

    Args:
        line: The criterion, in the edition for its readers.
        language: The language of the text.
    """
    return cut("\n".join(_lines_of(line, language)), LONGEST_TEXT)


def _lines_of(line: CriterionGrade, language: Language) -> Iterator[str]:
    yield plain_text(line.says or line.message, language)
    if line.status in {"failed", "partial"}:
        if line.cause is not None:
            yield plain_text(line.cause.says, language)
        if advice := line.advice_says or line.advice:
            yield f"→ {plain_text(advice, language)}"
    for remark in remarks_of(line.comments):
        yield plain_text(remark.head, language)
        yield plain_text(remark.text)


def overall_text(editions: Editions) -> str:
    """Write what concerns the whole submission as plain text: the score, open points, lateness, comments.

    Args:
        editions: The grade.
    """
    shown, spoken = editions.shown, editions.language
    if shown.status != "graded":
        return plain_text(shown.reason_says or shown.reason or "", spoken)
    content, people = letter(shown, name=""), people_view(shown)
    texts: list[MessageLike] = [content.score_says, content.open_says, content.reason, *people.late]
    if content.cause is not None:
        texts += [content.cause.place.says, f"{content.cause.name}: {content.cause.text}", content.cause.advice]
    for remark in people.comments:
        texts += [remark.head, remark.text]
    return cut("\n".join(plain_text(text, spoken) for text in texts if text), LONGEST_TEXT)


def has_points(line: CriterionGrade) -> bool:
    """Whether the points of a criterion were decided; undecided points are unknown, not 0."""
    return line.status not in UNJUDGED


def hidden_lines(editions: Editions) -> tuple[CriterionGrade, ...]:
    """List the criteria that the student does not see."""
    shown = {line.id for line in editions.shown.criteria}
    return tuple(line for line in editions.whole.criteria if line.id not in shown)


def late_title(language: Language = _ENGLISH) -> str:
    """Return the title of the deduction for a late submission."""
    return language.text(_DISCOUNT)


def decided_fraction(grade: Grade) -> float | None:
    """Compute the score as a fraction of the points that were decided, 0 to 1.

    Points that a person still has to give count neither way. Bonus points count up to full marks.

    Args:
        grade: The grade.

    Returns:
        The fraction; None if there is no score, or nothing was decided.
    """
    decided = grade.max_score - sum(
        one.max_points for one in grade.criteria if one.status == "pending" and not one.bonus
    )
    if grade.score is None or decided <= 0:
        return None
    return min(max(grade.score / decided, 0.0), 1.0)


def fraction_text(grade: Grade) -> str:
    """Write the decided fraction for lists, such as `0.7523`.

    Args:
        grade: The grade.
    """
    fraction = decided_fraction(grade)
    return "not gradable" if fraction is None else f"{fraction:.4g}"
