"""Replacement of `keras.wrappers.scikit_learn`: a model-building function as a scikit-learn estimator."""

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
    """Common part of both wrappers: parameters of the building function and of `fit`, `predict` and `evaluate`."""

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        """Store the parameters.

        Args:
            build_fn: Function that returns a compiled model; None if the class itself is callable.
            **sk_params: Arguments for the function and the model's methods; each receives those in its signature.
        """
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.model: Any = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's own signature
        """Return the parameters."""
        del deep
        return {**copy.deepcopy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> "Estimator":
        """Change some parameters."""
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.sk_params.update(params)
        return self

    def __sklearn_tags__(self) -> Any:
        """Return the estimator's kind, as current versions of scikit-learn require."""
        from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

        classifies = isinstance(self, KerasClassifier)
        return Tags(
            estimator_type="classifier" if classifies else "regressor",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
        )

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether `fit` was called."""
        return self.model is not None

    def _known(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        names = set(inspect.signature(function).parameters)
        return {name: value for name, value in {**self.sk_params, **arguments}.items() if name in names}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Build a new model and train it.

        Args:
            x: Input rows.
            y: Targets.
            **kwargs: Arguments for the model's `fit`.

        Returns:
            Keras's `History`.
        """
        builder = self.build_fn if self.build_fn is not None else self.__call__  # type: ignore[operator]
        self.model = builder(**self._known(builder, {}))
        arguments = self._known(self.model.fit, kwargs)
        old = {**self.sk_params, **kwargs}.get("nb_epoch")
        if old is not None and "epochs" not in arguments:
            arguments["nb_epoch"] = old  # not in the signature of `fit`, but the compatibility layer accepts it
        return self.model.fit(x, self._targets(y), **arguments)

    def _targets(self, y: Any) -> Any:
        """Return the targets in the form that the built model expects."""
        return y

    def _outputs(self, x: Any, kwargs: Mapping[str, Any]) -> Any:
        return self.model.predict(x, **self._known(self.model.predict, kwargs))


class KerasClassifier(Estimator):
    """Wrapper for classification models."""

    _estimator_type = "classifier"

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Build a new model and train it on class labels of any type, or on one-hot rows."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:  # noqa: PLR2004 - one-hot rows
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **kwargs)

    def _targets(self, y: Any) -> Any:
        """Convert labels to one-hot rows if the loss expects them."""
        loss = getattr(self.model, "loss", None)
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
        expects_one_hot = name == "categorical_crossentropy" and (y.ndim == 1 or y.shape[1] == 1)
        return np.eye(self.n_classes_)[y.reshape(-1)] if expects_one_hot else y

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Predict the class of each row."""
        return self.classes_[_chosen(self._outputs(x, kwargs))]

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        """Predict a probability for each class, in two columns for a single output."""
        outputs = self._outputs(x, kwargs)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Return the fraction of correctly classified rows."""
        y = np.asarray(y)
        truth = self.classes_[y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)  # noqa: PLR2004
        return float(np.mean(self.predict(x, **kwargs) == truth))


class KerasRegressor(Estimator):
    """Wrapper for regression models."""

    _estimator_type = "regressor"

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Predict a number for each row."""
        return np.squeeze(self._outputs(x, kwargs))

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Return the negative loss, so that a higher score is better."""
        result = self.model.evaluate(x, y, **self._known(self.model.evaluate, kwargs))
        return -float(result[0] if isinstance(result, list) else result)


def _chosen(outputs: Any) -> Any:
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype(int).reshape(-1)  # noqa: PLR2004


def module(notes: Notes) -> Callable[[str], ModuleType]:
    """Return a function that creates the module.

    Args:
        notes: Receives a note when the module is imported.
    """

    def make(fullname: str) -> ModuleType:
        tell(notes, "wrappers.scikit_learn")
        wrappers = ModuleType(fullname, "A stand-in for the wrappers that Keras no longer has.")
        vars(wrappers).update({"KerasClassifier": KerasClassifier, "KerasRegressor": KerasRegressor})
        return wrappers

    return make
