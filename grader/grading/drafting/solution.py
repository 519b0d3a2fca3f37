"""Read from evidence what a rubric names: the data set, the tasks, and the models with their roles."""

import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from grader.facts.keras_names import unknown_activation
from grader.facts.layers import GROUPS, own_activation
from grader.facts.lineage import Lineage
from grader.facts.recognition import known_rows
from grader.facts.roles import resolve_roles
from grader.facts.suitability import CLASSES
from grader.facts.tasks import last_classes
from grader.facts.weights import reused_layers
from grader.grading.drafting.base import Solution, Subject, name_cell, slug
from grader.schema.base import Json
from grader.schema.evidence import Evidence, ModelFact
from grader.schema.rubric import Rubric, TaskSettings

__all__ = ["read_solution"]

_MOST_SUBJECTS = 6
_MOST_TASKS = 6
_SHORTEST_NAME = 3
_LAYERS = (
    *("any_convolution", "BatchNormalization", "LayerNormalization", "AlphaDropout", "Dropout", "GaussianDropout"),
    *("SpatialDropout2D", "SeparableConv2D", "DepthwiseConv2D", "Conv2DTranspose", "GlobalAveragePooling2D"),
    *("Add", "Concatenate", "LSTM", "GRU", "MultiHeadAttention"),
)
"""Layers that may distinguish two models."""
_TELLING = frozenset({"elu", "gelu", "leaky_relu", "mish", "relu", "selu", "sigmoid", "silu", "tanh"})
"""Activations that may distinguish two models."""
_PICKS = ("last_trained", "first_trained", "only", "largest", "smallest")
_NAMES: Mapping[Json, str] = {
    "AlphaDropout": "alpha",
    "BatchNormalization": "normalised",
    "Dropout": "dropping",
    "LSTM": "recurrent",
    "GRU": "recurrent",
    "any_convolution": "cnn",
}
_ANY_NAME = frozenset({"model", "net", "network", "clf", "nn", "sequential", "functional", "keras", "loaded", "copy"})
"""Variables whose name says nothing about the model."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*")

_Atom = tuple[str, Json]
"""A property of a model that a role can require: key and value."""


def read_solution(evidence: Evidence, dataset: str = "") -> Solution:
    """Find the data set, the tasks and the models of a solution.

    Args:
        evidence: The evidence of its execution.
        dataset: The data set that models are judged on; by default the one with the most training images.
    """
    chosen = dataset or _dataset(evidence)
    loaded = dict.fromkeys(fact.dataset for fact in evidence.datasets if fact.served and _may_be_named(fact.dataset))
    others = tuple(name for name in loaded if name != chosen)
    trained = {rows.dataset for fit in evidence.fits if (rows := known_rows(fit.x)) is not None}
    trained |= {fact.dataset for fact in evidence.accuracies}
    solution = Solution(
        evidence=evidence,
        dataset=chosen,
        classes=_classes(evidence, chosen),
        others=others,
        only_prepared=tuple(name for name in others if name not in trained),
    )
    solution = replace(solution, tasks=_tasks(solution))
    return replace(solution, subjects=tuple(_subjects(solution)))


def _may_be_named(dataset: str) -> bool:
    """Whether a rubric can name a data set."""
    return _SLUG.fullmatch(dataset) is not None


def _dataset(evidence: Evidence) -> str:
    counts: Counter[str] = Counter()
    for fit in evidence.fits:
        rows = known_rows(fit.x)
        if rows is not None:
            counts[rows.dataset] += sum(rows.counts.values())
    for fact in evidence.accuracies:
        counts[fact.dataset] += 1
    named = [name for name, _ in counts.most_common() if _may_be_named(name)]
    loaded = [fact.dataset for fact in evidence.datasets if fact.served and _may_be_named(fact.dataset)]
    return next(iter((*named, *loaded)), "")


def _classes(evidence: Evidence, dataset: str) -> int | None:
    seen = [len(rows.classes) for fit in evidence.fits if (rows := known_rows(fit.x)) and rows.dataset == dataset]
    return CLASSES.get(dataset) or max(seen, default=0) or None


# ---------------------------------------------------------------------------------------------------------------------
# Tasks


def _tasks(solution: Solution) -> dict[str, TaskSettings]:
    """Find parts of the data set that models were trained on, with the names that accuracies have for them."""
    evidence, tasks = solution.evidence, dict[str, TaskSettings]()
    for model in evidence.models:
        classes = _part(model, solution)
        if not classes or len(tasks) >= _MOST_TASKS or any(task.classes == classes for task in tasks.values()):
            continue
        facts = (fact for fact in evidence.accuracies if fact.model == model.id and fact.task is not None)
        named = next((fact.task for fact in facts if fact.task not in tasks), None)
        taken = {*tasks, *(fact.task for fact in evidence.accuracies)}
        free = next(letter for letter in string.ascii_lowercase if letter not in taken)
        pair = len(classes) == 2  # noqa: PLR2004 - two classes need only one output
        tasks[named or free] = TaskSettings(classes=classes, binary=pair)
    return dict(sorted(tasks.items()))


def _part(model: ModelFact, solution: Solution) -> tuple[int, ...]:
    """Return the classes that a model was last trained on, if they are a part of the data set's classes."""
    fits = solution.evidence.fits_of(model.id)
    rows = known_rows(fits[-1].x) if fits else None
    if rows is None or rows.dataset != solution.dataset or solution.classes is None:
        return ()
    classes = last_classes(solution.evidence, model.id)
    return classes if 1 < len(classes) < solution.classes and max(classes) < solution.classes else ()


