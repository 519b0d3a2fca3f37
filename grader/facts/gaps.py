"""Gaps in the evidence: which facts a gap may hide, and whether a check read one of them.

A check that fails on a fact that the recorder lost would blame the student for a fault of the grader. Therefore each
check and each diagnostic gets a view of the evidence that notes which parts it reads. A gap *touches* the check if one
of these parts may be incomplete because of that gap.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, PrivateAttr

from grader.facts.case import Case
from grader.facts.language import english
from grader.facts.roles import resolve_roles
from grader.facts.wording import listed
from grader.schema.base import spoken_cell
from grader.schema.evidence import Evidence, FitFact, GapFact, ModelFact
from grader.schema.grade import RoleMatch
from grader.schema.message import MessageLike

__all__ = [
    "ALL_KINDS",
    "ARRAY_KINDS",
    "KERAS_KINDS",
    "PARTS",
    "GapWatch",
    "describe_gap",
    "describe_lost",
    "distinct_problems",
    "touches",
]

T = TypeVar("T")

_HISTORY = frozenset({"fits.history", "fits.learning_rates", "fits.epochs_done", "fits.seconds"})
_END = _HISTORY | {
    "fits.status",
    "fits.total_steps",
    "fits.step_rates",
    "fits.digests_after",
    "fits.error",
    # Of a custom loop, what it was given is known only at its end.
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
    "compile": frozenset({"compiles", "fits.compiled"}),
    "fit_start": frozenset({"fits", "accuracies"}),
    "epoch": _HISTORY,
    "fit_end": _END | {"accuracies"},
    "evaluate": frozenset({"evaluations"}),
    "predict": frozenset({"predictions"}),
    "calls": frozenset({"calls"}),
    "trainable": frozenset({"trainable_changes"}),
    "save": frozenset({"saves", "accuracies"}),
    "kept": _KEPT,
    "unkept": _KEPT,
    "figure": frozenset({"figures"}),
    "arrays": frozenset({"arrays", "labels"}),
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

_WORDS = {
    "start": "versions",
    "versions": "versions",
    "dataset": "loaded data sets",
    "model": "models",
    "compile": "compile calls",
    "fit_start": "trainings",
    "epoch": "learning curves",
    "fit_end": "results of trainings",
    "evaluate": "evaluations",
    "predict": "predictions",
    "calls": "direct calls of models",
    "trainable": "freezing and unfreezing of layers",
    "save": "saved, loaded and copied weights",
    "kept": "trained models",
    "unkept": "trained models",
    "figure": "figures",
    "arrays": "the variables' arrays",
    "emulated": "replaced calls",
    "ignored": "ignored settings",
}
_MOST_WORDS = 5


def touches(gap: GapFact, read: Iterable[str]) -> bool:
    """Whether a gap may have hidden something of what was read.

    Args:
        gap: The gap.
        read: Parts of the evidence, named as in `PARTS`.
    """
    # A kind that only a newer recorder knows may concern anything.
    return any(kind not in PARTS or not PARTS[kind].isdisjoint(read) for kind in gap.lost)


def describe_lost(gaps: Iterable[GapFact]) -> str:
    """Name in words what gaps may have hidden, such as "trainings and figures"."""
    kinds = dict.fromkeys(kind for gap in gaps for kind in gap.lost)
    words = list(dict.fromkeys(_WORDS.get(kind, f"`{kind}` events") for kind in kinds))
    if len(words) > _MOST_WORDS:
        return listed([*words[:_MOST_WORDS], "other facts"])
    return listed(words)


def describe_gap(gap: GapFact) -> str:
    """Describe a gap as a problem, for people."""
    if not gap.hook:
        return english(gap.what)
    place = "" if gap.cell is None else f" in {spoken_cell(gap.cell)}"
    lost = f"; {describe_lost((gap,))} may be missing from the record" if gap.lost else ""
    return f"the grader's recorder failed{place} (`{gap.hook}`: {english(gap.what)}){lost}"


class GapWatch:
    """Runs checks and diagnostics, and finds the gaps that touch what they read.

    Attributes:
        case: The case to hand to them.
    """

    def __init__(self, case: Case) -> None:
        """Make a view of the case that notes reads; evidence without gaps needs none.

        Args:
            case: What is to be judged.
        """
        self._gaps = tuple(gap for gap in case.evidence.gaps if gap.lost)
        self._read: set[str] = set()
        self.case = case
        if self._gaps:
            evidence = _evidence_view(case.evidence, self._read)
            self.case = replace(case, evidence=evidence, roles=_Roles(case, evidence, self._read))

    def run(self, function: Callable[[Case], T]) -> tuple[T, tuple[GapFact, ...]]:
        """Call a function with the case.

        Args:
            function: Must have read all that it needs when it returns.

        Returns:
            What it returned, and the gaps that touch what it read.
        """
        self._read.clear()
        result = function(self.case)
        return result, tuple(gap for gap in self._gaps if touches(gap, self._read))


class _View(BaseModel):
    """A document that notes which of its fields are read."""

    watched: ClassVar[frozenset[str]] = frozenset()
    prefix: ClassVar[str] = ""
    _read: set[str] | None = PrivateAttr(default=None)

    def __getattribute__(self, name: str) -> Any:
        """Note the reading of a field, then read it."""
        if name in type(self).watched:
            private = object.__getattribute__(self, "__pydantic_private__")
            read = private.get("_read") if private else None
            if read is not None:
                read.add(type(self).prefix + name)
        return super().__getattribute__(name)

    def _note_all(self) -> None:
        if self._read is not None:
            self._read.update(type(self).prefix + name for name in type(self).watched)

    def __iter__(self) -> Any:
        """Iterate over all fields."""
        self._note_all()
        return super().__iter__()

    def model_dump(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read all fields."""
        self._note_all()
        return super().model_dump(*args, **kwargs)

    def model_dump_json(self, *args: Any, **kwargs: Any) -> str:
        """Read all fields."""
        self._note_all()
        return super().model_dump_json(*args, **kwargs)


