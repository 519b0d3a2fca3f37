"""A stand-in for `keras.wrappers.scikit_learn`: a model-building function that scikit-learn takes for an estimator."""

import copy
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ..record.notes import Notes
from .forms import tell

__all__ = ["Estimator", "KerasClassifier", "KerasRegressor", "module"]


class Estimator:
    """What both share: parameters for the building function and for `fit`, `predict` and `evaluate`."""

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        """Keep what is asked for.

        Args:
            build_fn: Makes a compiled model; None where the class itself is callable.
            **sk_params: Given to the function or to the model's methods, each what it knows.
        """
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.model: Any = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's own signature
        """The parameters, as scikit-learn asks for them."""
        del deep
        return {**copy.deepcopy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> "Estimator":
        """Change some."""
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.sk_params.update(params)
        return self

    def __sklearn_tags__(self) -> Any:
        """Of which kind it is, for today's scikit-learn."""
        from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

        classifies = isinstance(self, KerasClassifier)
        return Tags(
            estimator_type="classifier" if classifies else "regressor",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
        )

    def __sklearn_is_fitted__(self) -> bool:
        """Whether `fit` was called."""
        return self.model is not None

    def _known(self, function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
        names = set(inspect.signature(function).parameters)
        return {name: value for name, value in {**self.sk_params, **given}.items() if name in names}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Build a new model and train it.

        Args:
            x: Rows.
            y: Their targets.
            **kwargs: For the model's `fit`.

        Returns:
            Keras's `History`.
        """
        builder = self.build_fn if self.build_fn is not None else self.__call__  # type: ignore[operator]
        self.model = builder(**self._known(builder, {}))
        given = self._known(self.model.fit, kwargs)
        old = {**self.sk_params, **kwargs}.get("nb_epoch")
        if old is not None and "epochs" not in given:
            given["nb_epoch"] = old  # no parameter by name, but the model's own `fit` takes it here
        return self.model.fit(x, self._targets(y), **given)

    def _targets(self, y: Any) -> Any:
        """The targets as the model that was built takes them."""
        return y

    def _outputs(self, x: Any, kwargs: Mapping[str, Any]) -> Any:
        return self.model.predict(x, **self._known(self.model.predict, kwargs))


class KerasClassifier(Estimator):
    """Classifies."""

    _estimator_type = "classifier"

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Build a new model and train it on classes, whatever they are called, or on one-hot rows."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:  # noqa: PLR2004 - one-hot rows
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **kwargs)

    def _targets(self, y: Any) -> Any:
        """One-hot rows where the loss wants them."""
        loss = getattr(self.model, "loss", None)
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
        wanted = name == "categorical_crossentropy" and (y.ndim == 1 or y.shape[1] == 1)
        return np.eye(self.n_classes_)[y.reshape(-1)] if wanted else y

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """The class of each row."""
        return self.classes_[_chosen(self._outputs(x, kwargs))]

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        """A probability for each class, two columns for a single output too."""
        outputs = self._outputs(x, kwargs)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The part of rows that is classified rightly."""
        y = np.asarray(y)
        truth = self.classes_[y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)  # noqa: PLR2004
        return float(np.mean(self.predict(x, **kwargs) == truth))


class KerasRegressor(Estimator):
    """Predicts numbers."""

    _estimator_type = "regressor"

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """A number for each row."""
        return np.squeeze(self._outputs(x, kwargs))

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The loss with its sign turned, so that more is better."""
        found = self.model.evaluate(x, y, **self._known(self.model.evaluate, kwargs))
        return -float(found[0] if isinstance(found, list) else found)


def _chosen(outputs: Any) -> Any:
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype(int).reshape(-1)  # noqa: PLR2004


def module(notes: Notes) -> Callable[[str], ModuleType]:
    """What makes the module.

    Args:
        notes: Told when it is imported.
    """

    def make(fullname: str) -> ModuleType:
        tell(notes, "wrappers.scikit_learn")
        made = ModuleType(fullname, "A stand-in for the wrappers that Keras no longer has.")
        vars(made).update({"KerasClassifier": KerasClassifier, "KerasRegressor": KerasRegressor})
        return made

    return make