# ---------------------------------------------------------------------------------------------------------------------
# Roles


def _subjects(solution: Solution) -> Iterator[Subject]:
    """Choose the models that get a role, and the conditions that distinguish them."""
    groups = _groups(solution)
    names: dict[str, str] = {}
    chosen: list[Subject] = []
    for model, atoms in groups:
        conditions = _distinguishing(atoms, [other for one, other in groups if one is not model])
        name = _name(model, conditions, names.values(), alone=len(groups) == 1)
        names[model.id] = name
        chosen.append(
            Subject(
                role=name,
                model=model,
                conditions=conditions,
                seen=_described(model),
                fits=solution.evidence.fits_of(model.id),
                task=next((str(value) for key, value in atoms if key == "task"), None),
            )
        )
    resolved = (_resolved(subject, chosen, solution) for subject in chosen)
    subjects = [subject for subject in resolved if subject is not None]
    if subjects:
        main = _main(subjects, solution)
        yield main
        yield from (subject for subject in subjects if subject is not main)


def _groups(solution: Solution) -> list[tuple[ModelFact, frozenset[_Atom]]]:
    """Group trained models that roles cannot distinguish, and take the last model of each group."""
    evidence, lineage = solution.evidence, Lineage(solution.evidence)
    trained = [model for model in evidence.models if evidence.fits_of(model.id)]
    ids = {model.id for model in trained}
    earlier = {stage for model in trained for stage in lineage.predecessors(model.id, ids)}
    works = [model for model in trained if model.id not in earlier] or trained
    works.sort(key=lambda model: evidence.fits_of(model.id)[-1].event)
    reuses = {model.id for model in works if reused_layers(evidence, model.id)}
    groups: dict[frozenset[_Atom], ModelFact] = {}
    for model in works:
        atoms = frozenset(_atoms(model, solution, from_scratch=None if not reuses else model.id not in reuses))
        groups.pop(atoms, None)
        groups[atoms] = model
    return [(model, atoms) for atoms, model in groups.items()][-_MOST_SUBJECTS:]


def _atoms(model: ModelFact, solution: Solution, *, from_scratch: bool | None) -> Iterator[_Atom]:
    """List the properties of a model that a role can require."""
    part = _part(model, solution)
    yield from (("task", name) for name, task in solution.tasks.items() if task.classes == part)
    if from_scratch is not None:
        yield "from_scratch", from_scratch
    classes = {layer.cls for layer in model.counted_layers()}
    for name in _LAYERS:
        if classes & GROUPS.get(name, frozenset({name})):
            yield "has_layer", name
    hidden = [own_activation(layer) for layer in model.flat_layers()][:-1]
    for activation in sorted({name for name in hidden if name in _TELLING and not unknown_activation(name)}):
        yield "activation", activation
    if model.output_shape and model.output_shape[-1]:
        yield "outputs", model.output_shape[-1]


_PREFERRED = ("task", "from_scratch", "has_layer", "activation", "outputs", "lacks_layer")


def _distinguishing(atoms: frozenset[_Atom], others: Sequence[frozenset[_Atom]]) -> dict[str, Json]:
    """Choose few conditions that only one group of models meets."""
    choices = [atom for atom in atoms if atom[0] != "task"]
    absent = {atom for other in others for atom in other if atom[0] == "has_layer"} - atoms
    choices += [("lacks_layer", value) for _, value in absent]
    choices.sort(key=lambda atom: (_PREFERRED.index(atom[0]), str(atom[1])))
    # A role with a task says more about its purpose than one with a layer.
    chosen = [atom for atom in atoms if atom[0] == "task"][:1]
    left = [other for other in others if not any(_excludes(atom, other) for atom in chosen)]
    while left and choices:
        best = max(choices, key=lambda atom: sum(_excludes(atom, other) for other in left))
        remaining = [other for other in left if not _excludes(best, other)]
        choices.remove(best)
        if len(remaining) == len(left):
            break
        # A second activation or number of outputs would replace the first condition.
        if best[0] not in {"has_layer", "lacks_layer"}:
            choices = [atom for atom in choices if atom[0] != best[0]]
        chosen.append(best)
        left = remaining
    return _conditions(chosen)


