"""A mutation and its input: the evidence of a solution, the rubric's tests, and the model that gets the mistake."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from grader.schema.evidence import Evidence
from grader.schema.rubric import Rubric

__all__ = ["CheckUse", "Concern", "Mutation", "NotApplicable", "Target", "always", "mutation", "mutations_of", "sets"]

Concern = Callable[[Any], bool]
"""Whether a check with these parameters must notice a mutation."""


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The evidence has nothing to change.

    Attributes:
        reason: A clause, such as "no model has dropout".
    """

    reason: str


@dataclass(frozen=True, slots=True)
class CheckUse:
    """A check of the rubric with its parameters, and the model that it judges in the solution.

    Attributes:
        check: The check's name.
        params: The check's parameters.
        model: Id of the model of its role; None if it has no role, or if no model has it.
    """

    check: str
    params: BaseModel
    model: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """The rubric of the evidence, for mutations that depend on its thresholds.

    Attributes:
        rubric: The rubric.
        roles: Role → id of its model in the solution.
        tests: All checks of the rubric.
    """

    rubric: Rubric
    roles: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[CheckUse, ...] = ()

    def tests_of(self, check: str, model: str) -> Iterator[CheckUse]:
        """List the rubric's uses of a check for one model."""
        return (test for test in self.tests if test.check == check and test.model == model)

    def compared(self, params: object) -> str | None:
        """Find the model with which a check compares its own model; None if it compares none."""
        role = getattr(params, "over", None) or getattr(params, "than", None)
        return self.roles.get(role) if isinstance(role, str) else None


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake that evidence can have.

    Attributes:
        id: Stable id, such as `no-dropout`.
        title: The mistake, as a sentence.
        scope: `model` for a mistake in one model and its trainings, `notebook` for any other.
        concerns: Name of each check that must notice the mistake → whether it must with these parameters.
    """

    id: str
    title: str
    scope: Literal["model", "notebook"]
    concerns: Mapping[str, Concern]
    change: Callable[..., "Evidence | NotApplicable"]

    def apply(self, evidence: Evidence, target: Target, models: Iterable[str] = ()) -> Evidence | NotApplicable:
        """Make the mistake in the notebook, or in each of some models.

        Args:
            evidence: The evidence; it stays unchanged.
            target: The rubric.
            models: Ids of the models, for a mutation of models.

        Returns:
            The evidence with the mistake, or the reason why there is nothing to change.
        """
        if self.scope == "notebook":
            return _changed(evidence, self.change(evidence, target))
        result: Evidence | NotApplicable = NotApplicable("there is no model")
        mutant, reasons = evidence, []
        for model_id in models:
            model = mutant.model(model_id)
            if model is None:
                continue
            result = _changed(mutant, self.change(mutant, model, target))
            if isinstance(result, NotApplicable):
                reasons.append(result)
            else:
                mutant = result
        if mutant is not evidence:
            return mutant
        return reasons[0] if reasons else result


def _changed(evidence: Evidence, result: Evidence | NotApplicable) -> Evidence | NotApplicable:
    return NotApplicable("it has this property already") if result == evidence else result


_MUTATIONS: dict[str, Mutation] = {}


def mutation(
    name: str, *, scope: Literal["model", "notebook"] = "model", concerns: Mapping[str, Concern]
) -> Callable[[Callable[..., Evidence | NotApplicable]], Callable[..., Evidence | NotApplicable]]:
    """Register a mutation. The first line of the function's docstring is its title.

    Args:
        name: Unique id.
        scope: `model`: the function takes the evidence, a model and the target; `notebook`: no model.
        concerns: Name of each check that must notice it → whether it must with these parameters.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        ValueError: The id is taken by another function.
    """

    def register(function: Callable[..., Evidence | NotApplicable]) -> Callable[..., Evidence | NotApplicable]:
        taken = _MUTATIONS.get(name)
        if taken is not None and taken.change.__module__ != function.__module__:
            message = f"the mutation {name!r} is already registered by {taken.change.__module__}"
            raise ValueError(message)
        title = (inspect.getdoc(function) or name).splitlines()[0].rstrip(".")
        _MUTATIONS[name] = Mutation(name, title, scope, dict(concerns), function)
        return function

    return register


def mutations_of(module: str) -> tuple[Mutation, ...]:
    """List the mutations that a module registered, in their order."""
    return tuple(one for one in _MUTATIONS.values() if one.change.__module__ == module)


def always(_params: object) -> bool:
    """Concern every use of a check."""
    return True


def sets(*names: str) -> Concern:
    """Concern uses of a check that set one of these parameters to something else than None or False."""

    def concern(params: object) -> bool:
        return any(getattr(params, name, None) not in {None, False} for name in names)

    return concern
