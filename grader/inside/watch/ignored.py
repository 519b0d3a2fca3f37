"""Records two settings of Keras 2 that Keras 3 accepts but does not use: `optimizer.lr = …` and `decay=`."""

from typing import Any

from ..describe.compiled import is_of_keras
from ..hooking.guard import Guard
from ..hooking.patching import around
from ..record.events import Ignored, IgnoredForm
from ..record.recorder import Recorder

__all__ = ["watch_ignored"]


def watch_ignored(recorder: Recorder, guard: Guard, base: type, optimizer: type) -> None:
    """Write an `ignored` event for each of the two settings, once per cell.

    Args:
        recorder: Receives the events.
        guard: Distinguishes the student's calls from Keras's.
        base: The class whose constructor accepts `decay=`.
        optimizer: The base class of all optimizers of Keras 3.
    """
    told: set[tuple[int, str]] = set()

    def tell(form: IgnoredForm, cls: type, value: Any) -> None:
        key = (recorder.log.cell, form)
        if key not in told:
            told.add(key)
            recorder.log.write(Ignored(kind="ignored", form=form, optimizer=cls.__name__, value=_number(value)))

    def initialise(original: Any, made: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        result = original(made, *args, **kwargs)
        # A loaded optimizer may have an old setting that the student did not choose now.
        if kwargs.get("decay") and guard.student:
            guard.quietly(tell, "optimizer.decay", type(made), kwargs["decay"])
        return result

    def set_attribute(original: Any, held: Any, name: str, value: Any) -> None:
        __tracebackhide__ = True
        original(held, name, value)
        # Keras has no such attribute, so the assignment is the student's, even in a callback that Keras calls. The
        # student's own optimizer class may use the attribute.
        if name == "lr" and not guard.busy and is_of_keras(type(held)):
            guard.quietly(tell, "optimizer.lr", type(held), value)

    around(base, "__init__", initialise)
    around(optimizer, "__setattr__", set_attribute, on=optimizer)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
