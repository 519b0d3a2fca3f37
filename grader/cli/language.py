"""Choose the language of pages: the option, else the rubric's, else the site's, else English."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.grading.loader import LoadedRubric
    from grader.store.results import ResultsFolder

__all__ = ["in_language"]


def in_language(loaded: "LoadedRubric", code: str | None, out: "ResultsFolder | None" = None) -> "LoadedRubric":
    """Set the language of pages; `page_language` and `writer` of the result then have it.

    Args:
        loaded: The rubric.
        code: The value of `--language`.
        out: A results folder; without the option, the language that was chosen for its pages is kept.

    Raises:
        UsageError: The grader has no such language.
    """
    from grader.cli.site import load_site
    from grader.pipeline.rubrics import noted_language

    if code is not None:
        return replace(loaded, language=_checked(code, "--language"))
    noted = noted_language(out) if out is not None else None
    if noted is not None:
        return replace(loaded, language=noted)
    site = None if loaded.rubric.language is not None else load_site().settings.language
    return loaded if site is None else replace(loaded, language=_checked(site, "`language` of the site file"))


def _checked(code: str, where: str) -> str:
    from grader.facts.language import unknown_language
    from grader.schema.errors import UsageError

    code = code.replace("-", "_")
    if problem := unknown_language(code):
        raise UsageError(problem, where=where, advice="docs/translating.md explains how to add a language")
    return code
