"""Turn findings into points. A grade is a pure function of evidence, rubric and the reference's evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from grader.facts.case import Case, CheckSpec, DiagnosticSpec
from grader.facts.causes import cause_of
from grader.facts.doubts import has_doubts, with_doubts
from grader.facts.follow_ups import advice_of, cause_text, follow_ups
from grader.facts.gaps import GapWatch, describe_cause, describe_lost, distinct_problems
from grader.facts.graded_model import graded_accuracy, graded_model, main_accuracy, main_model
from grader.facts.idle_layers import has_idle_layers, left_to_a_person, without_idle_layers
from grader.facts.language import english
from grader.facts.metrics import epochs_trained
from grader.facts.points import fraction_of, total_of
from grader.facts.quick import hides_in_quick_run, is_quick_doubt, quick_doubt
from grader.facts.student_view import manual_view, private_view
from grader.grading.compare import Classes, compare
from grader.grading.parts import Parts, criterion_part
from grader.schema.base import Assurance, Document, Json, Pointer
from grader.schema.errors import GraderError, HarnessError, NotebookError, RubricError, StudentError
from grader.schema.evidence import AccuracyFact, EmulationFact, Evidence, GapFact, LayerFact, ModelFact
from grader.schema.grade import (
    AccuracyGrade,
    CauseGrade,
    CriterionGrade,
    Diagnostic,
    DiagnosticGrade,
    ErrorGrade,
    ExecutionGrade,
    Finding,
    Grade,
    LayerGrade,
    MeasureLabel,
    ModelGrade,
    ReferenceGrade,
    RoleMatch,
    RubricStamp,
    StudentView,
    SubmissionStamp,
)
from grader.schema.message import Message, MessageLike, as_message, say, say_count, sentences
from grader.schema.rubric import Criterion, Rubric, StudentNotes, Test
from grader.schema.submission import Submission

__all__ = ["Outlines", "grade", "outline", "rejected", "ungraded"]

_Part = TypeVar("_Part", bound=Document)

_NOTES_OF_A_KIND = 5
"""Most notes of one diagnostic; further places are only counted."""
_WEAKEST_FIRST = (Assurance.STATED, Assurance.RECORDED, Assurance.VERIFIED)
_MOST_PROBLEMS = 50
_NAMED_BY_CELL = ("end.", "environment.")
"""Starts of the forms of replaced calls that are shown with their cell."""
_CELLS_ALONE = frozenset({"cells"})
"""Parts of the evidence that exist without an execution."""
_LONGEST_ERROR = 300
"""Most characters of an exception's text in a problem."""
_REPORT_IT = "this is an error of the grader, not of the submission: report it with the stored evidence"


