"""Turn proposals into a draft: keep the criteria that give the solution full marks, and divide the points."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from grader.facts.case import Case, CheckSpec
from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.grading.drafting.base import Proposal, Solution, Topic, Way
from grader.grading.drafting.numbers import apportion, round_up
from grader.grading.drafting.solution import read_solution
from grader.grading.grade import grade
from grader.schema.base import Json
from grader.schema.errors import HarnessError
from grader.schema.evidence import Evidence
from grader.schema.grade import CriterionGrade, RoleMatch, RubricStamp
from grader.schema.rubric import Criterion, Rubric
from grader.schema.submission import Submission

__all__ = ["Draft", "DraftedCriterion", "LeftOut", "Plan", "bootstrap_rubric", "make_draft"]

_SAME = 1e-9
_GIB = 1024
_MINUTES = 60
_SLOWER = 4
"""Factor by which a submission may be slower than the solution."""
_LARGER = 2
"""Factor by which a submission may need more memory than the solution."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of a draft that a person decides.

    Attributes:
        id: Id of the rubric.
        title: Its title.
        points: Points of all criteria together.
        dataset: The data set that models are judged on; by default the one with the most training images.
        reference: The solution's file, relative to the rubric; empty if it is not named.
    """

    id: str
    title: str
    points: float = 100
    dataset: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class DraftedCriterion:
    """A criterion of a draft.

    Attributes:
        proposal: The proposal.
        way: The way to judge it.
        points: Its points.
    """

    proposal: Proposal
    way: Way
    points: float = 1

    @property
    def data(self) -> dict[str, Json]:
        """The criterion as in a rubric."""
        advice = {"advice": self.proposal.advice} if self.proposal.advice else {}
        return {"id": self.proposal.id, "title": self.proposal.title, "points": self.points, **advice, **self.way}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A criterion that the solution itself misses, so it is only a comment.

    Attributes:
        criterion: The criterion, judged in its most lenient way.
        reason: The reason, in a sentence.
    """

    criterion: DraftedCriterion
    reason: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A rubric with the facts that suggest it.

    Attributes:
        plan: What a person decided.
        solution: The solution.
        criteria: The criteria.
        optional: Criteria that another right solution may lack, so they are only comments.
        left_out: Criteria that the solution misses.
    """

    plan: Plan
    solution: Solution
    criteria: tuple[DraftedCriterion, ...]
    optional: tuple[DraftedCriterion, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def data(self) -> dict[str, Json]:
        """The rubric as YAML values, in the order of the file."""
        return _head(self.plan, self.solution) | {"criteria": [criterion.data for criterion in self.criteria]}

    @property
    def rubric(self) -> Rubric:
        """The rubric."""
        return Rubric.model_validate(self.data)


def bootstrap_rubric(plan: Plan, datasets: Sequence[str]) -> dict[str, Json]:
    """Return the rubric with which a solution is executed before anything is known about it.

    Args:
        plan: What a person decided; its `dataset` is the first of the data sets, if any.
        datasets: The data sets that the notebook may load; accuracies are computed on each of them.
    """
    accuracies = [
        {"id": f"accuracy-{place}", "points": 1, "check": "accuracy", "with": {"at_least": 1, "dataset": name}}
        for place, name in enumerate(datasets)
    ]
    return {
        "version": 1,
        "id": plan.id,
        "title": plan.title,
        **({"dataset": datasets[0], "datasets": list(datasets[1:])} if datasets else {}),
        **({"reference": plan.reference} if plan.reference else {}),
        "run": {"time": "2 h", "fit_time": "1 h", "memory": "12 GiB"},
        "criteria": [{"id": "runs", "points": 1, "check": "runs"}, *accuracies],
    }


def make_draft(plan: Plan, evidence: Evidence, checks: Mapping[str, CheckSpec], topics: Iterable[Topic]) -> Draft:
    """Draft a rubric from the evidence of a solution.

    The draft is valid, and the solution gets full marks for all criteria that need no person, also for the optional
    ones: other criteria are left out.

    Args:
        plan: What a person decided.
        evidence: The evidence of the solution's execution.
        checks: All checks, by name.
        topics: Functions that propose criteria.
    """
    solution = read_solution(evidence, plan.dataset)
    proposals = tuple(_distinct(proposal for topic in topics for proposal in topic(solution)))
    chosen, left_out = _Choice(plan, solution, checks).settle(proposals)
    required = [one for one in chosen if not one.proposal.optional]
    points = apportion([one.proposal.weight for one in required], plan.points)
    criteria = tuple(replace(one, points=share) for one, share in zip(required, points, strict=True))
    optional = tuple(_priced(one, criteria) for one in chosen if one.proposal.optional)
    return Draft(plan, solution, criteria, optional, left_out)


def _priced(criterion: DraftedCriterion, criteria: Sequence[DraftedCriterion]) -> DraftedCriterion:
    """Give an optional criterion the points of a required one with the same weight."""
    total = sum(one.points for one in criteria) or 1
    weights = sum(one.proposal.weight for one in criteria) or 1
    points = criterion.proposal.weight * total / weights
    return replace(criterion, points=max(round(points), 1) if total >= weights / 2 else round(points, 2) or 0.01)


def _distinct(proposals: Iterable[Proposal]) -> Iterator[Proposal]:
    """Drop repeated proposals, and make ids unique."""
    ids: set[str] = set()
    marks: set[str] = set()
    for proposal in proposals:
        if proposal.same and proposal.same in marks:
            continue
        marks.add(proposal.same)
        stem = proposal.id[:60].strip("-")
        name = next(one for one in (stem, *(f"{stem}-{number}" for number in range(2, 1000))) if one not in ids)
        ids.add(name)
        yield replace(proposal, id=name)


# ---------------------------------------------------------------------------------------------------------------------
# The head of the rubric


def _head(plan: Plan, solution: Solution) -> dict[str, Json]:
    head: dict[str, Json] = {"version": 1, "id": plan.id, "title": plan.title}
    if solution.dataset:
        head["dataset"] = solution.dataset
    if solution.others:
        head["datasets"] = list(solution.others)
    if solution.only_prepared:
        head["stand_in"] = list(solution.only_prepared)
    if plan.reference:
        head["reference"] = plan.reference
    head["run"] = _run(solution.evidence)
    if solution.tasks:
        head["tasks"] = {
            name: {"classes": list(task.classes)} | ({"binary": True} if task.binary else {})
            for name, task in solution.tasks.items()
        }
    if solution.subjects:
        head["roles"] = {subject.role: dict(subject.conditions) for subject in solution.subjects}
    return head


def _run(evidence: Evidence) -> dict[str, Json]:
    """Choose budgets for slower submissions than the solution."""
    longest = max((fit.seconds or 0.0 for fit in evidence.fits), default=0.0)
    time = round_up(evidence.run.seconds * _SLOWER, 10 * _MINUTES) // _MINUTES
    fit_time = min(round_up(longest * _SLOWER, 5 * _MINUTES) // _MINUTES, time)
    memory = max(6, round_up((evidence.run.peak_memory_mib or 0) * _LARGER, _GIB) // _GIB)
    return {
        "dialect": "auto",
        "seed": evidence.run.seed,
        "time": f"{time} min",
        "fit_time": f"{fit_time} min",
        "memory": f"{memory} GiB",
    }


# ---------------------------------------------------------------------------------------------------------------------
# The choice among the ways to judge


@dataclass(slots=True)
class _Choice:
    """Grades the solution until every remaining criterion gives full marks."""

    plan: Plan
    solution: Solution
    checks: Mapping[str, CheckSpec]

    def settle(self, proposals: Sequence[Proposal]) -> tuple[tuple[DraftedCriterion, ...], tuple[LeftOut, ...]]:
        """Take the first way of each proposal with full marks.

        Every round advances or drops a criterion, so the number of rounds is limited.
        """
        ways = {proposal.id: [way for way in proposal.ways if not self._refused(way)] for proposal in proposals}
        reasons = {
            proposal.id: self._refused(proposal.ways[-1])
            for proposal in proposals
            if proposal.ways and not ways[proposal.id]
        }
        while True:
            chosen = tuple(DraftedCriterion(one, ways[one.id][0]) for one in proposals if ways[one.id])
            missed = self._missed(chosen)
            if not missed:
                break
            for name, reason in missed.items():
                ways[name] = ways[name][1:]
                reasons[name] = reason
        left_out = tuple(
            LeftOut(DraftedCriterion(one, one.ways[-1]), reasons[one.id])
            for one in proposals
            if one.ways and not ways[one.id]
        )
        return chosen, left_out

    def _refused(self, way: Way) -> str:
        """Explain why the loader would refuse a way; empty if it would not."""
        criterion = Criterion.model_validate({"id": "draft", "points": 1, **way})
        for test in criterion.tests:
            spec = self.checks.get(test.check)
            if spec is None:
                return f"the check {test.check!r} is not installed"
            try:
                params = spec.parameters.model_validate(dict(test.with_))
            except ValidationError as error:
                return f"the check {test.check!r} refuses these parameters: {error.errors()[0]['msg']}"
            if getattr(params, "needs_dataset", False) and not self.solution.dataset:
                return f"the check {test.check!r} needs a data set"
        return ""

    def _missed(self, chosen: Sequence[DraftedCriterion]) -> dict[str, str]:
        """List the criteria that do not give the solution full marks, with reasons."""
        if not chosen:
            return {}
        draft = Draft(self.plan, self.solution, tuple(chosen))
        rubric, evidence = draft.rubric, self.solution.evidence
        roles = resolve_roles(rubric, evidence)
        expected = {subject.role: subject.model.id for subject in self.solution.subjects}
        wrong = {name for name, match in roles.items() if match.model != expected[name]}
        missed = {
            criterion.id: f"the role selects another model than in the solution: {', '.join(sorted(named))}"
            for criterion in rubric.criteria
            if (named := wrong & _roles_of(criterion))
        }
        return missed or dict(_below_full(rubric, evidence, roles, self.checks))


def _roles_of(criterion: Criterion) -> set[str]:
    keys = ("model", "than", "over", "source", "apart_from")
    return {value for test in criterion.tests for key in keys if isinstance(value := test.with_.get(key), str)}


def _below_full(
    rubric: Rubric, evidence: Evidence, roles: Mapping[str, RoleMatch], checks: Mapping[str, CheckSpec]
) -> Iterator[tuple[str, str]]:
    manual = {criterion.id for criterion in rubric.criteria if criterion.manual is not None}
    try:
        lines = _graded(rubric, evidence, roles, checks)
    except HarnessError:
        # One check failed: grade each criterion alone to find it.
        for criterion in rubric.criteria:
            alone = rubric.model_copy(update={"criteria": (criterion,)})
            try:
                _graded(alone, evidence, roles, checks)
            except HarnessError as error:
                yield criterion.id, error.message
        return
    for line in lines:
        if line.id not in manual and (line.status != "passed" or line.max_points - line.points > _SAME):
            yield line.id, english(line.message)


def _graded(
    rubric: Rubric, evidence: Evidence, roles: Mapping[str, RoleMatch], checks: Mapping[str, CheckSpec]
) -> Sequence[CriterionGrade]:
    graded = grade(
        Case(evidence, rubric, roles, lacking="unasked"),
        submission=Submission(id="solution", student="", notebook=Path("solution.ipynb"), sha256=""),
        stamp=RubricStamp(id=rubric.id, sha256="", title=english(rubric.title)),
        checks=checks,
        diagnostics={},
        reference=None,
    )
    return graded.criteria
