"""Convert the record of one execution to typed evidence.

Every event is a claim from the student's process. An unreadable event is counted and reported, and the others are read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from pydantic import ValidationError

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArrayKeeper, ArrayReader, is_inside
from grader.evidence.cells import cell_facts
from grader.evidence.claims import (
    MalformedError,
    Moment,
    as_bool,
    as_choice,
    as_float,
    as_floats,
    as_int,
    as_map,
    as_shape,
    as_text,
    as_texts,
    claim,
    claims,
    need_choice,
    need_id,
    need_int,
    need_key,
)
from grader.evidence.provenance import DatasetIndex
from grader.evidence.settings import read_loss, read_optimizer
from grader.evidence.structure import read_model
from grader.evidence.trainings import TrainingLog, digests_of
from grader.evidence.variables import read_variables
from grader.facts.gaps import ALL_KINDS, ARRAY_KINDS, KERAS_KINDS, PARTS
from grader.facts.metrics import is_accuracy_class, is_metric_key
from grader.inside.record.events import (
    MAX_ITEMS,
    MAX_LINES,
    MAX_POINTS,
    RECORD_VERSION,
    Arrays,
    AxesDescription,
    Calls,
    Compile,
    Dataset,
    Emulated,
    End,
    Epoch,
    Evaluate,
    Figure,
    FigureDescription,
    FitEnd,
    FitStart,
    Gap,
    Header,
    Ignored,
    IgnoredForm,
    Kept,
    KeptFormat,
    LineDescription,
    Model,
    Predict,
    Progress,
    RepeatedPasses,
    Save,
    SaveAction,
    Start,
    Trainable,
    Unhooked,
    Unkept,
    Versions,
    kind_of,
)
from grader.schema.evidence import (
    Average,
    AxesFact,
    CallFact,
    CompileFact,
    DatasetFact,
    EmulationFact,
    EvaluateFact,
    Evidence,
    FigureFact,
    FitFact,
    GapFact,
    IgnoredFact,
    LineFact,
    ModelFact,
    PredictFact,
    RepeatedPassesFact,
    SaveFact,
    TrainableFact,
)
from grader.schema.message import Message, MessageLike, literal, say, say_count
from grader.schema.submission import Run

__all__ = ["build_evidence"]

_Event = TypeVar("_Event", bound=Mapping[str, object])

_MAX_EVENTS = 300_000
_NAMED_LAYERS = 5
"""Number of layers that a message names."""
_MAX_FACTS = 5_000
"""Limit of facts of one kind, against notebooks that try to overload the grader."""
_WAYS: tuple[Literal["call", "predict"], ...] = ("call", "predict")
_AVERAGES: tuple[Average, ...] = ("mean", "median", "discarded", "wrong_axis", "accuracies", "sum")
_MAX_MODELS = 500
_MAX_AXES = 64
_MAX_GAPS = 300
_MAX_UNHOOKED = 20
_MAX_ENTRIES = 64
"""Limit of entries of a legend."""
_SIDES: tuple[Literal["x", "y"], ...] = ("x", "y")
_ACTIONS: tuple[SaveAction, ...] = get_args(SaveAction)
_FORMATS: tuple[KeptFormat, ...] = get_args(KeptFormat)
"""The most reliable first."""
_IGNORED: tuple[IgnoredForm, ...] = get_args(IgnoredForm)
_AT_END = ("calls", "arrays")
"""Kinds of events that are written at the end of a cell or of the notebook, and are lost if the kernel is killed."""
_AT_FIT_END = ("fit_end",)
"""Kinds that are also lost if it is killed during a training."""


def build_evidence(  # noqa: PLR0913 - an execution has these parts
    *,
    run: Run,
    notebook: Mapping[str, Any],
    submitted: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]],
    arrays: ArrayReader,
    indexes: Mapping[str, DatasetIndex],
    problems: Sequence[MessageLike] = (),
    unread: Sequence[MessageLike] = (),
    keep: ArrayKeeper | None = None,
    stand_ins: Sequence[str] = (),
    left_out: Mapping[str, MessageLike] | None = None,
) -> Evidence:
    """Convert the outputs of one execution to evidence.

    Args:
        run: The outcome of the execution, as the host saw it.
        notebook: The executed notebook.
        submitted: The submitted notebook.
        events: The record's lines, see `docs/events.md`; untrusted.
        arrays: Reads the record's arrays; their content is untrusted.
        indexes: Known data sets by name, to recognize rows.
        problems: Problems that are already known.
        unread: Problems of unreadable parts of the record, which may hide any fact.
        keep: Stores derived arrays (rows, transforms per pixel) under `derived/` in the evidence folder. Without it,
            a standardization per pixel cannot be repeated for the predictions.
        stand_ins: Data sets that were replaced by made-up images.
        left_out: Files of the record that were not copied → the reason.

    Returns:
        The evidence without accuracies, which `grader.evidence.accuracies` adds.

    Raises:
        StorageError: `keep` could not store an array.
    """
    builder = _Builder(run, ArrayBook(arrays, indexes, keep), left_out or {})
    for event in events[:_MAX_EVENTS]:
        builder.take(event)
    if len(events) > _MAX_EVENTS:
        excess = say("the record has more than {limit:number} events; the others were not read", limit=_MAX_EVENTS)
        unread = (*unread, excess)
    for text in unread:
        builder.miss(text, ALL_KINDS)
    evidence = builder.evidence(cell_facts(notebook, submitted, run), (*problems, *unread))
    return evidence.model_copy(update={"stand_ins": tuple(stand_ins)})


@dataclass(frozen=True, slots=True)
class _Kept:
    """One saved form of a model."""

    form: KeptFormat
    path: str
    after: int
    """Number of the last event that changed its weights."""
    custom: bool
    digests: Mapping[str, str]
    unexplained: tuple[str, ...]
    """Layers with weights that no training made."""

    def rank(self) -> int:
        """Rank by reliability; a model with the student's own code rarely loads without that code."""
        return len(_FORMATS) if self.form == "keras" and self.custom else _FORMATS.index(self.form)


