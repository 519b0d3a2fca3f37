"""Gaps in the evidence: the facts that may be missing, and the checks that read one of them.

A check that fails because the recorder lost a fact would blame the student for an error of the grader. Therefore each
check and each diagnostic gets a view of the evidence that notes which parts it reads. A gap *touches* a check if one
of these parts may be incomplete because of that gap.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, TypeVar

from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.facts.views import View, view_of
from grader.inside.record.events import OTHER_PROCESS
from grader.schema.evidence import Evidence, FitFact, GapFact, ModelFact
from grader.schema.grade import RoleMatch
from grader.schema.message import Message, MessageLike, as_message, say, say_count

__all__ = [
    "ALL_KINDS",
    "ARRAY_KINDS",
    "KERAS_KINDS",
    "PARTS",
    "GapWatch",
    "describe_cause",
    "describe_gap",
    "describe_lost",
    "distinct_problems",
    "for_comparison",
    "touches",
]

T = TypeVar("T")

_HISTORY = frozenset({"fits.history", "fits.curves", "fits.learning_rates", "fits.epochs_done", "fits.seconds"})
_END = _HISTORY | {
    "fits.status",
    "fits.total_steps",
    "fits.step_rates",
    "fits.digests_after",
    "fits.error",
    "fits.step",
    # The inputs of a custom loop are known only at its end.
    "fits.x",
    "fits.y",
    "fits.batch_size",
}
_KEPT = frozenset(
    {
        "models.artefact",
        "models.artefact_format",
        "models.fallbacks",
        "models.unkept_reason",
        "models.later_artefact",
        "models.predicted_activation",
        "accuracies",
    }
)

PARTS: Mapping[str, frozenset[str]] = {
    "start": frozenset({"versions"}),
    "versions": frozenset({"versions"}),
    "cell_start": frozenset(),
    "cell_end": frozenset(),
    "dataset": frozenset({"datasets"}),
    "model": frozenset({"models", "accuracies"}),
    "compile": frozenset({"compiles", "fits.compiled", "fits.accuracies"}),
    "fit_start": frozenset({"fits", "failed_fits", "accuracies"}),
    "epoch": _HISTORY,
    "fit_end": _END | {"accuracies"},
    "progress": _END | {"accuracies"},
    "evaluate": frozenset({"evaluations"}),
    "predict": frozenset({"predictions"}),
    "calls": frozenset({"calls"}),
    "repeated_passes": frozenset({"repeated_passes"}),
    "trainable": frozenset({"trainable_changes"}),
    "save": frozenset({"saves", "accuracies"}),
    "kept": _KEPT,
    "unkept": _KEPT,
    "figure": frozenset({"figures"}),
    "arrays": frozenset({"arrays", "labels", "pipelines"}),
    "emulated": frozenset({"emulations"}),
    "ignored": frozenset({"ignored"}),
    "stopped": frozenset(),
    "gap": frozenset(),
    "unhooked": frozenset(),
    "end": frozenset(),
}
"""Kind of event → the parts of the evidence that come from it: a field, or a field and an attribute of its items."""

ALL_KINDS = tuple(kind for kind, parts in PARTS.items() if parts)
"""Kinds of events that facts come from."""
KERAS_KINDS = tuple(kind for kind in ALL_KINDS if kind not in {"start", "versions", "dataset", "figure", "emulated"})
"""Kinds that are lost where a Keras is not hooked."""
ARRAY_KINDS = ("fit_start", "fit_end", "evaluate", "predict", "calls", "arrays")
"""Kinds that describe arrays."""

_LOST: Mapping[str, Message] = {
    "start": say("versions"),
    "versions": say("versions"),
    "dataset": say("loaded data sets"),
    "model": say("models"),
    "compile": say("compile calls"),
    "fit_start": say("trainings"),
    "epoch": say("learning curves"),
    "fit_end": say("results of trainings"),
    "progress": say("results of trainings"),
    "evaluate": say("evaluations"),
    "predict": say("predictions"),
    "calls": say("direct calls of models"),
    "repeated_passes": say("repeated passes"),
    "trainable": say("freezing and unfreezing of layers"),
    "save": say("saved, loaded and copied weights"),
    "kept": say("trained models"),
    "unkept": say("trained models"),
    "figure": say("figures"),
    "arrays": say("arrays of variables"),
    "emulated": say("replaced calls"),
    "ignored": say("ignored settings"),
}
_MOST_FACTS = 5


def touches(gap: GapFact, read: Iterable[str]) -> bool:
    """Whether facts that a check read may be missing because of a gap.

    Args:
        gap: The gap.
        read: Parts of the evidence that the check read, named as in `PARTS`.
    """
    # An unknown kind of a newer recorder may concern any part.
    return any(kind not in PARTS or not PARTS[kind].isdisjoint(read) for kind in gap.lost)


def describe_lost(gaps: Iterable[GapFact]) -> Message:
    """List the facts that may be missing because of gaps, such as "trainings and figures"."""
    kinds = dict.fromkeys(kind for gap in gaps for kind in gap.lost)
    facts = _distinct(_LOST.get(kind) or say("{kind:code} events", kind=kind) for kind in kinds)
    if len(facts) > _MOST_FACTS:
        facts = [*facts[:_MOST_FACTS], say("other facts")]
    return say("{facts}", facts=facts)


def describe_cause(gap: GapFact) -> Message:
    """Describe what caused a gap, as a clause."""
    if not gap.hook:
        return as_message(gap.what)
    if gap.hook == OTHER_PROCESS and gap.cell is not None:
        return say(
            "{cell:cell} started {program:code}, which trained a model; only the notebook's own process is recorded",
            cell=gap.cell,
            program=english(as_message(gap.what)),
        )
    if gap.cell is None:
        return say("the recorder failed ({hook:code}: {what})", hook=gap.hook, what=gap.what)
    return say("the recorder failed in {cell:cell} ({hook:code}: {what})", cell=gap.cell, hook=gap.hook, what=gap.what)


def describe_gap(gap: GapFact) -> Message:
    """Describe a gap as a problem: its cause, and the facts that may be missing."""
    cause = describe_cause(gap)
    if not gap.hook or not gap.lost:
        return cause
    return say("{cause}; these facts may be missing: {lost}", cause=cause, lost=describe_lost((gap,)))


def _distinct(messages: Iterable[Message]) -> list[Message]:
    """Leave out messages that read like an earlier one."""
    distinct: dict[str, Message] = {}
    for message in messages:
        distinct.setdefault(english(message), message)
    return list(distinct.values())


class GapWatch:
    """Runs checks and diagnostics, and finds the gaps that touch them.

    Attributes:
        plain: The case itself.
        case: The view of the case for the checks and diagnostics.
    """

    def __init__(self, case: Case, *, always: bool = False) -> None:
        """Make a view of the case that notes reads; a case without gaps needs no view.

        Args:
            case: The case.
            always: Whether to make the view even then.
        """
        self._gaps = tuple(gap for gap in case.evidence.gaps if gap.lost)
        self._read: set[str] = set()
        self.plain = self.case = case
        if self._gaps or always or case.evidence.quick:
            evidence = _evidence_view(case.evidence, self._read)
            # A quick run makes no predictions, so none are lost.
            lacking = "unable" if case.evidence.quick else case.lacking
            self.case = replace(case, evidence=evidence, roles=_Roles(case, evidence, self._read), lacking=lacking)

    @property
    def read(self) -> frozenset[str]:
        """The parts of the evidence that the last function read, if there is a view."""
        return frozenset(self._read)

    def run(self, function: Callable[[Case], T]) -> tuple[T, tuple[GapFact, ...]]:
        """Call a function with the case.

        Args:
            function: A function that reads nothing from the case after it returns.

        Returns:
            Its result, and the gaps that touch the parts that it read.
        """
        self._read.clear()
        result = function(self.case)
        return result, tuple(gap for gap in self._gaps if touches(gap, self._read))


class _FitView(View, FitFact):
    """A training that notes reads."""

    watched = frozenset(FitFact.model_fields) - {"event", "cell", "model", "kind"}
    prefix = "fits."


class _CurveView(_FitView):
    """A training whose history is only compared with what the same run shows."""

    renamed: ClassVar[Mapping[str, str]] = {"history": "curves"}


class _ModelView(View, ModelFact):
    """A model that notes reads."""

    watched = frozenset(ModelFact.model_fields) - {"id", "name", "cls", "cell", "event"}
    prefix = "models."


class _EvidenceView(View, Evidence):
    """Evidence that notes reads, with views of its trainings and models."""

    watched = frozenset(Evidence.model_fields)


def _evidence_view(evidence: Evidence, read: set[str]) -> _EvidenceView:
    return view_of(
        _EvidenceView,
        evidence,
        read,
        fits=tuple(view_of(_FitView, fit, read) for fit in evidence.fits),
        models=tuple(view_of(_ModelView, model, read) for model in evidence.models),
    )


def for_comparison(case: Case) -> Case:
    """Return the case for a check that only looks for the histories of trainings in what the same run shows.

    Then their values do not matter, so a quick run with other values gives the same verdict.

    Args:
        case: The case, whose reads may be noted; the histories count as the part `fits.curves`.
    """
    evidence = case.evidence
    read = getattr(evidence, "noted", None)
    if read is None:
        return case
    fits = tuple(view_of(_CurveView, fit, read) for fit in evidence.__dict__["fits"])
    return replace(case, evidence=view_of(_EvidenceView, evidence, read, fits=fits))


class _Roles(Mapping[str, RoleMatch]):
    """The roles of a rubric. Reading one notes all parts of the evidence from which the roles were resolved."""

    def __init__(self, case: Case, evidence: Evidence, read: set[str]) -> None:
        self._roles = case.roles
        self._read = read
        read.clear()
        resolve_roles(case.rubric, evidence)
        self._origins = frozenset(read)

    def __getitem__(self, role: str) -> RoleMatch:
        self._read |= self._origins
        return self._roles[role]

    def __iter__(self) -> Iterator[str]:
        self._read |= self._origins
        return iter(self._roles)

    def __len__(self) -> int:
        return len(self._roles)


def distinct_problems(problems: Iterable[MessageLike], gaps: Sequence[GapFact], most: int) -> tuple[Message, ...]:
    """Join problems and gaps without repetitions.

    Args:
        problems: Problems of the execution and of the grading.
        gaps: Gaps in the evidence.
        most: Largest number of messages; the last message counts the problems that are left out.
    """
    messages = _distinct((*map(as_message, problems), *map(describe_gap, gaps)))
    if len(messages) > most:
        more = say_count(
            "and {count:number} more problem", "and {count:number} more problems", len(messages) - most + 1
        )
        messages[most - 1 :] = [more]
    return tuple(messages)
