"""How the notebook ran, in the form that the template shows."""

from collections.abc import Mapping
from typing import Final

from grader.facts.language import Language
from grader.report.links import Link, Target
from grader.report.text import DASH, duration
from grader.schema.grade import ErrorGrade, ExecutionGrade
from grader.schema.message import Message, MessageLike, say, sentences

__all__ = ["errors_of", "facts_of"]

_RESULTS: Final[Mapping[str, Message]] = {
    "completed": say("All cells ran without an error."),
    "cell_error": say("All cells ran, but at least one raised an error."),
    "timeout": say("The time budget was used up."),
    "memory": say("The memory, disk or process budget was used up."),
    "died": say("The kernel died."),
}
_ISOLATIONS: Final[Mapping[str, Message]] = {
    "bubblewrap": say("bubblewrap sandbox"),
    "container": say("container"),
    "user": say("a user id of its own"),
    "none": say("none: the notebook ran with the grader's permissions"),
}
_DIALECTS: Final[Mapping[str, str]] = {"keras3": "Keras 3", "keras2": "Keras 2 (tf_keras)"}
_MIB: Final = 1 << 20


def facts_of(execution: ExecutionGrade | None, language: Language) -> tuple[tuple[Message, MessageLike], ...]:
    """List facts of the execution as pairs of a name and a text."""
    if execution is None:
        return ()
    memory = execution.peak_memory_mib
    return (
        (say("Result"), sentences(_RESULTS[execution.status], execution.reason_says or execution.reason)),
        (say("Cells run"), say("{run} of {total}", run=execution.cells_run, total=execution.cells_total)),
        (say("Time"), duration(execution.seconds, language)),
        (say("Peak memory"), DASH if memory is None else language.size(memory * _MIB)),
        (say("Device"), execution.device),
        (say("Seed"), str(execution.seed)),
        (say("Dialect"), _DIALECTS.get(execution.dialect, execution.dialect)),
        (say("Isolation"), _ISOLATIONS.get(execution.isolation, execution.isolation)),
    )


def errors_of(execution: ExecutionGrade | None, to: Target) -> tuple[tuple[ErrorGrade, Link], ...]:
    """List the cells that raised an error."""
    return tuple((error, to.link(error.cell)) for error in execution.errors) if execution else ()
