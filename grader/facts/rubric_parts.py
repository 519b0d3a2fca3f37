"""Find the parts of a rubric that only some of its criteria need."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from grader.schema.base import Json
from grader.schema.rubric import Criterion, Rubric

__all__ = ["roles_only_of", "tasks_only_of"]


def roles_only_of(rubric: Rubric, removed: Collection[str]) -> frozenset[str]:
    """Find the roles that only some criteria name; a role that no criterion names is not one of them.

    Args:
        rubric: The rubric.
        removed: Ids of these criteria.
    """
    if not removed:
        return frozenset()
    named = _named(rubric.roles, (c for c in rubric.criteria if c.id in removed))
    used = _named(rubric.roles, (c for c in rubric.criteria if c.id not in removed))
    used |= {*(rubric.diagnostics.models or ()), *(rubric.diagnostics.students.models or ())}
    return frozenset(rubric.roles) - _with_reused(used | (set(rubric.roles) - named), rubric)


def tasks_only_of(rubric: Rubric, removed: Collection[str], removed_roles: Collection[str]) -> frozenset[str]:
    """Find the tasks that only some criteria and roles name.

    Args:
        rubric: The rubric.
        removed: Ids of these criteria.
        removed_roles: Names of these roles.
    """
    named = _named(rubric.tasks, (c for c in rubric.criteria if c.id in removed))
    used = _named(rubric.tasks, (c for c in rubric.criteria if c.id not in removed))
    for name, role in rubric.roles.items():
        if role.task is not None:
            (named if name in removed_roles else used).add(role.task)
    return frozenset(named - used)


def _named(names: Collection[str], criteria: Iterable[Criterion]) -> set[str]:
    """Find the names that occur in the parameters of criteria."""
    values = {text for criterion in criteria for test in criterion.tests for text in _texts(test.with_)}
    return values & set(names)


def _texts(value: Json | Mapping[str, Json]) -> Iterator[str]:
    """List all strings in a JSON value, without keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _with_reused(roles: set[str], rubric: Rubric) -> set[str]:
    """Add the roles that other roles reuse."""
    every, waiting = set(roles), list(roles)
    while waiting:
        role = rubric.roles.get(waiting.pop())
        if role is not None and role.reuses is not None and role.reuses not in every:
            every.add(role.reuses)
            waiting.append(role.reuses)
    return every