def grade(  # noqa: PLR0913 - a grade depends on all of these
    case: Case,
    *,
    submission: Submission,
    stamp: RubricStamp,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec],
    reference: Evidence | None,
    reference_roles: Mapping[str, RoleMatch] | None = None,
    labels: Mapping[str, Classes] | None = None,
    parts: Parts | None = None,
) -> Grade:
    """Grade one submission.

    Pure: the same arguments give the same grade, byte for byte.

    Args:
        case: The submission's evidence, the rubric, and the models of its roles.
        submission: The submission.
        stamp: Identity of the rubric.
        checks: All checks, by name.
        diagnostics: All diagnostics, by id.
        reference: The reference solution's evidence, if the rubric has a reference.
        reference_roles: The models of the rubric's roles in the reference; without them its last trained model counts.
        labels: True classes keyed like `mnist/test`, for the paired test against the reference.
        parts: The parts of an earlier grade of the same evidence with the same reference and labels; those that cannot
            differ are used again.

    Returns:
        The grade, with status `graded`.

    Raises:
        HarnessError: A check raised an exception. This is a failure of the grader and never a score.
        RubricError: The rubric names a check or parameters that do not exist.
    """
    rubric, parts = case.rubric, parts or Parts()
    case = parts.begin(case, reference_roles)
    watch = GapWatch(case, always=has_doubts(case))
    criteria = tuple(
        parts.part(criterion_part(criterion), partial(_criterion, criterion, watch, checks))
        for criterion in rubric.criteria
    )
    notes, problems = parts.part("notes", partial(_notes_and_problems, watch, diagnostics))
    model = graded_model(case)
    accuracy = graded_accuracy(case, model)
    return Grade(
        submission=_submission_stamp(submission),
        rubric=stamp,
        status="graded",
        quick=case.evidence.quick,
        score=total_of(c.points for c in criteria),
        max_score=total_of((rubric.max_score,)),
        pending=total_of(c.max_points for c in criteria if c.status == "pending"),
        criteria=criteria,
        models=parts.part("models", lambda: tuple(_model(model, case) for model in case.evidence.models)),
        main_model=model.id if model else None,
        main_accuracy=accuracy.key if accuracy else None,
        diagnostics=notes,
        execution=parts.part("execution", partial(_execution, case.evidence)),
        reference=None if reference is None else _reference((case, model), reference, reference_roles, labels, parts),
        problems=tuple(map(english, problems)),
        problems_says=problems,
    )


def ungraded(submission: Submission, stamp: RubricStamp, error: GraderError, rubric: Rubric) -> Grade:
    """Make a grade for a failure of the grader: no score, all criteria skipped.

    Args:
        submission: The submission.
        stamp: Identity of the rubric.
        error: The failure.
        rubric: The rubric.
    """
    message = say("Not judged: the grader could not grade this submission.")
    skipped = tuple(_line(c, status="skipped", points=0.0, message=message) for c in rubric.criteria)
    return Grade(
        submission=_submission_stamp(submission),
        rubric=stamp,
        status="not_graded",
        reason=str(error),
        reason_says=as_message(str(error)),
        score=None,
        max_score=total_of((rubric.max_score,)),
        pending=0.0,
        criteria=skipped,
    )


def rejected(  # noqa: PLR0913 - as `grade`
    submission: Submission,
    stamp: RubricStamp,
    rubric: Rubric,
    error: NotebookError,
    *,
    evidence: Evidence | None = None,
    checks: Mapping[str, CheckSpec] | None = None,
) -> Grade:
    """Grade a submission that was not executed.

    Checks that read only the cells are run, and manual criteria are pending. All other criteria fail with the reason.

    Args:
        submission: The submission.
        stamp: Identity of the rubric.
        rubric: The rubric.
        error: The reason why the file was not executed.
        evidence: Evidence with the cells; None if no cell can be read.
        checks: All checks, by name.
    """
    refusal = Finding.failed(say("Nothing could be graded: {reason}.", reason=error.says), advice=error.advice_says)
    watch = None if evidence is None else GapWatch(Case(evidence=evidence, rubric=rubric, roles={}), always=True)
    problems = () if evidence is None else distinct_problems(evidence.problems, (), _MOST_PROBLEMS)
    lines = tuple(
        _manual(c, say("The notebook was not run: {reason}.", reason=error.says))
        if c.manual is not None
        else _graded_line(c, _refused(c, refusal, watch, checks or {}))
        for c in rubric.criteria
    )
    return Grade(
        submission=_submission_stamp(submission),
        rubric=stamp,
        status="graded",
        reason=error.message,
        reason_says=error.says,
        score=total_of(c.points for c in lines),
        max_score=total_of((rubric.max_score,)),
        pending=total_of(c.max_points for c in lines if c.status == "pending"),
        criteria=lines,
        problems=tuple(map(english, problems)),
        problems_says=problems,
    )


