"""List the topics of a draft, in the order of a rubric."""

import functools
from collections.abc import Iterator
from importlib.metadata import entry_points

from grader.grading.drafting import architecture, notebook, preprocessing, results, trainings, transfer
from grader.grading.drafting.base import Topic
from grader.schema.errors import HarnessError

__all__ = ["ENTRY_POINT_GROUP", "all_topics"]

ENTRY_POINT_GROUP = "grader.drafts"
"""Entry point group in which third-party packages name their functions that propose criteria."""

_TOPICS: tuple[Topic, ...] = (
    notebook.propose_execution,
    architecture.propose,
    trainings.propose,
    transfer.propose,
    results.propose,
    notebook.propose_figures,
    preprocessing.propose,
    notebook.propose_text,
)


@functools.cache
def all_topics() -> tuple[Topic, ...]:
    """Return the functions that propose criteria; functions of other packages come last.

    Raises:
        HarnessError: A function of another package cannot be loaded.
    """
    return (*_TOPICS, *_others())


def _others() -> Iterator[Topic]:
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            yield entry.load()
        except Exception as error:
            message = f"the installed drafts {entry.name!r} ({entry.value}) could not be loaded: {error}"
            raise HarnessError(message) from error
