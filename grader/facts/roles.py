"""Find the model of a notebook that a role of the rubric means."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.facts.keras_names import bare_name, canonical_activation
from grader.facts.layers import layer_matches
from grader.facts.lineage import Lineage, descendants, predecessors
from grader.facts.metrics import metric_of
from grader.facts.presented import last_used, uses_of
from grader.facts.recognition import known_rows
from grader.facts.suitability import suitable_models
from grader.facts.tasks import last_classes, tasks_of
from grader.facts.weights import ancestor_of, reused_layers, trainings_of
from grader.schema.evidence import Evidence, FitFact, ModelFact, RowsFact
from grader.schema.grade import RoleMatch
from grader.schema.message import Message, MessageLike, say, say_count
from grader.schema.rubric import Role, Rubric

__all__ = ["describe_role", "lacks", "resolve_roles", "resolve_unnamed"]

_BETTER = 0.02
"""Difference between the last accuracies of two histories that counts as an improvement."""
_MOST_NAMED = 6
"""Models that a message names; further models are counted."""


@dataclass(frozen=True, slots=True)
class Lack:
    """A condition of a role that a model does not meet."""

    says: Message
    """A predicate of the model, such as "was never trained"."""
    unseen: bool = False
    """Whether the model may meet the condition, but the grader could not see it."""


def resolve_roles(rubric: Rubric, evidence: Evidence) -> dict[str, RoleMatch]:
    """Find the model of every role.

    Args:
        rubric: Its `roles` hold the conditions that a model must meet. Its `dataset` names the images on which
            accuracies are compared if a role has `pick: best`, which selects the most accurate model.
        evidence: The evidence of one execution, with accuracies if a role has `pick: best`.

    Returns:
        Role → match. If no model or several models match, `model` is None and `message` explains why.
    """
    matches: dict[str, RoleMatch] = {}
    lineage = Lineage(evidence)
    waiting = dict(rubric.roles)
    while waiting:
        # A role that reuses the model of another role needs that match first. Roles in a circle never get one.
        ready = [name for name, role in waiting.items() if role.reuses is None or role.reuses not in waiting]
        if not ready:
            circle = say("The roles {roles:code} reuse each other in a circle.", roles=list(waiting))
            matches |= {name: RoleMatch(role=name, message=circle) for name in waiting}
            break
        for name in ready:
            matches[name] = _resolve(name, waiting.pop(name), rubric, lineage, matches)
    return {name: matches[name] for name in rubric.roles}


def _resolve(name: str, role: Role, rubric: Rubric, lineage: Lineage, resolved: Mapping[str, RoleMatch]) -> RoleMatch:
    evidence = lineage.evidence
    if not evidence.models:
        return RoleMatch(role=name, message=say("No Keras model was created in this notebook."))
    missing: dict[str, tuple[Lack, ...]] = {}
    matching: list[ModelFact] = []
    matched: set[str] = set()
    has_origin = role.task is not None or role.reuses is not None or role.from_scratch is not None
    for model in evidence.models:
        # A model that was loaded from a matching model inherits its trainings.
        past = lineage.with_past(model.id, matched) if has_origin else evidence
        missing[model.id] = (*lacks(role, model, evidence), *_lacks_origin(role, model, rubric, past, resolved))
        if not missing[model.id]:
            matching.append(model)
            matched.add(model.id)
    candidates = tuple(model.id for model in matching)
    if not matching:
        unseen = any(all(lack.unseen for lack in lacking) for lacking in missing.values())
        other = None if unseen else _other_classes(name, role, rubric, evidence)
        reason = other or _no_match(name, role, _shown(evidence), missing)
        return RoleMatch(role=name, message=reason, unseen=unseen)
    picked, message = _pick(_Choice(name, role, rubric, lineage), matching)
    return RoleMatch(role=name, model=picked.id if picked else None, candidates=candidates, message=message)


def resolve_unnamed(rubric: Rubric, evidence: Evidence) -> RoleMatch:
    """Find the model of a criterion without a role: the only trained model, or one of several as by `last_trained`.

    Args:
        rubric: The rubric.
        evidence: The evidence of one execution.
    """
    if not evidence.models:
        return RoleMatch(role="", message=say("No Keras model was created in this notebook."))
    trained = {fit.model for fit in evidence.fits}
    models = [model for model in evidence.models if model.id in trained]
    if not models:
        return RoleMatch(role="", message=say("No model was trained in this notebook."))
    picked, message = _pick_trained(_Choice(None, Role(), rubric, Lineage(evidence)), models, last=True)
    ids = tuple(model.id for model in models)
    return RoleMatch(role="", model=picked.id if picked else None, candidates=ids, message=message)


def _shown(evidence: Evidence) -> Sequence[ModelFact]:
    """List the models that a message describes, without untrained copies of trained ones."""
    trained = {fit.model for fit in evidence.fits}
    copies = _copies(evidence.models, trained, evidence) - trained
    return [model for model in evidence.models if model.id not in copies]


def _no_match(name: str, role: Role, models: Sequence[ModelFact], missing: Mapping[str, tuple[Lack, ...]]) -> Message:
    described = [
        say(
            "{model:code} ({cell:cell}) {faults}",
            model=model.name,
            cell=model.cell,
            faults=[lack.says for lack in missing[model.id]],
        )
        for model in models[:_MOST_NAMED]
    ]
    if len(models) > _MOST_NAMED:
        more = say_count(
            "{count:number} more model does not match",
            "{count:number} more models do not match",
            len(models) - _MOST_NAMED,
        )
        described.append(more)
    return say(
        "No model matches the role {role:code}. Required: {conditions}. {models:clauses}.",
        role=name,
        conditions=describe_role(role),
        models=described,
    )


def _other_classes(name: str, role: Role, rubric: Rubric, evidence: Evidence) -> Message | None:
    """Explain that no model was last trained on the task of a role, if other classes of its data set were used."""
    if role.task is None or any(
        role.task in tasks_of(fits[-1], rubric) for model in evidence.models if (fits := evidence.fits_of(model.id))
    ):
        return None
    classes = ((model, last_classes(evidence, model.id)) for model in evidence.models)
    described = [
        say(
            "{model:code} ({cell:cell}) was last trained on {classes:number}",
            model=model.name,
            cell=model.cell,
            classes=seen,
        )
        for model, seen in classes
        if seen
    ]
    if not described:
        return None
    return say(
        "No model matches the role {role:code}. The images of the task {task:code} are classes {classes:number}; "
        "{models:clauses}.",
        role=name,
        task=role.task,
        classes=rubric.tasks[role.task].classes,
        models=described[:_MOST_NAMED],
    )


def lacks(role: Role, model: ModelFact, evidence: Evidence) -> Iterator[Lack]:
    """List the conditions of a role that a model misses, as predicates of the model; none if it matches."""
    for cls in _each(role.has_layer):
        if not _has_layer(model, cls):
            yield Lack(say("has no {layer:code} layer", layer=bare_name(cls)))
    for cls in _each(role.lacks_layer):
        if _has_layer(model, cls):
            yield Lack(say("has a layer of the class {layer:code}", layer=bare_name(cls)))
    if role.activation is not None and canonical_activation(role.activation) not in _hidden_activations(model):
        activation = bare_name(role.activation)
        yield Lack(say("has no hidden layer with the activation {activation:code}", activation=activation))
    if role.inputs is not None and model.input_shape != role.inputs:
        yield Lack(_wrong_inputs(model.input_shape, role.inputs), unseen=model.input_shape is None)
    if role.outputs is not None:
        outputs = [shape[-1] for shape in model.output_shapes if shape]
        if role.outputs not in outputs:
            yield Lack(
                _wrong_outputs(outputs[-1] if outputs else None, role.outputs),
                unseen=not outputs or outputs[-1] is None,
            )
    if role.name is not None and model.name != role.name:
        yield Lack(say("is not named {name:code}", name=role.name))
    yield from _lacks_training(role, model, evidence)


def _has_layer(model: ModelFact, name: str) -> bool:
    """Whether a model has a layer of a class, by any of its names, or of a family."""
    return any(layer.cls == name or layer_matches(layer, name) for layer in model.counted_layers())


def _wrong_inputs(shape: Sequence[int | None] | None, required: Sequence[int | None]) -> Message:
    if shape is None:
        return say("takes inputs of an unknown shape, not {required:shape}", required=required)
    return say("takes inputs of shape {shape:shape}, not {required:shape}", shape=shape, required=required)


def _wrong_outputs(outputs: int | None, required: int) -> Message:
    if outputs is None:
        return say("has an unknown number of outputs, not {required:number}", required=required)
    return say_count(
        "has {count:number} output, not {required:number}",
        "has {count:number} outputs, not {required:number}",
        outputs,
        required=required,
    )


def _hidden_activations(model: ModelFact) -> set[str]:
    """Collect the activations before the last layer, from settings, operations and activation layers."""
    layers = list(model.flat_layers())
    while layers and layers[-1].operation is not None:
        layers.pop()
    activations = set()
    for layer in layers[:-1]:
        value = layer.config.get("activation", layer.operation or layer.cls)
        if isinstance(value, Mapping):
            value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
        if isinstance(value, str):
            activations.add(canonical_activation(value))
    return activations


def _lacks_training(role: Role, model: ModelFact, evidence: Evidence) -> Iterator[Lack]:
    fits = evidence.fits_of(model.id)
    if role.trained is True and not trainings_of(evidence, model.id):
        yield Lack(say("was never trained"))
    if role.trained is False and fits:
        yield Lack(say("was trained in {cell:cell}", cell=fits[0].cell))
    if role.data is not None:
        # A custom loop passes its batches to the model in direct calls.
        calls = [call.x for call in evidence.calls if call.model == model.id and call.training] if fits else []
        rows = [x.rows for x in (*(fit.x for fit in fits), *calls) if x is not None and x.rows is not None]
        if not any(_holds(row, role.data) for row in rows):
            datasets = tuple(dict.fromkeys(row.dataset for row in rows))
            yield Lack(
                _wrong_data(datasets, _named_data(role.data), trained=bool(fits)), unseen=bool(fits) and not datasets
            )


def _wrong_data(datasets: tuple[str, ...], required: Message, *, trained: bool) -> Message:
    if not trained:
        return say("was not trained on {required}", required=required)
    if not datasets:
        return say("was trained on data that the grader does not recognize, not on {required}", required=required)
    return say("was trained on {datasets:dataset}, not on {required}", datasets=datasets, required=required)


def _named_data(data: str) -> Message:
    """Name a data set (`mnist`) or one of its splits (`mnist/train`)."""
    dataset, _, split = data.partition("/")
    if not split:
        return say("{dataset:dataset}", dataset=dataset)
    return say("{split:split} images of {dataset:dataset}", split=split, dataset=dataset)


def _lacks_origin(
    role: Role, model: ModelFact, rubric: Rubric, evidence: Evidence, resolved: Mapping[str, RoleMatch]
) -> Iterator[Lack]:
    """List the conditions on the last task and on the origin of the weights that a model misses."""
    if role.task is not None:
        yield from _lacks_task(role.task, evidence.fits_of(model.id), rubric)
    if role.reuses is None and role.from_scratch is None:
        return
    reused = reused_layers(evidence, model.id)
    if role.from_scratch is True and reused:
        yield Lack(say("started from trained weights (layer {layer:code})", layer=reused[0].layer))
    if role.from_scratch is False and not reused:
        yield Lack(say("started from new weights only"))
    if role.reuses is not None:
        source = resolved[role.reuses].model
        sources = None
        if source is not None:
            stages = predecessors(evidence, source, resolved[role.reuses].candidates)
            sources = {source, ancestor_of(evidence, source), *stages}
        # If no model has the role of the source, accept weights of any other model: that mistake is reported for the
        # role of the source, and must not also cost the points for this model.
        if not any(reuse.source is not None and (sources is None or reuse.source in sources) for reuse in reused):
            if _origin_unseen(evidence, model.id):
                yield Lack(say("has weights whose origin the grader could not see"), unseen=True)
            else:
                yield Lack(say("has no weights that the model {role:code} learned", role=role.reuses))


def _origin_unseen(evidence: Evidence, model: str) -> bool:
    """Whether the weights of a model's first training, or those after a training of another model, are unknown."""
    fits = evidence.fits_of(model)
    others = [fit for fit in evidence.fits if fit.model != model and fits and fit.event < fits[0].event]
    return any(not fit.digests_before for fit in fits[:1]) or any(
        fit.digests_before and not fit.digests_after for fit in others
    )