def outline(graded: Grade) -> Grade:
    """Remove details that only a single report shows: messages, measurements, layers, margin notes, the comparison.

    The rest is a quarter of the size, so that the grades of thousands of submissions fit into memory.

    Args:
        graded: A complete grade, as in `grade.json`.
    """
    model, accuracy = main_model(graded), main_accuracy(graded)
    texts = {"message": "", "advice": "", "says": None, "advice_says": None}
    bare: dict[str, object] = {
        **texts,
        "measured": {},
        "measured_labels": {},
        "evidence": (),
        "cause": None,
        "student": None,
    }
    return graded.model_copy(
        update={
            "criteria": tuple(c.model_copy(update=bare) for c in graded.criteria),
            "models": tuple(m.model_copy(update={"layers": ()}) for m in graded.models),
            "main_model": model.id if model else None,
            "main_accuracy": accuracy[0] if accuracy else None,
            "diagnostics": (),
            "execution": graded.execution and graded.execution.model_copy(update={"versions": {}, "errors": ()}),
            "reference": None,
            "problems_says": (),
        }
    )


class Outlines:
    """Makes the outlines of a class, and keeps equal parts of them once."""

    def __init__(self) -> None:
        """Begin without a part."""
        self._parts: dict[str, Any] = {}

    def of(self, graded: Grade) -> Grade:
        """Make the outline of a grade; most criteria of a class have one of few results.

        Args:
            graded: A grade, or its outline.
        """
        made = outline(graded)
        criteria = tuple(map(self._once, made.criteria))
        return made.model_copy(update={"criteria": criteria, "rubric": self._once(made.rubric)})

    def _once(self, part: _Part) -> _Part:
        kept: _Part = self._parts.setdefault(f"{type(part).__name__} {part.model_dump_json()}", part)
        return kept


# ---------------------------------------------------------------------------------------------------------------------
# Criteria


@dataclass(frozen=True, slots=True)
class _Judged:
    """The finding of one check, and the gaps that may have made it wrong."""

    finding: Finding
    gaps: tuple[GapFact, ...]


def _criterion(criterion: Criterion, watch: GapWatch, checks: Mapping[str, CheckSpec]) -> CriterionGrade:
    if criterion.manual is not None:
        return _manual(criterion)
    judged = [_find(test, criterion, watch, checks) for test in criterion.tests]
    finding = _combined(judged, every=bool(criterion.all_of))
    line = _graded_line(criterion, finding, cause_of(watch.case, finding, _role(criterion)))
    return line.model_copy(update={"measured_labels": _labels(criterion, finding, checks)})


def _labels(criterion: Criterion, finding: Finding, checks: Mapping[str, CheckSpec]) -> Mapping[str, MeasureLabel]:
    """Take the labels of the values that were measured, from the checks of the criterion."""
    labels: dict[str, MeasureLabel] = {}
    for test in criterion.tests:
        labels = {**checks[test.check].measures, **labels}
    measured = {**finding.measured, **(finding.student.measured if finding.student is not None else {})}
    return {key: label for key, label in labels.items() if measured.get(key) is not None}


def _role(criterion: Criterion) -> str | None:
    """Return the first role that the criterion's tests name."""
    roles = (test.with_.get("model") for test in criterion.tests)
    return next((role for role in roles if isinstance(role, str)), None)


def _manual(criterion: Criterion, remark: MessageLike = "") -> CriterionGrade:
    guide = as_message(criterion.manual.guide if criterion.manual is not None else "")
    message = sentences(say("A person has to judge this: {guide}", guide=guide), remark)
    line = _line(criterion, status="pending", points=0.0, message=message)
    return line.model_copy(update={"student": manual_view(remark)})


def _refused(
    criterion: Criterion, refusal: Finding, watch: GapWatch | None, checks: Mapping[str, CheckSpec]
) -> Finding:
    """Judge a criterion of a notebook that was not executed.

    Args:
        criterion: A criterion with checks.
        refusal: The finding of checks that need an execution.
        watch: Runs the checks; None if no cell can be read.
        checks: All checks, by name.
    """
    findings = [refusal if watch is None else _of_cells(test, refusal, watch, checks) for test in criterion.tests]
    return _worst(findings) if criterion.all_of else _best(findings)


