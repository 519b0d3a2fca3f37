"""Leave out models that are only parts of other models, so that a note about a layer names one model."""

from grader.schema.evidence import Evidence, ModelFact

__all__ = ["whole_models"]


def whole_models(evidence: Evidence) -> tuple[ModelFact, ...]:
    """List the models without those that are only parts or views of another one.

    An encoder, a feature extractor or a model with an added softmax shares its layers with the model that the student
    means. It is left out if it was neither compiled nor trained and all its layers with weights belong to one other
    model, which is larger, was compiled or trained, or was created first.

    Args:
        evidence: The evidence of one execution.
    """
    own = {compiled.model for compiled in evidence.compiles} | {fit.model for fit in evidence.fits}
    names = {model.id: _names(model) for model in evidence.models}
    models = evidence.models

    def is_part(place: int, model: ModelFact) -> bool:
        return model.id not in own and any(
            _shares(model, other)
            and names[model.id] <= names[other.id]
            and (other.id in own or len(names[model.id]) < len(names[other.id]) or earlier < place)
            for earlier, other in enumerate(models)
            if other.id != model.id
        )

    return tuple(model for place, model in enumerate(models) if not is_part(place, model))


def _names(model: ModelFact) -> frozenset[str]:
    return frozenset(layer.name for layer in model.flat_layers() if layer.parameters)


def _shares(model: ModelFact, other: ModelFact) -> bool:
    return other.id in model.shares_layers_with or model.id in other.shares_layers_with
