"""Grade CNN assignments: execute once, grade many times, deliver anywhere.

The public names are listed in `__all__`. Each is imported when it is first used, so that `import grader` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

from grader import _former_paths
from grader.version import __version__

if TYPE_CHECKING:
    from grader.api import check, grade, load_rubric, regrade
    from grader.checks.registry import check as register_check
    from grader.checks.registry import diagnostic as register_diagnostic
    from grader.checks.support.params import Params, WithModel
    from grader.facts.case import Case
    from grader.grading.loader import LoadedRubric
    from grader.pipeline.regrade import Regrade
    from grader.report.shown import Shown, show
    from grader.schema.base import Assurance, Pointer
    from grader.schema.errors import GraderError
    from grader.schema.evidence import Evidence
    from grader.schema.grade import Diagnostic, Finding, Grade
    from grader.schema.progress import Step
    from grader.schema.rubric import Rubric

__all__ = [
    "Assurance",
    "Case",
    "Diagnostic",
    "Evidence",
    "Finding",
    "Grade",
    "GraderError",
    "LoadedRubric",
    "Params",
    "Pointer",
    "Regrade",
    "Rubric",
    "Shown",
    "Step",
    "WithModel",
    "__version__",
    "check",
    "grade",
    "load_rubric",
    "register_check",
    "register_diagnostic",
    "regrade",
    "show",
]

_PLACES = {
    "Assurance": "grader.schema.base",
    "Case": "grader.facts.case",
    "Diagnostic": "grader.schema.grade",
    "Evidence": "grader.schema.evidence",
    "Finding": "grader.schema.grade",
    "Grade": "grader.schema.grade",
    "GraderError": "grader.schema.errors",
    "LoadedRubric": "grader.grading.loader",
    "Params": "grader.checks.support.params",
    "Pointer": "grader.schema.base",
    "Regrade": "grader.pipeline.regrade",
    "Rubric": "grader.schema.rubric",
    "Shown": "grader.report.shown",
    "Step": "grader.schema.progress",
    "WithModel": "grader.checks.support.params",
    "check": "grader.api",
    "grade": "grader.api",
    "load_rubric": "grader.api",
    "regrade": "grader.api",
    "register_check": "grader.checks.registry:check",
    "register_diagnostic": "grader.checks.registry:diagnostic",
    "show": "grader.report.shown",
}
"""Public name → its module, with its name there where that is another one."""

if not TYPE_CHECKING:
    # Hidden from type checkers, for which every name of a module with `__getattr__` exists.

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used."""
        place = _PLACES.get(name)
        if place is None:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        module, _, own_name = place.partition(":")
        value = getattr(importlib.import_module(module), own_name or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_former_paths.install()