def _of_cells(test: Test, refusal: Finding, watch: GapWatch, checks: Mapping[str, CheckSpec]) -> Finding:
    """Run a check, and return its finding if it read nothing but the cells."""
    spec = checks.get(test.check)
    if spec is None:
        return refusal
    try:
        parameters = spec.parameters.model_validate(dict(test.with_))
        finding, _ = watch.run(lambda case: spec.run(case, parameters))
    except Exception:  # noqa: BLE001 - a check that needs an execution may raise anything without one
        return refusal
    return finding if watch.read <= _CELLS_ALONE else refusal


def _graded_line(criterion: Criterion, finding: Finding, cause: CauseGrade | None = None) -> CriterionGrade:
    fraction = _fraction(finding)
    missed = finding.status not in {"passed", "pending"}
    own = criterion.advice.strip()
    advice = sentences(own, finding.advice) if missed else ""
    return CriterionGrade(
        id=criterion.id,
        title=criterion.title or criterion.id,
        points=fraction_of(criterion.points, fraction),
        max_points=total_of((criterion.points,)),
        status=finding.status,
        message=english(finding.message),
        advice=english(advice),
        says=as_message(finding.message),
        advice_says=as_message(advice) if advice else None,
        assurance=finding.assurance,
        measured=finding.measured,
        evidence=finding.evidence,
        hidden=criterion.hidden,
        bonus=criterion.bonus,
        borderline=finding.borderline,
        student=_student_view(criterion, finding, own if missed else ""),
        cause=cause,
    )


def _student_view(criterion: Criterion, finding: Finding, advice: str) -> StudentView | None:
    """Make the text for students, with the rubric's own advice first; None if it is the finding's."""
    if criterion.private:
        return private_view(finding.status, advice)
    view = finding.student
    if view is None or not advice:
        return view
    return view.model_copy(update={"advice_says": sentences(advice, view.advice_says)})


def _different(texts: Iterable[MessageLike]) -> Iterable[MessageLike]:
    """Leave out texts that read like an earlier one."""
    distinct: dict[str, MessageLike] = {}
    for text in texts:
        distinct.setdefault(english(text), text)
    return distinct.values()


def _line(
    criterion: Criterion, *, status: str, points: float, message: MessageLike, advice: MessageLike = ""
) -> CriterionGrade:
    return CriterionGrade.model_validate(
        {
            "id": criterion.id,
            "title": criterion.title or criterion.id,
            "points": points,
            "max_points": total_of((criterion.points,)),
            "status": status,
            "message": english(message),
            "advice": english(advice),
            "says": as_message(message),
            "advice_says": as_message(advice) if advice else None,
            "hidden": criterion.hidden,
            "bonus": criterion.bonus,
        }
    )


def _combined(judged: Sequence[_Judged], *, every: bool) -> Finding:
    """Combine the findings of a criterion's checks; the result is pending if a gap or a pending check may decide it.

    Args:
        judged: The findings of the checks.
        every: Whether all checks must pass; otherwise one is enough.
    """
    uncertain = [one for one in judged if one.gaps]
    waiting = [one.finding for one in judged if not one.gaps and one.finding.status == "pending"]
    certain = [one.finding for one in judged if not one.gaps and one.finding.status != "pending"]
    # One of these decides, whatever the open findings would become.
    decisive = "failed" if every else "passed"
    if (uncertain or waiting) and not any(finding.status == decisive for finding in certain):
        return _undecided(uncertain) if uncertain else waiting[0]
    finding = _worst(certain) if every else _best(certain)
    return _with_doubt(finding, certain, every=every)


