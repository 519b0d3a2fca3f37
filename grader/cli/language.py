"""Choose the language of pages: the option, else the course's, the rubric's, the site's, else English."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.cli.site import Site
    from grader.grading.loader import LoadedRubric
    from grader.store.results import ResultsFolder

__all__ = ["in_language", "site_language"]


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
    from grader.pipeline.rubrics import checked_language, noted_language

    if code is not None:
        return replace(loaded, language=checked_language(code, "--language"))
    if loaded.language is not None:  # of the course folder
        return loaded
    noted = noted_language(out) if out is not None else None
    if noted is not None:
        return replace(loaded, language=noted)
    return loaded if loaded.rubric.language is not None else replace(loaded, language=site_language(load_site()))


def site_language(site: "Site") -> str | None:
    """Return the site's language of pages; None if no site file names one.

    Args:
        site: The settings.

    Raises:
        UsageError: The grader has no such language.
    """
    from grader.pipeline.rubrics import checked_language

    code = site.settings.language
    return None if code is None else checked_language(code, "`language` of the site file")
