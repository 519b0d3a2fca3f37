"""The record of one execution becomes typed evidence.

Every event is a claim from the student's process. What cannot be read is counted and said, and never stops the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArrayKeeper, ArrayReader, is_inside
from grader.evidence.cells import cell_facts
from grader.evidence.claims import (
    MalformedError,
    as_bool,
    as_float,
    as_floats,
    as_int,
    as_list,
    as_map,
    as_shape,
    as_text,
    as_texts,
    need_id,
    need_int,
)
from grader.evidence.provenance import DatasetIndex
from grader.evidence.settings import read_loss, read_optimizer
from grader.evidence.structure import read_model
from grader.evidence.trainings import TrainingLog, digests_of
from grader.evidence.variables import read_variables
from grader.schema.evidence import (
    AxesFact,
    CallFact,
    CompileFact,
    DatasetFact,
    EmulationFact,
    EvaluateFact,
    Evidence,
    FigureFact,
    IgnoredFact,
    LineFact,
    ModelFact,
    PredictFact,
    SaveFact,
    TrainableFact,
)
from grader.schema.submission import Run

__all__ = ["build_evidence"]

Event = Mapping[str, Any]

_MAX_EVENTS = 300_000
_MAX_FACTS = 5_000
"""Most facts of one kind; a notebook with more of them is written to wear the grader out."""
_MAX_MODELS = 500
_MAX_LINES = 64
_MAX_POINTS = 2_000
_ACTIONS = ("save", "load", "clone", "set_weights", "save_weights", "load_weights")
_FORMATS = ("keras", "saved_model", "predictions")


def build_evidence(  # noqa: PLR0913 - each part of an execution by its name
    *,
    run: Run,
    notebook: Mapping[str, Any],
    submitted: Mapping[str, Any] | None,
    events: Sequence[Event],
    arrays: ArrayReader,
    indexes: Mapping[str, DatasetIndex],
    problems: Sequence[str] = (),
    keep: ArrayKeeper | None = None,
    stand_ins: Sequence[str] = (),
) -> Evidence:
    """Type everything one execution left.

    Args:
        run: How the execution went, as the host saw it.
        notebook: The executed notebook.
        submitted: The notebook as it was handed in.
        events: The record's lines, see `docs/events.md`; untrusted.
        arrays: Reads the record's arrays; untrusted content.
        indexes: Known data sets by name, to recognise rows in.
        problems: What could not be read before.
        keep: Stores derived arrays (rows, transforms of single pixels) under `derived/` beside the evidence; without it
            they are left out, and a standardisation of single pixels cannot be repeated for the predictions.
        stand_ins: Those of the data sets that are made up, the real ones not being on the machine.

    Returns:
        The evidence, without accuracies: these come from `grader.evidence.accuracies`.

    Raises:
        StorageError: `keep` could not store an array.
    """
    builder = _Builder(run, ArrayBook(arrays, indexes, keep))
    for event in events[:_MAX_EVENTS]:
        builder.take(event)
    if len(events) > _MAX_EVENTS:
        problems = (*problems, f"the record has more than {_MAX_EVENTS:,} events; the rest was not read")
    evidence = builder.evidence(cell_facts(notebook, submitted, run), tuple(problems))
    return evidence.model_copy(update={"stand_ins": tuple(stand_ins)})


def _spoken_count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


@dataclass(frozen=True, slots=True)
class _Kept:
    """One kept form of a model."""

    form: str
    path: str
    after: int
    """The last event that changed its weights."""
    custom: bool

    def rank(self) -> int:
        """The most trustworthy first; a model with code of the student's own seldom loads without it."""
        return len(_FORMATS) if self.form == "keras" and self.custom else _FORMATS.index(self.form)