def _undecided(judged: Sequence[_Judged]) -> Finding:
    """Let a person judge a criterion if a missing fact could change its verdict."""
    gaps = tuple(dict.fromkeys(gap for one in judged for gap in one.gaps))
    quick = next((gap for gap in gaps if is_quick_doubt(gap)), None)
    if quick is not None:
        return Finding.pending(quick.what)
    message = say(
        "A person has to judge this, because the grader's record is incomplete: {cause}. These facts may be missing: "
        "{lost}.",
        cause=describe_cause(gaps[0]),
        lost=describe_lost(gaps),
    )
    seen = _distinct(Pointer(cell=gap.cell, event=gap.event) for gap in gaps if gap.event is not None)
    return Finding.pending(message, evidence=seen)


def _find(test: Test, criterion: Criterion, watch: GapWatch, checks: Mapping[str, CheckSpec]) -> _Judged:
    spec = checks.get(test.check)
    where = f"criterion {criterion.id!r}"
    if spec is None:
        message = f"unknown check {test.check!r}"
        raise RubricError(message, where=where)
    try:
        parameters = spec.parameters.model_validate(dict(test.with_))
    except ValidationError as error:
        message = f"wrong parameters for the check {test.check!r}: {error}"
        raise RubricError(message, where=where) from error
    try:
        finding, gaps = watch.run(lambda case: spec.run(case, parameters))
    except GraderError as error:
        if isinstance(error, StudentError):
            raise _fault(spec, error, where) from error
        raise
    except Exception as error:  # any exception of a check is a failure of the grader
        raise _fault(spec, error, where) from error
    roles = [value for value in test.with_.values() if isinstance(value, str)]
    read = watch.read
    finding = with_doubts(watch.case, finding, roles, read)
    if has_idle_layers(watch.plain) and finding.status in {"passed", "partial"}:
        other = spec.run(without_idle_layers(watch.plain), parameters)
        finding = left_to_a_person(watch.plain, finding, other, roles)
    lost = gaps if finding.status in {"failed", "partial"} else ()
    return _Judged(finding, (*lost, *quick_doubt(watch.case.evidence, finding.status, read)))


def _fault(spec: CheckSpec, error: Exception, where: str) -> HarnessError:
    message = f"the check {spec.name!r} failed: {type(error).__name__}: {error}"
    return HarnessError(message, where=where, advice=_REPORT_IT)


def _fraction(finding: Finding) -> float:
    return {"passed": 1.0, "partial": finding.fraction}.get(finding.status, 0.0)


def _best(findings: Sequence[Finding]) -> Finding:
    return max(findings, key=lambda f: (_fraction(f), f.status == "passed", f.borderline))


def _worst(findings: Sequence[Finding]) -> Finding:
    """Take the status and points of the worst finding, and the messages of all findings of its kind."""
    worst = min(findings, key=_fraction)
    alike = [f for f in findings if f.status == "passed"] if worst.status == "passed" else []
    alike = alike or [f for f in findings if f.status != "passed"]
    assurances = [f.assurance for f in findings if f.assurance is not None]
    return worst.model_copy(
        update={
            "message": sentences(*_different(f.message for f in alike)),
            "advice": sentences(*_different(f.advice for f in alike)),
            "assurance": min(assurances, key=_WEAKEST_FIRST.index) if assurances else None,
            "measured": {key: value for f in reversed(findings) for key, value in f.measured.items()},
            "evidence": _distinct(pointer for f in findings for pointer in f.evidence),
            "student": _joined_view(alike, findings),
        }
    )


def _joined_view(shown: Sequence[Finding], findings: Sequence[Finding]) -> StudentView | None:
    """Join the texts for students; None if no finding has one.

    Args:
        shown: The findings whose messages are shown.
        findings: All findings, whose measured values are shown.
    """
    if all(f.student is None for f in findings):
        return None
    views = [_view(f) for f in shown]
    advice = sentences(*_different(v.advice_says for v in views if v.advice_says))
    return StudentView(
        says=sentences(*_different(v.says for v in views)),
        advice_says=advice or None,
        measured={key: value for f in reversed(findings) for key, value in _view(f).measured.items()},
    )


