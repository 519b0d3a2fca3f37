"""Find out whether the criteria of a rubric can fail: grade typical mistakes in the evidence of a good solution.

Nothing is executed. A grade is a pure function of evidence, and a mutation is a pure function from evidence to
evidence, so a mistake is graded within milliseconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.facts.case import Case, CheckSpec
from grader.facts.roles import resolve_roles
from grader.grading.grade import grade
from grader.grading.mutations.base import CheckUse, Mutation, NotApplicable, Target
from grader.schema.evidence import Evidence
from grader.schema.grade import CriterionGrade, RoleMatch, RubricStamp
from grader.schema.rubric import Criterion, Rubric
from grader.schema.sensitivity import CriterionSensitivity, MutationResult, Reaction, Sensitivity
from grader.schema.submission import Submission

__all__ = ["measure_sensitivity"]

_EVERYWHERE = frozenset({"learning_rate", "callback", "mc_dropout"})
"""Checks that judge all models if they name no role."""
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class _Trial:
    """The unchanged solution, and all that is needed to grade a mistake in it.

    Attributes:
        evidence: The evidence of the solution.
        rubric: The rubric.
        checks: All checks, by name.
        target: The rubric's tests, for mutations.
        roles: The models of the rubric's roles in the solution.
        grades: The grades of the criteria, by id.
    """

    evidence: Evidence
    rubric: Rubric
    checks: Mapping[str, CheckSpec]
    target: Target
    roles: Mapping[str, RoleMatch]
    grades: Mapping[str, CriterionGrade]


def measure_sensitivity(
    rubric: Rubric, evidence: Evidence, checks: Mapping[str, CheckSpec], mutations: Iterable[Mutation]
) -> Sensitivity:
    """Grade every mutation of a solution's evidence.

    A mutation of models is applied to each graded model alone and to all of them together.

    Args:
        rubric: The rubric.
        evidence: Evidence of a solution that gets full marks.
        checks: All checks, by name.
        mutations: The mutations.

    Returns:
        The reactions of each criterion.
    """
    roles = resolve_roles(rubric, evidence)
    target = Target(rubric, _models(roles), tuple(_tests(rubric, evidence, roles, checks)))
    grades = _graded(rubric, evidence, roles, checks)
    trial = _Trial(evidence, rubric, checks, target, roles, grades)
    mutations = tuple(mutations)
    results = tuple(_result(mutation, trial) for mutation in mutations)
    known = {check for mutation in mutations for check in mutation.concerns}
    criteria = tuple(_of_criterion(criterion, trial, results, known) for criterion in rubric.criteria)
    return Sensitivity(rubric=rubric.id, criteria=criteria, mutations=results)


def _models(roles: Mapping[str, RoleMatch]) -> dict[str, str]:
    return {name: match.model for name, match in roles.items() if match.model is not None}


def _tests(
    rubric: Rubric, evidence: Evidence, roles: Mapping[str, RoleMatch], checks: Mapping[str, CheckSpec]
) -> Iterator[CheckUse]:
    """List the tests of a rubric with their models."""
    for criterion in rubric.criteria:
        yield from _tests_of(criterion, Case(evidence, rubric, roles), checks)


def _tests_of(criterion: Criterion, case: Case, checks: Mapping[str, CheckSpec]) -> Iterator[CheckUse]:
    for test in criterion.tests:
        spec = checks.get(test.check)
        if spec is None:
            continue
        params = spec.parameters.model_validate(dict(test.with_))
        role = getattr(params, "model", None)
        model = None if role is None and test.check in _EVERYWHERE else case.resolve(role).model
        yield CheckUse(test.check, params, model if "model" in spec.parameters.model_fields else None)


def _graded(
    rubric: Rubric, evidence: Evidence, roles: Mapping[str, RoleMatch], checks: Mapping[str, CheckSpec]
) -> dict[str, CriterionGrade]:
    # A mutant is never executed, so a model without an accuracy is no failure of the predictor.
    case = Case(evidence, rubric, roles, lacking="unasked")
    graded = grade(
        case,
        submission=Submission(id="mutant", student="", notebook=Path("mutant.ipynb"), sha256=""),
        stamp=RubricStamp(id=rubric.id, sha256="", title=rubric.title),
        checks=checks,
        diagnostics={},
        reference=None,
    )
    return {line.id: line for line in graded.criteria}


# ---------------------------------------------------------------------------------------------------------------------
# Mutations


def _result(mutation: Mutation, trial: _Trial) -> MutationResult:
    reactions: dict[str, Reaction] = {}
    missing: dict[str, None] = {}
    reasons, lost, applied = [], 0.0, False
    for models in _places(mutation, trial):
        mutant = mutation.apply(trial.evidence, trial.target, models)
        if isinstance(mutant, NotApplicable):
            reasons.append(mutant.reason)
            continue
        applied = True
        roles = resolve_roles(trial.rubric, mutant)
        found = {one.criterion: one for one in _reactions(trial, mutant, roles, models)}
        lost = max(lost, sum(one.lost for one in found.values()))
        for name, reaction in found.items():
            if name not in reactions or reactions[name].lost < reaction.lost:
                reactions[name] = reaction
        overlooked = (name for name in _concerned(mutation, trial, models, roles) if name not in found)
        missing |= dict.fromkeys(overlooked)
    order = [criterion.id for criterion in trial.rubric.criteria]
    return MutationResult(
        id=mutation.id,
        title=mutation.title,
        applied=applied,
        reason="" if applied or not reasons else reasons[0],
        lost=round(lost, 2),
        reactions=tuple(reactions[name] for name in order if name in reactions),
        missing=tuple(name for name in order if name in missing),
    )


def _places(mutation: Mutation, trial: _Trial) -> list[tuple[str, ...]]:
    """List the choices of models that get the mistake: each graded model alone, and all together."""
    if mutation.scope == "notebook":
        return [()]
    judged = [*trial.target.roles.values(), *(test.model for test in trial.target.tests)]
    alone = dict.fromkeys(model for model in judged if model is not None)
    everything = tuple(model.id for model in trial.evidence.models)
    places = [*((model,) for model in alone), everything]
    return list(dict.fromkeys(places)) if everything else [()]


def _reactions(
    trial: _Trial, mutant: Evidence, roles: Mapping[str, RoleMatch], models: Sequence[str]
) -> Iterator[Reaction]:
    """List the criteria that lose points or that a person must judge with a mistake."""
    for name, after in _graded(trial.rubric, mutant, roles, trial.checks).items():
        before = trial.grades[name]
        lost = before.points - after.points
        worse = before.status == "passed" and after.status != "passed"
        if lost > _SAME or worse:
            yield Reaction(
                criterion=name, status=after.status, lost=round(lost, 2), message=after.message, models=tuple(models)
            )


def _concerned(
    mutation: Mutation, trial: _Trial, models: Sequence[str], roles: Mapping[str, RoleMatch]
) -> Iterator[str]:
    """List the criteria that must react to a mistake."""
    for criterion in trial.rubric.criteria:
        if trial.grades[criterion.id].status != "passed" or not criterion.tests:
            continue
        tests = list(_tests_of(criterion, Case(trial.evidence, trial.rubric, trial.roles), trial.checks))
        concerned = [_is_concerned(mutation, test, models, roles, trial) for test in tests]
        # One of several alternatives is enough, so all of them must notice the mistake.
        if concerned and (all(concerned) if criterion.any_of else any(concerned)):
            yield criterion.id


def _is_concerned(
    mutation: Mutation, test: CheckUse, models: Sequence[str], roles: Mapping[str, RoleMatch], trial: _Trial
) -> bool:
    concern = mutation.concerns.get(test.check)
    if concern is None or not concern(test.params):
        return False
    if mutation.scope == "notebook":
        return True
    if test.model is None:
        # The check judges all models, so a mistake in all of them concerns it.
        return len(models) == len(trial.evidence.models)
    if trial.target.compared(test.params) in models:
        # Two models with the same mistake are equally good.
        return False
    match = roles.get(getattr(test.params, "model", None) or "")
    # If another model takes the role, the mistake is not in the judged model.
    return test.model in models and (match is None or match.model in {None, test.model})


# ---------------------------------------------------------------------------------------------------------------------
# Criteria


def _of_criterion(
    criterion: Criterion, trial: _Trial, results: Sequence[MutationResult], known: set[str]
) -> CriterionSensitivity:
    reactions = [(one.id, r) for one in results for r in one.reactions if r.criterion == criterion.id]
    line = trial.grades[criterion.id]
    missing = tuple(one.id for one in results if criterion.id in one.missing)
    if criterion.manual is not None:
        state = "manual"
    elif line.status != "passed":
        state = "not_passed"
    elif not reactions:
        state = "never_reacts" if known & {test.check for test in criterion.tests} else "unknown_check"
    else:
        state = "reacts" if any(r.status in {"failed", "partial"} for _, r in reactions) else "only_pending"
    return CriterionSensitivity.model_validate(
        {
            "id": criterion.id,
            "points": line.points,
            "max_points": line.max_points,
            "state": state,
            "reacts_to": tuple(name for name, _ in reactions),
            "missing": missing,
        }
    )
