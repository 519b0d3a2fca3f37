"""Two settings of Keras 2 that Keras 3 takes without an error and heeds no more: `optimizer.lr = …` and `decay=`."""

from typing import Any

from ..describe.compiled import is_of_keras
from ..hooking.guard import Guard
from ..hooking.patching import around
from ..record.events import Ignored, IgnoredForm
from ..record.recorder import Recorder

__all__ = ["watch_ignored"]


def watch_ignored(recorder: Recorder, guard: Guard, base: type, optimizer: type) -> None:
    """Write an `ignored` event, once a cell for each of the two.

    Args:
        recorder: Gets the events.
        guard: Knows whose call it is.
        base: The class whose constructor takes `decay=`.
        optimizer: The class that all optimizers of Keras 3 come from.
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
        # A saved optimizer that is loaded again may hold an old setting that nobody chose now.
        if kwargs.get("decay") and guard.student:
            guard.quietly(tell, "optimizer.decay", type(made), kwargs["decay"])
        return result

    def set_attribute(original: Any, held: Any, name: str, value: Any) -> None:
        __tracebackhide__ = True
        original(held, name, value)
        # Keras has no such attribute, so the line is the student's, also in a callback that Keras calls. An optimizer
        # class of their own may well read it.
        if name == "lr" and not guard.busy and is_of_keras(type(held)):
            guard.quietly(tell, "optimizer.lr", type(held), value)

    around(base, "__init__", initialise)
    around(optimizer, "__setattr__", set_attribute, on=optimizer)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