def _view(finding: Finding) -> StudentView:
    """Return the text for students, which is the finding itself unless it has another one."""
    if finding.student is not None:
        return finding.student
    advice = as_message(finding.advice) if finding.advice else None
    return StudentView(says=as_message(finding.message), advice_says=advice, measured=finding.measured)


def _with_doubt(chosen: Finding, findings: Sequence[Finding], *, every: bool) -> Finding:
    """Mark a missed criterion as borderline if each missing part is smaller than the measurement error.

    Args:
        chosen: The finding that counts.
        findings: All findings.
        every: Whether all checks must pass; otherwise one is enough.
    """
    if chosen.status not in {"failed", "partial"}:
        return chosen.model_copy(update={"borderline": False})
    missed = [f for f in findings if f.status not in {"passed", "pending"}]
    doubtful = [f for f in missed if f.borderline]
    if not doubtful or (every and len(doubtful) < len(missed)):
        return chosen.model_copy(update={"borderline": False})
    if every or chosen.borderline:
        return chosen.model_copy(update={"borderline": True})
    # The other finding earned less, but it may give full marks: keep its message and measurements.
    other = doubtful[0]
    joined = {
        "message": sentences(chosen.message, other.message),
        "measured": {**chosen.measured, **other.measured},
        "student": _joined_view((chosen, other), (chosen, other)),
    }
    return chosen.model_copy(update={"borderline": True, **joined})


def _distinct(pointers: Iterable[Pointer]) -> tuple[Pointer, ...]:
    return tuple({(p.cell, p.event): p for p in pointers}.values())


# ---------------------------------------------------------------------------------------------------------------------
# Notes in the margin


def _notes_and_problems(
    watch: GapWatch, diagnostics: Mapping[str, DiagnosticSpec]
) -> tuple[tuple[DiagnosticGrade, ...], tuple[Message, ...]]:
    """Return the notes, and all problems of the execution and of the grading."""
    notes, faults = _notes(watch, diagnostics)
    evidence = watch.case.evidence
    known = (*evidence.remarks, *evidence.problems, *faults)
    return notes, distinct_problems(known, evidence.gaps, _MOST_PROBLEMS)


def _notes(
    watch: GapWatch, diagnostics: Mapping[str, DiagnosticSpec]
) -> tuple[tuple[DiagnosticGrade, ...], tuple[Message, ...]]:
    """Run the diagnostics.

    Returns:
        Their notes, and problems: diagnostics that raised an exception, or whose notes a gap may have caused.
    """
    kept: list[DiagnosticGrade] = []
    faults: list[Message] = []
    doubtful: list[str] = []
    settings = watch.case.rubric.diagnostics
    audience = _NoteReaders(settings.students, watch.case.models_of(settings.students.models))
    for name, spec in sorted(diagnostics.items()):
        if not settings.runs(name):
            continue
        tuned = _tuned(spec, settings.tune.get(name))
        try:
            notes, gaps = watch.run(partial(_noted, spec, tuned))
        except Exception as error:  # noqa: BLE001 - notes give no points, so their failure must not cost a grade
            faults.append(_failed_diagnostic(spec, error))
            continue
        if hides_in_quick_run(watch.case.evidence, watch.read):
            continue
        if notes and gaps:
            doubtful.append(spec.id)
            continue
        distinct = {(note.id, note.cell, english(note.message)): note for note in notes}.values()
        for private in (False, True):
            shown = _few(tuple(note for note in distinct if audience.is_private(note) is private))
            kept += [_note(note, private=private) for note in shown]
    if doubtful:
        faults.append(
            say(
                "the notes of these diagnostics were left out, because the record is incomplete: {diagnostics:code}",
                diagnostics=doubtful,
            )
        )
    return tuple(sorted(kept, key=lambda n: (n.cell is None, n.cell or 0, n.id, n.message))), tuple(faults)