def _excludes(atom: _Atom, other: frozenset[_Atom]) -> bool:
    key, value = atom
    return ("has_layer", value) in other if key == "lacks_layer" else atom not in other


def _conditions(chosen: Iterable[_Atom]) -> dict[str, Json]:
    conditions: dict[str, Json] = {}
    for key, value in sorted(chosen, key=lambda atom: _PREFERRED.index(atom[0])):
        if key in conditions:
            present = conditions[key]
            conditions[key] = [*(present if isinstance(present, list) else [present]), value]
        else:
            conditions[key] = value
    return conditions


def _name(model: ModelFact, conditions: Mapping[str, Json], taken: Iterable[str], *, alone: bool) -> str:
    own = slug(model.name)
    stem = own.rstrip("0123456789-")
    if alone:
        name = "network"
    elif len(stem) >= _SHORTEST_NAME and stem.partition("-")[0] not in _ANY_NAME:
        name = own
    else:
        name = _name_of(model, conditions)
    used = set(taken)
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 99))) if one not in used)


def _name_of(model: ModelFact, conditions: Mapping[str, Json]) -> str:
    if "from_scratch" in conditions:
        return "scratch" if conditions["from_scratch"] else "transferred"
    if "task" in conditions:
        return f"task-{conditions['task']}"
    layers = conditions.get("has_layer", ())
    for layer in layers if isinstance(layers, list) else [layers]:
        if isinstance(layer, str) and layer in _NAMES:
            return _NAMES[layer]
    if isinstance(conditions.get("activation"), str):
        return slug(conditions["activation"])
    convolves = any(layer.cls in GROUPS["any_convolution"] for layer in model.counted_layers())
    return "cnn" if convolves else "mlp"


def _described(model: ModelFact) -> str:
    size = "" if model.parameters is None else f", {model.parameters:,} parameters"
    return f"{name_cell(model.cell)}: `{_plain(model.name)}`{size}"


def _plain(text: str) -> str:
    """Return a name on one line, for a comment."""
    return " ".join(text.split())[:40]


def _resolved(subject: Subject, subjects: Sequence[Subject], solution: Solution) -> Subject | None:
    """Add the choice among several matching models with which the role selects its model; None if none does."""
    for conditions in (_with_source(subject, subjects, solution), subject.conditions):
        for pick in _PICKS:
            complete = dict(conditions) if pick == "only" else {**conditions, "pick": pick}
            candidate = replace(subject, conditions=complete)
            if _selects(candidate, subjects, solution):
                return candidate
    named = replace(subject, conditions={"name": subject.model.name, "pick": "last_trained"})
    return named if _selects(named, subjects, solution) else None


def _selects(candidate: Subject, subjects: Sequence[Subject], solution: Solution) -> bool:
    roles = {one.role: dict(one.conditions) for one in subjects} | {candidate.role: dict(candidate.conditions)}
    rubric = Rubric.model_validate(
        {
            "version": 1,
            "id": "draft",
            "title": "draft",
            **({"dataset": solution.dataset} if solution.dataset else {}),
            "tasks": solution.tasks,
            "roles": roles,
            "criteria": [{"id": "runs", "points": 1, "check": "runs"}],
        }
    )
    return resolve_roles(rubric, solution.evidence)[candidate.role].model == candidate.model.id


def _with_source(subject: Subject, subjects: Sequence[Subject], solution: Solution) -> Mapping[str, Json]:
    """Name the role whose weights a model reuses, instead of only requiring that it reuses some."""
    if subject.conditions.get("from_scratch") is not False:
        return subject.conditions
    source = source_of(subject, subjects, solution)
    if source is None or source.conditions.get("from_scratch") is False or "reuses" in source.conditions:
        return subject.conditions
    return {"reuses" if key == "from_scratch" else key: _value(key, value, source) for key, value in _items(subject)}


def _items(subject: Subject) -> Iterable[tuple[str, Json]]:
    return subject.conditions.items()


def _value(key: str, value: Json, source: Subject) -> Json:
    return source.role if key == "from_scratch" else value


def source_of(subject: Subject, subjects: Sequence[Subject], solution: Solution) -> Subject | None:
    """Find the model with a role whose weights a model started with."""
    evidence = solution.evidence
    sources = {reuse.source for reuse in reused_layers(evidence, subject.model.id)}
    lineage = Lineage(evidence)
    ids = {model.id for model in evidence.models}
    for other in subjects:
        if other.model.id != subject.model.id and sources & {
            other.model.id,
            *lineage.predecessors(other.model.id, ids),
        }:
            return other
    return None


def _main(subjects: Sequence[Subject], solution: Solution) -> Subject:
    """Prefer the model that reuses another, else the model trained last whose accuracy is known."""
    transferred = [one for one in subjects if source_of(one, subjects, solution) is not None]
    known = [one for one in subjects if solution.accuracy(one) is not None]
    return (transferred or known or list(subjects))[-1]