def _lacks_task(task: str, fits: Sequence[FitFact], rubric: Rubric) -> Iterator[Lack]:
    tasks = tuple(tasks_of(fit, rubric) for fit in fits)
    if not tasks:
        yield Lack(say("was not trained on the task {task:code}", task=task))
    elif not tasks[-1] and known_rows(fits[-1].x) is None:
        yield Lack(
            say(
                "was last trained on images that the grader does not recognize, not on the task {task:code}", task=task
            ),
            unseen=True,
        )
    elif not tasks[-1]:
        yield Lack(say("was last trained on images of no task, not on the task {task:code}", task=task))
    elif task not in tasks[-1]:
        yield Lack(
            say("was last trained on {tasks:code}, not on the task {task:code}", tasks=list(tasks[-1]), task=task)
        )


def _holds(rows: RowsFact, data: str) -> bool:
    """Whether rows come from a data set (`mnist`) or from one of its splits (`mnist/train`)."""
    dataset, _, split = data.partition("/")
    return rows.dataset == dataset and (not split or rows.counts.get(split, 0) > 0)


def _each(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()


@dataclass(frozen=True, slots=True)
class _Choice:
    """A choice among the models that match a role.

    Attributes:
        name: The role; None for criteria without a role.
        role: Its conditions.
        rubric: The rubric.
        lineage: The models with their evidence.
    """

    name: str | None
    role: Role
    rubric: Rubric
    lineage: Lineage

    @property
    def evidence(self) -> Evidence:
        """The evidence of the execution."""
        return self.lineage.evidence


def _pick(choice: _Choice, matching: Sequence[ModelFact]) -> tuple[ModelFact | None, MessageLike]:
    pick = choice.role.pick
    if pick == "only":
        return _pick_only(choice, matching)
    if pick in {"first_trained", "last_trained"}:
        return _pick_trained(choice, matching, last=pick == "last_trained")
    matching = suitable_models(matching, choice.name, choice.rubric, choice.evidence)
    if pick in {"first", "last"}:
        return matching[0 if pick == "first" else -1], ""
    if pick == "best":
        return _pick_best(choice, matching)
    return _pick_sized(choice, matching, smallest=pick == "smallest")


def _pick_only(choice: _Choice, matching: Sequence[ModelFact]) -> tuple[ModelFact | None, MessageLike]:
    """Pick the only model; among several, prefer a trained model, then the model reused, then the model used last."""
    evidence = choice.evidence
    works = _works(matching, choice.lineage)
    if len(works) > 1:
        works = suitable_models(works, choice.name, choice.rubric, evidence)
    if len(works) > 1:
        works = [model for model in works if evidence.fits_of(model.id)] or works
    if len(works) == 1:
        return works[0], ""
    models = {model.id: model for model in works}
    settled = _last_reused(choice, models) or last_used(uses_of(evidence, models))
    if settled is not None:
        return models[settled], ""
    return None, say_count(
        "{count:number} model matches the role {role:code}: {models}.",
        "{count:number} models match the role {role:code}, which means a single model: {models}.",
        len(works),
        role=choice.name or "",
        models=_named(works),
    )


def _last_reused(choice: _Choice, models: Mapping[str, ModelFact]) -> str | None:
    """Find the model whose learned weights another model started with, if a role must reuse the weights of this role.

    Args:
        choice: The role.
        models: The models that match it.

    Returns:
        The id of the model that was reused last; None if none was.
    """
    if all(role.reuses != choice.name for role in choice.rubric.roles.values()):
        return None
    evidence = choice.evidence
    trained = dict.fromkeys(fit.model for fit in evidence.fits if fit.model not in models)
    reuses = [
        (reuse.fit, source)
        for model in trained
        for reuse in reused_layers(evidence, model)
        if (source := reuse.source) is not None and source in models
    ]
    return max(reuses, key=lambda pair: pair[0])[1] if reuses else None


def _works(matching: Sequence[ModelFact], lineage: Lineage) -> Sequence[ModelFact]:
    """Drop models that are an earlier stage of another model or an untrained copy of a trained one."""
    evidence = lineage.evidence
    ids = {model.id for model in matching}
    earlier = {stage for model in matching for stage in lineage.predecessors(model.id, ids)}
    trained = {fit.model for fit in evidence.fits} & ids
    earlier |= {model.formerly for model in matching if model.id in trained and model.formerly is not None}
    copies = _copies(matching, trained, evidence) - trained
    others = earlier | copies
    return [model for model in matching if model.id not in others]


def _copies(matching: Sequence[ModelFact], trained: set[str], evidence: Evidence) -> set[str]:
    """Find models that share layers with a trained model, such as one that keeps dropout on, or descend from it."""
    holding = {model.id for model in matching if not trained.isdisjoint(model.shares_layers_with)}
    held = {other for model in matching if model.id in trained for other in model.shares_layers_with}
    return holding | held | descendants(evidence, trained)


def _pick_trained(
    choice: _Choice, matching: Sequence[ModelFact], *, last: bool
) -> tuple[ModelFact | None, MessageLike]:
    """Pick the model that was trained first or last, among those that fit the task.

    The model trained last can be an experiment after the model that the notebook presents. Therefore, a model that is
    used after the last training is preferred, and a model that was used before it is preferred if it is better.
    """
    evidence = choice.evidence
    trained = {fit.model for fit in evidence.fits}
    models = [model for model in matching if model.id in trained]
    if not models:
        # The structure can still be judged; checks of a training report that there was none.
        return suitable_models(matching, choice.name, choice.rubric, evidence)[-1 if last else 0], ""
    known = {model.id: model for model in suitable_models(models, choice.name, choice.rubric, evidence)}
    fits = sorted((fit for fit in evidence.fits if fit.model in known), key=lambda fit: fit.event)
    picked = known[fits[-1 if last else 0].model]
    if not last or len(known) == 1:
        return picked, ""
    uses = uses_of(evidence, known)
    later = [use for use in uses if use.event > fits[-1].event]
    presented = known.get(last_used(later or uses) or picked.id, picked)
    if presented is picked or later:
        return presented, ""
    better = _is_better(choice, presented, picked)
    if better is None:
        return None, say(
            "It is unclear which model is meant: {last:code} ({last_cell:cell}) was trained last, but the notebook "
            "uses only {used:code} ({used_cell:cell}).",
            last=picked.name,
            last_cell=picked.cell,
            used=presented.name,
            used_cell=presented.cell,
        )
    return (presented if better else picked), ""


def _is_better(choice: _Choice, one: ModelFact, other: ModelFact) -> bool | None:
    """Whether a model is clearly more accurate than another; None if the accuracy of one of them is unknown."""
    evidence, dataset, task = choice.evidence, choice.rubric.dataset, choice.role.task
    if task is not None:
        dataset = choice.rubric.task_dataset(task)
    ours, theirs = (evidence.accuracy(model.id, dataset, "test", task) for model in (one, other))
    if ours is not None and theirs is not None:
        return ours.low > theirs.high
    for metric in ("val_accuracy", "accuracy"):
        last = [metric_of(evidence.fits_of(model.id)[-1], metric)[-1:] for model in (one, other)]
        if all(last):
            return last[0][0] > last[1][0] + _BETTER
    return None


def _pick_best(choice: _Choice, matching: Sequence[ModelFact]) -> tuple[ModelFact | None, MessageLike]:
    """Pick the most accurate model on the rubric's test images; prefer verified accuracies to recorded ones."""
    if len(matching) == 1:
        return matching[0], ""
    accuracies = [(model, choice.evidence.accuracy(model.id, choice.rubric.dataset, "test")) for model in matching]
    comparable = [(model, fact) for model, fact in accuracies if fact is not None]
    if not comparable:
        return None, say(
            "No model that matches the role {role:code} has a known test accuracy: {models}.",
            role=choice.name or "",
            models=_named(matching),
        )
    return max(comparable, key=lambda pair: (pair[1].assurance == "verified", pair[1].value))[0], ""


def _pick_sized(
    choice: _Choice, matching: Sequence[ModelFact], *, smallest: bool
) -> tuple[ModelFact | None, MessageLike]:
    sized = [(model.parameters, model) for model in matching if model.parameters is not None]
    if not sized:
        return None, say(
            "No model that matches the role {role:code} has weights yet: {models}.",
            role=choice.name or "",
            models=_named(matching),
        )
    choose = min if smallest else max
    return choose(sized, key=lambda pair: pair[0])[1], ""


def _named(models: Iterable[ModelFact]) -> list[Message]:
    """Name models with their cells, at most six of them."""
    names = [say("{model:code} ({cell:cell})", model=model.name, cell=model.cell) for model in models]
    if len(names) <= _MOST_NAMED:
        return names
    return [*names[:_MOST_NAMED], say("{count:number} more", count=len(names) - _MOST_NAMED)]


def describe_role(role: Role) -> Message:
    """List the conditions of a role."""
    conditions = list(_conditions(role))
    return say("{conditions:list}", conditions=conditions) if conditions else say("any model")


def _conditions(role: Role) -> Iterator[Message]:
    for cls in _each(role.has_layer):
        yield say("a {layer:code} layer", layer=bare_name(cls))
    for cls in _each(role.lacks_layer):
        yield say("no {layer:code} layer", layer=bare_name(cls))
    if role.activation is not None:
        yield say("the activation {activation:code} in a hidden layer", activation=bare_name(role.activation))
    if role.inputs is not None:
        yield say("inputs of shape {shape:shape}", shape=role.inputs)
    if role.outputs is not None:
        yield say_count("{count:number} output", "{count:number} outputs", role.outputs)
    if role.name is not None:
        yield say("the name {name:code}", name=role.name)
    yield from _training_conditions(role)


def _training_conditions(role: Role) -> Iterator[Message]:
    if role.data is not None:
        yield say("a training on {data}", data=_named_data(role.data))
    if role.task is not None:
        yield say("a last training on the task {task:code}", task=role.task)
    if role.reuses is not None:
        yield say("weights that the model {role:code} learned", role=role.reuses)
    if role.from_scratch is True:
        yield say("a start from new weights")
    if role.from_scratch is False:
        yield say("a start from trained weights")
    if role.trained is True:
        yield say("a training")
    if role.trained is False:
        yield say("no training")