class _FitView(_View, FitFact):
    """A training whose reading is noted."""

    watched = frozenset(FitFact.model_fields) - {"event", "cell", "model", "kind"}
    prefix = "fits."


class _ModelView(_View, ModelFact):
    """A model whose reading is noted."""

    watched = frozenset(ModelFact.model_fields) - {"id", "name", "cls", "cell", "event"}
    prefix = "models."


class _EvidenceView(_View, Evidence):
    """Evidence whose reading is noted, and that of its trainings and models as well."""

    watched = frozenset(Evidence.model_fields)


V = TypeVar("V", bound=_View)


def _view(cls: type[V], document: BaseModel, read: set[str], **parts: object) -> V:
    """View a document without copying its fields; `parts` replace some of them."""
    view = cls.__new__(cls)
    # As pydantic copies a model; `model_construct` takes no field that is called `cls`.
    object.__setattr__(view, "__dict__", {**dict(document), **parts})
    object.__setattr__(view, "__pydantic_fields_set__", set(document.model_fields_set))
    object.__setattr__(view, "__pydantic_extra__", None)
    object.__setattr__(view, "__pydantic_private__", {"_read": read})
    return view


def _evidence_view(evidence: Evidence, read: set[str]) -> _EvidenceView:
    return _view(
        _EvidenceView,
        evidence,
        read,
        fits=tuple(_view(_FitView, fit, read) for fit in evidence.fits),
        models=tuple(_view(_ModelView, model, read) for model in evidence.models),
    )


class _Roles(Mapping[str, RoleMatch]):
    """A rubric's roles; whoever reads one depends on all that the roles were resolved from."""

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


def distinct_problems(problems: Iterable[MessageLike], gaps: Sequence[GapFact], most: int) -> tuple[str, ...]:
    """Join problems and gaps, each text once; beyond `most` they are counted."""
    texts = tuple(dict.fromkeys((*map(english, problems), *map(describe_gap, gaps))))
    if len(texts) <= most:
        return texts
    return (*texts[: most - 1], f"and {len(texts) - most + 1:,} more problems")