class _Builder:
    """Collects facts event by event.

    Each kind of event has one method, named after it, that reads the event and raises `MalformedError` when it is
    worthless. An unknown kind is a newer recorder's and is passed over.
    """

    def __init__(self, run: Run, book: ArrayBook) -> None:
        self._run = run
        self._book = book
        self._seen: set[int] = set()
        self._bad: Counter[str] = Counter()
        self._ended = False
        self._some = False
        self._versions: dict[str, str] = {}
        self._models: dict[str, ModelFact] = {}
        self._kept: dict[str, dict[str, _Kept]] = {}
        self._later: dict[str, str] = {}
        self._unhooked: list[str] = []
        self._unkept: dict[str, str] = {}
        self._facts: dict[str, list[Any]] = {}
        self._trainings = TrainingLog(book, self._cell)
        self._readers: Mapping[str, Callable[[Event, int], None]] = {
            "start": self._start,
            "versions": self._start,
            "dataset": self._dataset,
            "model": self._model,
            "compile": self._compile,
            "fit_start": self._trainings.start,
            "epoch": self._trainings.epoch,
            "fit_end": self._trainings.end,
            "evaluate": self._evaluate,
            "predict": self._predict,
            "calls": self._calls,
            "trainable": self._trainable,
            "save": self._save,
            "kept": self._keep,
            "unkept": self._unkeep,
            "unhooked": self._unhook,
            "figure": self._figure,
            "arrays": self._arrays,
            "emulated": self._emulated,
            "ignored": self._ignored,
            "end": self._end,
        }

    def take(self, event: object) -> None:
        """Read one event, or count it as unreadable."""
        given = as_map(event)
        kind = given.get("kind")
        reader = self._readers.get(kind) if isinstance(kind, str) else None
        if reader is None:
            if not isinstance(kind, str):
                self._bad["events without a kind"] += 1
            return
        self._some = True
        try:
            reader(given, self._new_number(given))
        except (MalformedError, ValidationError):
            self._bad[str(kind)] += 1

    def _new_number(self, event: Event) -> int:
        number = need_int(event.get("n"), 1)
        if number in self._seen:
            msg = "an event's number stands twice"
            raise MalformedError(msg)
        self._seen.add(number)
        return number

    def evidence(self, cells: Sequence[Any], problems: tuple[str, ...]) -> Evidence:
        """Everything that was collected, with what could not be read said in `problems`."""
        return Evidence(
            run=self._run,
            versions=self._versions,
            cells=tuple(cells),
            models=tuple(self._finished_models()),
            fits=self._trainings.facts(),
            problems=(*problems, *self._problems()),
            **{name: tuple(facts) for name, facts in self._facts.items()},
        )

    def _problems(self) -> Iterator[str]:
        if self._bad:
            kinds = ", ".join(f"{kind}: {count}" for kind, count in sorted(self._bad.items()))
            yield f"{_spoken_count(self._bad.total(), 'event')} of the record could not be read ({kinds})"
        if not self._some:
            yield "the recorder left no events"
        elif not self._ended and self._run.status in {"completed", "cell_error"}:
            yield "the record ends before the notebook did"
        yield from self._unhooked[:20]
        yield from dict.fromkeys(self._book.problems[:20])

    def _finished_models(self) -> Iterator[ModelFact]:
        for key, model in self._models.items():
            update: dict[str, Any] = {
                "unkept_reason": self._unkept.get(key),
                "later_artefact": self._later.get(key),
            }
            kept = self._kept.get(key)
            if kept:
                newest = max(each.after for each in kept.values())
                forms = sorted((each for each in kept.values() if each.after == newest), key=_Kept.rank)
                update |= {
                    "artefact": forms[0].path,
                    "artefact_format": forms[0].form,
                    "fallbacks": {each.form: each.path for each in forms[1:]},
                }
            yield model.model_copy(update=update)

    def _cell(self, event: Event) -> int | None:
        """The notebook's index of the cell that an event happened in."""
        number = as_int(event.get("cell"), 1, len(self._run.cell_map))
        return None if number is None else self._run.cell_map[number - 1]

    def _add(self, name: str, fact: Any) -> None:
        facts = self._facts.setdefault(name, [])
        if len(facts) >= _MAX_FACTS:
            msg = "too many"
            raise MalformedError(msg)
        facts.append(fact)

    def _start(self, event: Event, _: int) -> None:
        versions = as_map(event.get("versions"), 100)
        self._versions |= {name: as_text(text, 100) for name, text in versions.items() if isinstance(text, str)}

    def _end(self, _: Event, __: int) -> None:
        self._ended = True

    def _dataset(self, event: Event, n: int) -> None:
        fact = DatasetFact(
            event=n,
            cell=self._cell(event),
            dataset=need_id(event.get("dataset")),
            via=as_text(event.get("via")),
            served=as_bool(event.get("served")) is not False,
            detail=as_text(event.get("detail"), 500),
        )
        self._add("datasets", fact)

    def _model(self, event: Event, n: int) -> None:
        model = read_model(event.get("model"), cell=self._cell(event), event=n)
        before = self._models.get(model.id)
        if before is None and len(self._models) >= _MAX_MODELS:
            msg = "too many models"
            raise MalformedError(msg)
        if before is not None:  # seen again with another structure: it is still from where it was first made
            model = model.model_copy(update={"cell": before.cell, "event": before.event})
        self._models[model.id] = model

    def _compile(self, event: Event, n: int) -> None:
        fact = CompileFact(
            event=n,
            cell=self._cell(event),
            model=need_id(event.get("model")),
            optimizer=read_optimizer(event.get("optimizer")),
            loss=read_loss(event.get("loss")),
            metrics=as_texts(event.get("metrics"), 50),
            trainable={k: v for k, v in as_map(event.get("trainable")).items() if isinstance(v, bool)},
        )
        self._add("compiles", fact)

    def _evaluate(self, event: Event, n: int) -> None:
        known = self._book.array(event.get("x"))
        results = {name: as_float(value) for name, value in as_map(event.get("results"), 100).items()}
        fact = EvaluateFact(
            event=n,
            cell=self._cell(event),
            model=need_id(event.get("model")),
            x=known.fact if known else None,
            results={name: float("nan") if value is None else value for name, value in results.items()},
        )
        self._add("evaluations", fact)

    def _predict(self, event: Event, n: int) -> None:
        known = self._book.array(event.get("x"))
        fact = PredictFact(
            event=n,
            cell=self._cell(event),
            model=need_id(event.get("model")),
            x=known.fact if known else None,
            output_shape=as_shape(event.get("output_shape")),
            pass_number=as_int(event.get("pass_number"), 1),
            outputs_differ=as_bool(event.get("outputs_differ")),
        )
        self._add("predictions", fact)

    def _calls(self, event: Event, n: int) -> None:
        known = self._book.array(event.get("x"))
        fact = CallFact(
            event=n,
            cell=self._cell(event),
            model=need_id(event.get("model")),
            training=as_bool(event.get("training")),
            count=need_int(event.get("count")),
            x=known.fact if known else None,
            outputs_differ=as_bool(event.get("outputs_differ")),
            repeats=as_int(event.get("repeats")),
            traced=as_bool(event.get("traced")) is True,
        )
        self._add("calls", fact)

    def _trainable(self, event: Event, n: int) -> None:
        before, after = as_bool(event.get("before")), as_bool(event.get("after"))
        layer = as_text(event.get("layer"))
        if before is None or after is None or not layer:
            msg = "a change without its two sides"
            raise MalformedError(msg)
        model = need_id(event.get("model")) if event.get("model") is not None else None
        fact = TrainableFact(event=n, cell=self._cell(event), layer=layer, model=model, before=before, after=after)
        self._add("trainable_changes", fact)

    def _save(self, event: Event, n: int) -> None:
        action = event.get("action")
        if not isinstance(action, str) or action not in _ACTIONS:
            msg = "an unknown action"
            raise MalformedError(msg)
        fact = SaveFact.model_validate(
            {
                "event": n,
                "cell": self._cell(event),
                "action": action,
                "model": as_text(event.get("model"), 64) or None,
                "other": as_text(event.get("other"), 64) or None,
                "path": as_text(event.get("path"), 500) or None,
                "digests": digests_of(event.get("digests")),
            }
        )
        self._add("saves", fact)

    def _keep(self, event: Event, n: int) -> None:
        form, path = event.get("format"), event.get("path")
        if not isinstance(form, str) or form not in _FORMATS or not isinstance(path, str) or not is_inside(path):
            msg = "no artefact inside the record"
            raise MalformedError(msg)
        model = need_id(event.get("model"))
        if len(self._kept) >= _MAX_MODELS and model not in self._kept:
            msg = "too many models"
            raise MalformedError(msg)
        if event.get("moment") == "later":
            if len(self._later) < _MAX_MODELS:
                self._later[model] = path
            return
        after = as_int(event.get("after"), 0, n) or 0
        self._kept.setdefault(model, {})[form] = _Kept(form, path, after, as_bool(event.get("custom")) is True)

    def _unkeep(self, event: Event, _: int) -> None:
        if len(self._unkept) < _MAX_MODELS:
            self._unkept[need_id(event.get("model"))] = as_text(event.get("reason"), 1000) or "no reason was recorded"

    def _unhook(self, event: Event, _: int) -> None:
        package, reason = as_text(event.get("package"), 50), as_text(event.get("reason"), 300)
        self._unhooked.append(f"the recorder could not watch {package or 'a package'}: {reason or 'no reason given'}")

    def _figure(self, event: Event, n: int) -> None:
        given = as_map(event.get("figure"))
        axes = tuple(_axes(as_map(item)) for item in as_list(given.get("axes"), _MAX_LINES))
        self._add("figures", FigureFact(event=n, cell=self._cell(event), title=as_text(given.get("title")), axes=axes))

    def _arrays(self, event: Event, _: int) -> None:
        found = read_variables(event, self._book, self._cell)
        if found.malformed:
            self._bad["arrays"] += found.malformed
        for array in found.arrays:
            self._add("arrays", array)
        for label in found.labels:
            self._add("labels", label)

    def _emulated(self, event: Event, n: int) -> None:
        form = as_text(event.get("form"), 100)
        if not form:
            msg = "an emulation of nothing"
            raise MalformedError(msg)
        fact = EmulationFact(event=n, cell=self._cell(event), form=form, message=as_text(event.get("message"), 1000))
        self._add("emulations", fact)

    def _ignored(self, event: Event, n: int) -> None:
        fact = IgnoredFact.model_validate(
            {
                "event": n,
                "cell": self._cell(event),
                "form": event.get("form"),
                "optimizer": as_text(event.get("optimizer"), 64),
                "value": as_float(event.get("value")),
            }
        )
        self._add("ignored", fact)


def _axes(given: Mapping[str, Any]) -> AxesFact:
    lines = (as_map(item) for item in as_list(given.get("lines"), _MAX_LINES))
    return AxesFact(
        title=as_text(given.get("title")),
        xlabel=as_text(given.get("xlabel")),
        ylabel=as_text(given.get("ylabel")),
        legend=as_texts(given.get("legend"), _MAX_LINES),
        lines=tuple(LineFact(label=as_text(i.get("label")), y=as_floats(i.get("y"), _MAX_POINTS)) for i in lines),
        images=as_int(given.get("images")) or 0,
        bars=as_int(given.get("bars")) or 0,
        points=as_int(given.get("points")) or 0,
    )