class _Builder:
    """Collects facts event by event.

    Each kind of event has one method, named after it. The method reads the event and raises `MalformedError` if the
    event is unusable. Unknown kinds come from newer recorders and are skipped.
    """

    def __init__(self, run: Run, book: ArrayBook, left_out: Mapping[str, MessageLike]) -> None:
        self._run = run
        self._left_out = left_out
        self._book = book
        self._seen: set[int] = set()
        self._events = 0
        self._last = 0
        """The highest number of an event; events are numbered from 1 without gaps."""
        self._bad: Counter[str] = Counter()
        self._ended = False
        self._some = False
        self._versions: dict[str, str] = {}
        self._models: dict[str, ModelFact] = {}
        self._kept: dict[str, dict[str, _Kept]] = {}
        self._later: dict[str, str] = {}
        self._unhooked: list[MessageLike] = []
        self._gaps: list[GapFact] = []
        self._unkept: dict[str, MessageLike] = {}
        self._facts: dict[str, list[Any]] = {}
        self._newer: int | None = None
        self._trainings = TrainingLog(book)
        self._readers = dict(
            (
                _reads(Start, self._start),
                _reads(Versions, self._version),
                _reads(Dataset, self._dataset),
                _reads(Model, self._model),
                _reads(Compile, self._compile),
                _reads(FitStart, self._trainings.start),
                _reads(Epoch, self._trainings.epoch),
                _reads(FitEnd, self._trainings.end),
                _reads(Progress, self._trainings.progress),
                _reads(Evaluate, self._evaluate),
                _reads(Predict, self._predict),
                _reads(Calls, self._call),
                _reads(RepeatedPasses, self._repeated),
                _reads(Trainable, self._trainable),
                _reads(Save, self._save),
                _reads(Kept, self._keep),
                _reads(Unkept, self._unkeep),
                _reads(Unhooked, self._unhook),
                _reads(Figure, self._figure),
                _reads(Arrays, self._arrays),
                _reads(Emulated, self._emulated),
                _reads(Ignored, self._ignore),
                _reads(Gap, self._gap),
                _reads(End, self._end),
            )
        )

    def take(self, event: object) -> None:
        """Read one event, or count it as unreadable."""
        header = claim(Header, event)
        self._events += 1
        self._last = max(self._last, as_int(header["n"], 1) or 0)
        kind: object = header["kind"]
        if not isinstance(kind, str):
            self._bad["events without a kind"] += 1
            return
        reader = self._readers.get(kind)
        if reader is None:
            return
        self._some = True
        try:
            reader(header, Moment(self._new_number(header["n"]), self._cell(header["cell"])))
        except (MalformedError, ValidationError):
            self._bad[kind] += 1

    def _new_number(self, value: object) -> int:
        number = need_int(value, 1)
        if number in self._seen:
            msg = "duplicate event number"
            raise MalformedError(msg)
        self._seen.add(number)
        return number

    def evidence(self, cells: Sequence[Any], problems: tuple[MessageLike, ...]) -> Evidence:
        """Make the evidence of all collected facts, with problems for the unreadable ones."""
        own_problems = tuple(self._problems())  # adds gaps
        trainings = tuple(self._with_accuracies(fit) for fit in self._trainings.facts())
        return Evidence(
            run=self._run,
            versions=self._versions,
            cells=tuple(cells),
            models=tuple(self._finished_models()),
            fits=tuple(fit for fit in trainings if not fit.failed_at_start),
            failed_fits=tuple(fit for fit in trainings if fit.failed_at_start),
            problems=(*problems, *own_problems),
            gaps=tuple(dict.fromkeys(self._gaps)),
            **{name: tuple(facts) for name, facts in self._facts.items()},
        )

    def _with_accuracies(self, fit: FitFact) -> FitFact:
        """Note the metrics in a training's history that are accuracies by their class."""
        compiled = next((each for each in self._facts.get("compiles", ()) if each.event == fit.compiled), None)
        classes = {} if compiled is None else compiled.metric_classes
        names = [name for name, cls in classes.items() if is_accuracy_class(cls)]
        found = tuple(key for key in fit.history if any(is_metric_key(key, name) for name in names))
        return fit.model_copy(update={"accuracies": found}) if found else fit

    def miss(self, what: MessageLike, lost: Sequence[str]) -> None:
        """Note that facts may be missing because the record cannot be read.

        Args:
            what: The problem.
            lost: Kinds of events that may be missing.
        """
        self._gaps.append(GapFact(what=what, lost=tuple(lost)))

    def _problems(self) -> Iterator[MessageLike]:
        """Find unreadable parts of the record; each problem is also a gap."""
        if self._bad:
            text = say_count(
                "{count:number} event of the record could not be read ({kinds:list})",
                "{count:number} events of the record could not be read ({kinds:list})",
                self._bad.total(),
                kinds=[
                    say("{kind}: {number:number}", kind=kind, number=count) for kind, count in sorted(self._bad.items())
                ],
            )
            yield self._missing(text, tuple(self._bad) if self._bad.keys() <= set(ALL_KINDS) else ALL_KINDS)
        missing = self._last - self._events
        if missing > 0:
            text = say_count(
                "{count:number} event of the record is missing",
                "{count:number} events of the record are missing",
                missing,
            )
            yield self._missing(text, ALL_KINDS)
        if not self._some:
            yield self._missing(say("the recorder wrote no events"), ALL_KINDS)
        elif not self._ended and self._run.status in {"completed", "cell_error"}:
            yield self._missing(say("the record ends before the notebook"), ALL_KINDS)
        elif not self._ended:
            yield self._missing(
                say("the kernel ended before the recorder could write everything down"),
                (*_AT_END, *(_AT_FIT_END if self._trainings.unfinished else ())),
            )
        if self._newer is not None:
            yield say(
                "the record has version {version:number}, but this grader reads version {supported:number}; "
                "facts that only the newer version has are missing",
                version=self._newer,
                supported=RECORD_VERSION,
            )
        for problem in self._unhooked[:_MAX_UNHOOKED]:
            yield self._missing(problem, KERAS_KINDS)
        for problem in dict.fromkeys(self._book.problems[:20]):
            yield self._missing(problem, ARRAY_KINDS)
        yield from dict.fromkeys(self._book.notices)

    def _missing(self, what: MessageLike, lost: Sequence[str]) -> MessageLike:
        self.miss(what, lost)
        return what

    def _finished_models(self) -> Iterator[ModelFact]:
        for key, model in self._models.items():
            later = self._later.get(key)
            kept, lost = self._usable(key)
            update: dict[str, Any] = {
                "unkept_reason": self._unkept.get(key) or (lost if not kept else None),
                "later_artefact": later if later is None or self._why_lost(later) is None else None,
            }
            if kept:
                newest = max(each.after for each in kept.values())
                forms = sorted((each for each in kept.values() if each.after == newest), key=_Kept.rank)
                update |= {
                    "artefact": forms[0].path,
                    "artefact_format": forms[0].form,
                    "fallbacks": {each.form: each.path for each in forms[1:]},
                    "kept_digests": tuple(sorted(set(forms[0].digests.values()))),
                    "doubt": _unexplained(forms),
                }
            yield model.model_copy(update=update)

    def _usable(self, model: str) -> tuple[dict[str, _Kept], MessageLike | None]:
        """Find the saved forms of a trained model that were copied, and the reason if there is none."""
        forms = self._kept.get(model, {})
        lost = {form: why for form, each in forms.items() if (why := self._why_lost(each.path)) is not None}
        usable = {form: each for form, each in forms.items() if form not in lost}
        if lost:
            return usable, next(iter(lost.values()))
        if not forms and model in self._trainings.models and not self._ended:
            return usable, say("the kernel ended before the grader could save the trained model")
        return usable, None

    def _why_lost(self, path: str) -> MessageLike | None:
        """Return the reason why a file, or a file in a folder, was not copied; None if it was."""
        if path in self._left_out:
            return self._left_out[path]
        return next((why for name, why in self._left_out.items() if name.startswith(f"{path}/")), None)

    def _cell(self, value: object) -> int | None:
        """Find the notebook's index of a cell, by the recorder's number."""
        number = as_int(value, 1, len(self._run.cell_map))
        return None if number is None else self._run.cell_map[number - 1]

    def _add(self, name: str, fact: Any) -> None:
        facts = self._facts.setdefault(name, [])
        if len(facts) >= _MAX_FACTS:
            msg = "too many"
            raise MalformedError(msg)
        facts.append(fact)

    def _start(self, event: Start, _: Moment) -> None:
        version = as_int(event["version"])
        if version is not None and version > RECORD_VERSION:
            self._newer = version
        self._add_versions(event["versions"])

    def _version(self, event: Versions, _: Moment) -> None:
        self._add_versions(event["versions"])

    def _add_versions(self, value: object) -> None:
        versions = as_map(value, 100)
        self._versions |= {name: as_text(text, 100) for name, text in versions.items() if isinstance(text, str)}

    def _end(self, _: End, __: Moment) -> None:
        self._ended = True

    def _dataset(self, event: Dataset, at: Moment) -> None:
        fact = DatasetFact(
            event=at.n,
            cell=at.cell,
            dataset=need_id(event["dataset"]),
            via=as_text(event["via"]),
            served=as_bool(event["served"]) is not False,
            detail=as_text(event["detail"], 500),
        )
        self._add("datasets", fact)

    def _model(self, event: Model, at: Moment) -> None:
        model = read_model(event["model"], cell=at.cell, event=at.n)
        before = self._models.get(model.id)
        if before is None and len(self._models) >= _MAX_MODELS:
            msg = "too many models"
            raise MalformedError(msg)
        if before is not None:  # described again with another structure: keep the first place
            model = model.model_copy(update={"cell": before.cell, "event": before.event})
        self._models[model.id] = model

    def _compile(self, event: Compile, at: Moment) -> None:
        need_key(event, "loss")
        fact = CompileFact(
            event=at.n,
            cell=at.cell,
            model=need_id(event["model"]),
            optimizer=read_optimizer(event["optimizer"]),
            loss=read_loss(event["loss"]),
            metrics=as_texts(event["metrics"], 50),
            metric_classes={name: as_text(cls) for name, cls in as_map(event["metric_classes"], 50).items()},
            trainable={k: v for k, v in as_map(event["trainable"]).items() if isinstance(v, bool)},
        )
        self._add("compiles", fact)

    def _evaluate(self, event: Evaluate, at: Moment) -> None:
        known = self._book.array(event["x"])
        results = {name: as_float(value) for name, value in as_map(event["results"], 100).items()}
        fact = EvaluateFact(
            event=at.n,
            cell=at.cell,
            model=need_id(event["model"]),
            x=known.fact if known else None,
            results={name: float("nan") if value is None else value for name, value in results.items()},
        )
        self._add("evaluations", fact)

    def _predict(self, event: Predict, at: Moment) -> None:
        known = self._book.array(event["x"])
        fact = PredictFact(
            event=at.n,
            cell=at.cell,
            model=need_id(event["model"]),
            x=known.fact if known else None,
            output_shape=as_shape(event["output_shape"]),
            pass_number=as_int(event["pass_number"], 1),
            outputs_differ=as_bool(event["outputs_differ"]),
        )
        self._add("predictions", fact)

    def _call(self, event: Calls, at: Moment) -> None:
        known = self._book.array(event["x"])
        fact = CallFact(
            event=at.n,
            cell=at.cell,
            model=need_id(event["model"]),
            training=as_bool(event["training"]),
            count=need_int(event["count"]),
            x=known.fact if known else None,
            outputs_differ=as_bool(event["outputs_differ"]),
            repeats=as_int(event["repeats"]),
            traced=as_bool(event["traced"]) is True,
        )
        self._add("calls", fact)

    def _repeated(self, event: RepeatedPasses, at: Moment) -> None:
        """Add repeated passes; a later event of the same passes replaces an earlier one."""
        average = as_choice(event["average"], _AVERAGES)
        fact = RepeatedPassesFact(
            event=at.n,
            cell=self._cell(event["made"]),
            model=need_id(event["model"]),
            way=need_choice(event["way"], _WAYS),
            training=as_bool(event["training"]),
            passes=need_int(event["passes"], 2),
            images=need_int(event["images"]),
            differ=as_bool(event["differ"]) is True,
            average=average,
            averaged=as_int(event["averaged"], 2),
            average_cell=at.cell if average else None,
        )

        def key(fact: RepeatedPassesFact) -> tuple[object, ...]:
            return fact.cell, fact.model, fact.way, fact.training, fact.passes, fact.images

        facts = self._facts.setdefault("repeated_passes", [])
        facts[:] = [known for known in facts if key(known) != key(fact)]
        self._add("repeated_passes", fact)

    def _trainable(self, event: Trainable, at: Moment) -> None:
        before, after = as_bool(event["before"]), as_bool(event["after"])
        layer = as_text(event["layer"])
        if before is None or after is None or not layer:
            msg = "a change without its old or new value"
            raise MalformedError(msg)
        model = need_id(event["model"]) if event["model"] is not None else None
        fact = TrainableFact(event=at.n, cell=at.cell, layer=layer, model=model, before=before, after=after)
        self._add("trainable_changes", fact)

    def _save(self, event: Save, at: Moment) -> None:
        fact = SaveFact(
            event=at.n,
            cell=at.cell,
            action=need_choice(event["action"], _ACTIONS),
            model=as_text(event["model"], 64) or None,
            other=as_text(event["other"], 64) or None,
            path=as_text(event["path"], 500) or None,
            digests=digests_of(event["digests"]),
        )
        self._add("saves", fact)

    def _keep(self, event: Kept, at: Moment) -> None:
        form, path = need_choice(event["format"], _FORMATS), _need_path(event["path"])
        model = need_id(event["model"])
        if len(self._kept) >= _MAX_MODELS and model not in self._kept:
            msg = "too many models"
            raise MalformedError(msg)
        if event["moment"] == "later":
            if len(self._later) < _MAX_MODELS:
                self._later[model] = path
            return
        after = as_int(event["after"], 0, at.n) or 0
        custom = as_bool(event["custom"]) is True
        strange = as_texts(event["unexplained"], MAX_ITEMS, 200)
        self._kept.setdefault(model, {})[form] = _Kept(form, path, after, custom, digests_of(event["digests"]), strange)

    def _unkeep(self, event: Unkept, _: Moment) -> None:
        if len(self._unkept) < _MAX_MODELS:
            self._unkept[need_id(event["model"])] = as_text(event["reason"], 1000) or say("no reason was recorded")

    def _unhook(self, event: Unhooked, _: Moment) -> None:
        package, reason = as_text(event["package"], 50), as_text(event["reason"], 300)
        self._unhooked.append(
            say(
                "the recorder could not watch {package}: {reason}",
                package=say("{name:code}", name=package) if package else say("a package"),
                reason=literal(reason) if reason else say("no reason was recorded"),
            )
        )

    def _gap(self, event: Gap, at: Moment) -> None:
        if len(self._gaps) >= _MAX_GAPS:
            msg = "too many gaps"
            raise MalformedError(msg)
        lost: object = event["lost"]
        fact = GapFact(
            event=at.n,
            cell=at.cell,
            what=as_text(event["what"], 300) or say("no reason was recorded"),
            hook=as_text(event["hook"], 100) or "unknown",
            lost=_lost_kinds(lost),
        )
        self._gaps.append(fact)

    def _figure(self, event: Figure, at: Moment) -> None:
        figure = claim(FigureDescription, event["figure"])
        need_key(figure, "axes")
        axes = tuple(_axes(item) for item in claims(AxesDescription, figure["axes"], _MAX_AXES))
        self._add("figures", FigureFact(event=at.n, cell=at.cell, title=as_text(figure["title"]), axes=axes))

    def _arrays(self, event: Arrays, at: Moment) -> None:
        variables = read_variables(event, at.cell, self._book, self._cell)
        if variables.malformed:
            self._bad["arrays"] += variables.malformed
        for array in variables.arrays:
            self._add("arrays", array)
        for label in variables.labels:
            self._add("labels", label)
        for pipeline in variables.pipelines:
            self._add("pipelines", pipeline)

    def _emulated(self, event: Emulated, at: Moment) -> None:
        form = as_text(event["form"], 100)
        if not form:
            msg = "an emulation without a form"
            raise MalformedError(msg)
        fact = EmulationFact(event=at.n, cell=at.cell, form=form, message=as_text(event["message"], 1000))
        self._add("emulations", fact)

    def _ignore(self, event: Ignored, at: Moment) -> None:
        fact = IgnoredFact(
            event=at.n,
            cell=at.cell,
            form=need_choice(event["form"], _IGNORED),
            optimizer=as_text(event["optimizer"], 64),
            value=as_float(event["value"]),
        )
        self._add("ignored", fact)


