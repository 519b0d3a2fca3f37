"""The page of a class as one text."""

from collections.abc import Sequence
from pathlib import Path

from grader.facts.language import Language
from grader.report.classpage import ClassRow, class_page
from grader.report.templating import Templates
from grader.report.text import ENGLISH

__all__ = ["whole_class_page"]


def whole_class_page(
    rows: Sequence[ClassRow], *, title: str, templates: Path | Templates, language: Language = ENGLISH
) -> str:
    """Join the pieces of `class_page`, which has the same arguments."""
    return "".join(class_page(rows, title=title, templates=templates, language=language))