@dataclass(frozen=True, slots=True)
class _NoteReaders:
    """Decides which notes are only for instructors."""

    limits: StudentNotes
    models: frozenset[str] | None
    """Ids of the models that students see notes about; None for all."""

    def is_private(self, note: Diagnostic) -> bool:
        if note.id in self.limits.leave_out:
            return True
        return note.model is not None and self.models is not None and note.model not in self.models


def _failed_diagnostic(spec: DiagnosticSpec, error: Exception) -> Message:
    return say(
        "the diagnostic {diagnostic:code} failed ({exception:raw}: {error:raw}); this is an error of the grader, not "
        "of the submission: report it with the stored evidence",
        diagnostic=spec.id,
        exception=type(error).__name__,
        error=str(error)[:_LONGEST_ERROR],
    )


def _noted(spec: DiagnosticSpec, tuned: tuple[BaseModel, ...], case: Case) -> tuple[Diagnostic, ...]:
    """Run a diagnostic on the models that the rubric wants notes about."""
    limited = case.for_notes()
    return tuple(note for note in spec.run(limited, *tuned) if limited.is_noted(note.model))


def _tuned(spec: DiagnosticSpec, settings: Mapping[str, Json] | None) -> tuple[BaseModel, ...]:
    """Make the parameters that a rubric sets for a diagnostic; none where it sets none."""
    if not settings:
        return ()
    if spec.parameters is None:
        message = f"the diagnostic {spec.id!r} has no parameters"
        raise RubricError(message, where="diagnostics")
    try:
        return (spec.parameters.model_validate(dict(settings)),)
    except ValidationError as error:
        message = f"wrong parameters for the diagnostic {spec.id!r}: {error}"
        raise RubricError(message, where="diagnostics") from error


