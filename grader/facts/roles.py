"""Which of a notebook's models a rubric's role means."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from grader.facts.lineage import Lineage, descendants, predecessors
from grader.facts.tasks import tasks_of
from grader.facts.weights import ancestor_of, reused_layers
from grader.facts.wording import code_shape
from grader.schema.base import spoken_cell
from grader.schema.evidence import Evidence, ModelFact, RowsFact
from grader.schema.grade import RoleMatch
from grader.schema.rubric import Role, Rubric

__all__ = ["describe_role", "lacks", "resolve_roles"]

_MOST_NAMED = 6
"""Models a message names; more are counted."""


def resolve_roles(rubric: Rubric, evidence: Evidence) -> dict[str, RoleMatch]:
    """Find the model of every role.

    Args:
        rubric: Its `roles` say which model is meant; its `dataset` is the one `pick: best` compares accuracies on.
        evidence: With accuracies, if `best` is to have something to compare.

    Returns:
        Role → match; where no model or several are possible, `model` is None and `message` tells the student why.
    """
    found: dict[str, RoleMatch] = {}
    lineage = Lineage(evidence)
    waiting = dict(rubric.roles)
    while waiting:
        # A role that reuses another one's network is found after that one; a circle of them never is.
        ready = [name for name, role in waiting.items() if role.reuses is None or role.reuses not in waiting]
        if not ready:
            circle = " and ".join(f"`{name}`" for name in waiting)
            found |= {name: RoleMatch(role=name, message=f"{circle} reuse each other in a circle") for name in waiting}
            break
        for name in ready:
            found[name] = _resolve(name, waiting.pop(name), rubric, lineage, found)
    return {name: found[name] for name in rubric.roles}


def _resolve(name: str, role: Role, rubric: Rubric, lineage: Lineage, known: Mapping[str, RoleMatch]) -> RoleMatch:
    evidence = lineage.evidence
    if not evidence.models:
        return RoleMatch(role=name, message="no Keras network was made in this notebook")
    dataset = rubric.dataset
    missing: dict[str, tuple[str, ...]] = {}
    matching: list[ModelFact] = []
    matched: set[str] = set()
    has_origin = role.task is not None or role.reuses is not None or role.from_scratch is not None
    for model in evidence.models:
        # What one that matches was taught belongs to the one that was loaded from it and trained further.
        past = lineage.with_past(model.id, matched) if has_origin else evidence
        missing[model.id] = (*lacks(role, model, evidence), *_lacks_origin(role, model, rubric, past, known))
        if not missing[model.id]:
            matching.append(model)
            matched.add(model.id)
    candidates = tuple(model.id for model in matching)
    if not matching:
        wanted = describe_role(role)
        seen = _named(evidence.models, lambda model: " and ".join(missing[model.id]))
        return RoleMatch(role=name, message=f"no network is the `{name}` that is meant ({wanted}): {seen}")
    picked, message = _pick(name, role, matching, dataset, lineage)
    return RoleMatch(role=name, model=picked.id if picked else None, candidates=candidates, message=message)


def lacks(role: Role, model: ModelFact, evidence: Evidence) -> Iterator[str]:
    """What a model lacks to fill a role, in words that follow its name; nothing when it matches."""
    classes = {layer.cls for layer in model.counted_layers()}
    for cls in _each(role.has_layer):
        if cls not in classes:
            yield f"has no {cls} layer"
    for cls in _each(role.lacks_layer):
        if cls in classes:
            yield f"has a {cls} layer"
    if role.activation is not None and role.activation not in _hidden_activations(model):
        yield f"has no hidden {role.activation}"
    if role.inputs is not None and model.input_shape != role.inputs:
        yield f"takes {_spoken_inputs(model.input_shape)} instead of {_spoken_inputs(role.inputs)}"
    if role.outputs is not None:
        outputs = model.output_shape[-1] if model.output_shape else None
        if outputs != role.outputs:
            yield f"has {_spoken_outputs(outputs)} instead of {role.outputs}"
    if role.name is not None and model.name != role.name:
        yield f"is not called `{role.name}`"
    yield from _lacks_training(role, model, evidence)


def _hidden_activations(model: ModelFact) -> set[str]:
    """Names of the activations that layers before the last one apply, by setting or on their own."""
    layers = list(model.flat_layers())
    while layers and layers[-1].operation is not None:
        layers.pop()
    found = set()
    for layer in layers[:-1]:
        value = layer.config.get("activation", layer.operation or layer.cls)
        if isinstance(value, Mapping):
            value = value.get("config") if value.get("class_name") == "function" else value.get("class_name")
        if isinstance(value, str):
            found.add(value.lower())
    return found


def _lacks_training(role: Role, model: ModelFact, evidence: Evidence) -> Iterator[str]:
    fits = evidence.fits_of(model.id)
    if role.trained is True and not fits:
        yield "was never trained"
    if role.trained is False and fits:
        yield f"was trained (in {spoken_cell(fits[0].cell)})"
    if role.data is not None:
        # A loop of the student's own hands its batches over in direct calls.
        calls = [call.x for call in evidence.calls if call.model == model.id and call.training] if fits else []
        rows = [x.rows for x in (*(fit.x for fit in fits), *calls) if x is not None and x.rows is not None]
        if not any(_holds(row, role.data) for row in rows):
            others = ", ".join(dict.fromkeys(row.dataset for row in rows))
            seen = f"on {others}" if others else "on data that was not recognised" if fits else "never"
            yield f"was trained {seen}, not on {role.data}" if fits else f"was not trained on {role.data}"


def _lacks_origin(
    role: Role, model: ModelFact, rubric: Rubric, evidence: Evidence, known: Mapping[str, RoleMatch]
) -> Iterator[str]:
    """What a model lacks of the task it is to be trained on, and of the network its weights are to come from."""
    if role.task is not None:
        on = tuple(tasks_of(fit, rubric) for fit in evidence.fits_of(model.id))
        if not on:
            yield f"was not trained on the task `{role.task}`"
        elif role.task not in on[-1]:
            others = ", ".join(f"`{task}`" for task in on[-1])
            yield f"was last trained on {f'the task {others}' if others else 'no task'}, not on `{role.task}`"
    if role.reuses is None and role.from_scratch is None:
        return
    reused = reused_layers(evidence, model.id)
    if role.from_scratch is True and reused:
        yield f"began with weights that were learned before (layer `{reused[0].layer}`)"
    if role.from_scratch is False and not reused:
        yield "began with fresh weights alone"
    if role.reuses is not None:
        source = known[role.reuses].model
        sources = None
        if source is not None:
            stages = predecessors(evidence, source, known[role.reuses].candidates)
            sources = {source, ancestor_of(evidence, source), *stages}
        # Where no network is the source that is meant, which is a mistake of its own, any other network's weights do:
        # one mistake does not hide all that was done with this network.
        if not any(reuse.source is not None and (sources is None or reuse.source in sources) for reuse in reused):
            yield f"has no weights that the `{role.reuses}` had learned"


def _holds(rows: RowsFact, data: str) -> bool:
    """Whether rows are of a data set (`mnist`) or of one of its splits (`mnist/train`)."""
    dataset, _, split = data.partition("/")
    return rows.dataset == dataset and (not split or rows.counts.get(split, 0) > 0)


def _each(given: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given or ()


def _pick(
    name: str, role: Role, matching: Sequence[ModelFact], dataset: str, lineage: Lineage
) -> tuple[ModelFact | None, str]:
    evidence = lineage.evidence
    if role.pick == "only":
        matching = _works(matching, lineage)
        if len(matching) == 1:
            return matching[0], ""
        return None, f"{len(matching)} networks could be the `{name}` that is meant: {_named(matching)}"
    if role.pick in {"first", "last"}:
        return matching[0 if role.pick == "first" else -1], ""
    if role.pick in {"first_trained", "last_trained"}:
        return _pick_trained(matching, evidence, last=role.pick == "last_trained"), ""
    if role.pick == "best":
        return _pick_best(name, matching, dataset, evidence)
    return _pick_sized(name, matching, smallest=role.pick == "smallest")


def _works(matching: Sequence[ModelFact], lineage: Lineage) -> Sequence[ModelFact]:
    """Those that are works of their own: no earlier stage of another, and no untrained copy of a trained one."""
    evidence = lineage.evidence
    ids = {model.id for model in matching}
    earlier = {stage for model in matching for stage in lineage.predecessors(model.id, ids)}
    trained = {fit.model for fit in evidence.fits} & ids
    earlier |= {model.formerly for model in matching if model.id in trained and model.formerly is not None}
    copies = _copies(matching, trained, evidence) - trained
    others = earlier | copies
    return [model for model in matching if model.id not in others]


def _copies(matching: Sequence[ModelFact], trained: set[str], evidence: Evidence) -> set[str]:
    """Networks that hold layers of a trained one, as one with dropout left on does, or descend from it."""
    holding = {model.id for model in matching if not trained.isdisjoint(model.shares_layers_with)}
    held = {other for model in matching if model.id in trained for other in model.shares_layers_with}
    return holding | held | descendants(evidence, trained)


def _pick_trained(matching: Sequence[ModelFact], evidence: Evidence, *, last: bool) -> ModelFact:
    known = {model.id: model for model in matching}
    fits = sorted((fit for fit in evidence.fits if fit.model in known), key=lambda fit: fit.event)
    if not fits:
        # Its structure can still be judged; whatever needs a training says that there was none.
        return matching[-1 if last else 0]
    return known[fits[-1 if last else 0].model]


def _pick_best(
    name: str, matching: Sequence[ModelFact], dataset: str, evidence: Evidence
) -> tuple[ModelFact | None, str]:
    """The most accurate on the rubric's test images; verified accuracies count before recorded ones."""
    if len(matching) == 1:
        return matching[0], ""
    facts = [(model, evidence.accuracy(model.id, dataset, "test")) for model in matching]
    known = [(model, fact) for model, fact in facts if fact is not None]
    if not known:
        return None, f"no network that could be the `{name}` has an accuracy to compare: {_named(matching)}"
    return max(known, key=lambda pair: (pair[1].assurance == "verified", pair[1].value))[0], ""


