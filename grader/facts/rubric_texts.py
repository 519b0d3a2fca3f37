"""Show the rubric's texts of a grade in the language of a page."""

from grader.facts.language import Language
from grader.schema.grade import Grade

__all__ = ["with_titles"]


def with_titles(grade: Grade, language: Language) -> Grade:
    """Translate the titles of the assignment and the criteria; `language` translates all other texts of the rubric.

    Args:
        grade: A grade, whose titles are English.
        language: The language of the page, with the rubric's translations.
    """
    if not language.texts:
        return grade
    title = language.rubric_text(grade.rubric.title)
    criteria = (line.model_copy(update={"title": language.rubric_text(line.title)}) for line in grade.criteria)
    rubric = grade.rubric.model_copy(update={"title": title})
    return grade.model_copy(update={"rubric": rubric, "criteria": tuple(criteria)})