def _few(notes: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    if len(notes) <= _NOTES_OF_A_KIND:
        return notes
    last = notes[_NOTES_OF_A_KIND - 1]
    rest = say_count(
        "The same is in {count:number} more place.",
        "The same is in {count:number} more places.",
        len(notes) - _NOTES_OF_A_KIND,
    )
    more = sentences(last.message, rest)
    return (*notes[: _NOTES_OF_A_KIND - 1], last.model_copy(update={"message": more}))


def _note(note: Diagnostic, *, private: bool) -> DiagnosticGrade:
    return DiagnosticGrade(
        id=note.id,
        title=english(note.title),
        cell=note.cell,
        message=english(note.message),
        advice=english(note.advice),
        model=note.model,
        title_says=as_message(note.title),
        says=as_message(note.message),
        advice_says=as_message(note.advice) if note.advice else None,
        for_instructor=private,
    )


# ---------------------------------------------------------------------------------------------------------------------
# Other parts of a grade


def _submission_stamp(submission: Submission) -> SubmissionStamp:
    return SubmissionStamp(
        id=submission.id,
        student=submission.student,
        files=submission.files,
        sha256=submission.sha256,
        notes=tuple(map(english, submission.notes)),
        notes_says=submission.notes,
        submitted=submission.submitted,
        submitted_from=submission.submitted_from,
    )


def _model(model: ModelFact, case: Case) -> ModelGrade:
    facts = {a.key: _accuracy(a) for a in case.evidence.accuracies if a.model == model.id}
    return ModelGrade(
        id=model.id,
        name=model.name,
        roles=tuple(name for name, match in case.roles.items() if match.model == model.id),
        input_shape=model.input_shape,
        output_shape=model.output_shape,
        parameters=model.parameters,
        layers=tuple(_layer(layer) for layer in model.counted_layers()),
        accuracy=facts,
        assurance=model.assurance,
    )


def _layer(layer: LayerFact) -> LayerGrade:
    return LayerGrade.model_validate(
        {
            "name": layer.name,
            "class": layer.custom or layer.cls,
            "output_shape": layer.output_shape,
            "parameters": layer.parameters,
            "trainable": layer.trainable,
            "config": layer.config,
        }
    )


def _accuracy(fact: AccuracyFact) -> AccuracyGrade:
    return AccuracyGrade(
        value=fact.value,
        low=fact.low,
        high=fact.high,
        assurance=fact.assurance,
        correct=fact.correct,
        total=fact.total,
        note=english(fact.note),
        note_says=as_message(fact.note) if fact.note else None,
    )


def _errors(evidence: Evidence) -> Iterator[ErrorGrade]:
    reasons = follow_ups(evidence)
    for error in evidence.run.errors:
        reason = None if error.cell is None else reasons.get(error.cell)
        advice = advice_of(error, reason)
        yield ErrorGrade(
            cell=error.cell,
            name=error.name,
            message=error.message,
            cause=cause_text(error),
            line=error.line,
            advice=english(advice),
            advice_says=as_message(advice) if advice else None,
            follows=reason.root if reason else None,
        )


def _execution(evidence: Evidence) -> ExecutionGrade:
    run = evidence.run
    emulations = tuple(_different((*map(_emulation, evidence.emulations), *_stand_ins(evidence))))
    return ExecutionGrade(
        status=run.status,
        reason=english(run.reason),
        reason_says=as_message(run.reason) if run.reason else None,
        seconds=run.seconds,
        cells_run=run.cells_run,
        cells_total=run.cells_total,
        errors=tuple(_errors(evidence)),
        peak_memory_mib=run.peak_memory_mib,
        cpu_seconds=run.cpu_seconds,
        cpu_share=run.cpu_share,
        pressure=run.pressure,
        device=run.device,
        seed=run.seed,
        versions=evidence.versions,
        isolation=run.isolation,
        limits=run.limits,
        dialect=run.dialect,
        emulations=tuple(map(english, emulations)),
        emulations_says=tuple(map(as_message, emulations)),
    )


def _emulation(fact: EmulationFact) -> MessageLike:
    """Describe a replaced call; name the cell where the call decides how the cell ends."""
    if fact.cell is None or not fact.form.startswith(_NAMED_BY_CELL):
        return fact.message
    return say("{cell:cell}: {message}", cell=fact.cell, message=fact.message)


def _stand_ins(evidence: Evidence) -> Iterator[Message]:
    """Name the made-up data sets that the notebook loaded."""
    loaded = {d.dataset for d in evidence.datasets if d.served}
    for name in evidence.stand_ins:
        if name in loaded:
            yield say(
                "The data set {dataset:code} was not on the grader's machine. The notebook got made-up images and "
                "labels of the same shapes, types and counts. They allow a judgment of the preprocessing, but not of "
                "an accuracy.",
                dataset=name,
            )


def _reference(
    ours: tuple[Case, ModelFact | None],
    reference: Evidence,
    roles: Mapping[str, RoleMatch] | None,
    labels: Mapping[str, Classes] | None,
    parts: Parts,
) -> ReferenceGrade:
    """Compare the graded models of a submission and of the reference."""
    case, own = ours
    model = graded_model(Case(evidence=reference, rubric=case.rubric, roles=roles or {}))
    name = f"reference {own.id if own else ''} {model.id if model else ''}"
    return parts.part(name, partial(_compared, (case.evidence, own), (reference, model), labels))


def _compared(
    ours: tuple[Evidence, ModelFact | None],
    theirs: tuple[Evidence, ModelFact | None],
    labels: Mapping[str, Classes] | None,
) -> ReferenceGrade:
    reference, model = theirs
    facts = {a.key: _accuracy(a) for a in reference.accuracies if model and a.model == model.id}
    fits = reference.fits_of(model.id) if model else ()
    return ReferenceGrade(
        accuracy=facts,
        parameters=model.parameters if model else None,
        epochs=epochs_trained(fits),
        comparison=compare(ours, theirs, labels),
    )