def _unexplained(forms: Sequence[_Kept]) -> Message | None:
    """Explain that the saved weights are not the result of the record's trainings."""
    layers = next((each.unexplained for each in forms if each.unexplained), ())
    if not layers:
        return None
    return say_count(
        "no training made the weights of {count:number} layer of the saved model ({layers:code list})",
        "no training made the weights of {count:number} layers of the saved model ({layers:code list})",
        len(layers),
        layers=layers[:_NAMED_LAYERS],
    )


def _reads(
    declared: type[_Event], reader: Callable[[_Event, Moment], None]
) -> tuple[str, Callable[[object, Moment], None]]:
    """Pair a kind of event with the function that reads its lines."""
    return kind_of(declared), lambda line, at: reader(claim(declared, line), at)


def _lost_kinds(value: object) -> tuple[str, ...]:
    """Read the kinds that a gap may hide; all kinds if the claim is unclear."""
    kinds = as_texts(value, len(PARTS) + 1, 50)
    if not isinstance(value, list) or len(kinds) != len(value) or len(kinds) > len(PARTS):
        return ALL_KINDS
    return tuple(dict.fromkeys(kinds))


def _need_path(value: object) -> str:
    """Read a path inside the record.

    Raises:
        MalformedError: It is not such a path.
    """
    if not isinstance(value, str) or not is_inside(value):
        msg = "not an artefact inside the record"
        raise MalformedError(msg)
    return value


def _axes(axes: AxesDescription) -> AxesFact:
    return AxesFact(
        title=as_text(axes["title"]),
        xlabel=as_text(axes["xlabel"]),
        ylabel=as_text(axes["ylabel"]),
        legend=as_texts(axes["legend"], _MAX_ENTRIES),
        lines=_lines(axes["lines"]),
        scatters=_lines(axes["scatters"]),
        images=as_int(axes["images"]) or 0,
        bars=as_int(axes["bars"]) or 0,
        points=as_int(axes["points"]) or 0,
        hidden=tuple(side for side in _SIDES if side in as_texts(axes["hidden"], 2, 1)),
        named=tuple(side for side in _SIDES if side in as_texts(axes["named"], 2, 1)),
    )


def _lines(value: object) -> tuple[LineFact, ...]:
    lines = claims(LineDescription, value, MAX_LINES)
    return tuple(LineFact(label=as_text(line["label"]), y=as_floats(line["y"], MAX_POINTS)) for line in lines)