def _pick_sized(name: str, matching: Sequence[ModelFact], *, smallest: bool) -> tuple[ModelFact | None, str]:
    sized = [(model.parameters, model) for model in matching if model.parameters is not None]
    if not sized:
        return None, f"no network that could be the `{name}` has its weights yet: {_named(matching)}"
    choose = min if smallest else max
    return choose(sized, key=lambda pair: pair[0])[1], ""


def _named(models: Iterable[ModelFact], why: Callable[[ModelFact], str] | None = None) -> str:
    """Name models with their cells, and say of each why, at most six of them."""
    parts = [f"`{m.name}` ({spoken_cell(m.cell)})" + (f" {why(m)}" if why else "") for m in models]
    shown = parts[:_MOST_NAMED]
    if len(parts) > _MOST_NAMED:
        shown.append(f"and {len(parts) - _MOST_NAMED} more")
    return "; ".join(shown) if why else ", ".join(shown)


def describe_role(role: Role) -> str:
    """Say a role's conditions in words."""
    words = [f"with a {cls} layer" for cls in _each(role.has_layer)]
    words += [f"without a {cls} layer" for cls in _each(role.lacks_layer)]
    if role.activation is not None:
        words.append(f"with {role.activation} in hidden layers")
    if role.inputs is not None:
        words.append(f"taking {_spoken_inputs(role.inputs)}")
    if role.outputs is not None:
        words.append(f"with {_spoken_outputs(role.outputs)}")
    if role.data is not None:
        words.append(f"trained on {role.data}")
    if role.task is not None:
        words.append(f"last trained on the task `{role.task}`")
    if role.reuses is not None:
        words.append(f"with weights that the `{role.reuses}` had learned")
    if role.from_scratch is not None:
        words.append("from scratch" if role.from_scratch else "with weights that were learned before")
    if role.name is not None:
        words.append(f"called `{role.name}`")
    if role.trained is not None:
        words.append("trained" if role.trained else "never trained")
    return ", ".join(words) or "any network"


def _spoken_inputs(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "inputs of unknown shape"
    return f"inputs of shape {code_shape(shape)}"


def _spoken_outputs(outputs: int | None) -> str:
    if outputs is None:
        return "an unknown number of outputs"
    return "1 output" if outputs == 1 else f"{outputs} outputs"
