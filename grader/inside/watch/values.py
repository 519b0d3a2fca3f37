"""Watches the values that the notebook computes after repeated passes of a model, to find their average.

While a cell repeats passes, and in the cells after it, Python reports each call and return in the notebook's thread.
The arrays in them are compared with the passes: what a function returns, what the notebook passes to a function or
method, and the variables of a function at its end. At the end of each cell, the notebook's variables are compared too.
Inside of Keras's own calls nothing is reported, and the number of reports for each cell is limited.
"""

import dis
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..describe.models import numbers
from ..hooking.guard import Guard
from ..record.events import RepeatedPasses
from ..record.recorder import Recorder
from .averages import Finding, PassOutputs, shape_of

__all__ = ["Group", "ValueWatch"]

Way: TypeAlias = Literal["call", "predict"]
Array: TypeAlias = NDArray[Any]

_FEWEST_PASSES = 3
"""Number of passes after which Python reports calls."""
_MAX_REPORTS = 100_000
"""Reports of calls in one cell; they take about 50 milliseconds."""
_MAX_ALL_REPORTS = 1_000_000
_MAX_OPEN = 64
"""Number of inputs whose passes are compared."""
_MEASURED = 10
"""The stored values are measured after so many passes."""
_MAX_BYTES = 48 << 20
_MAX_COMPARED = 16
"""Number of inputs that one value is compared with."""
_MAX_NUMBERS = 2_000
_MAX_LISTS = 50
_MAX_LABELS = 8
_MAX_ITEMS = 16
_SAME_ACCURACY = 1e-6
_WHOLE = 0.01
_WITH_LOCALS = 2
"""Flag of the code of functions, which have their own variables."""


@dataclass(slots=True)
class Group:
    """The passes of one model in one cell, with the same number of passes over each of the inputs.

    Attributes:
        model: The model's id.
        way: How the passes were made.
        training: The argument `training`.
        cell: Number of the cell.
        outputs: The outputs for each input.
    """

    model: str
    way: Way
    training: bool | None
    cell: int
    outputs: list[PassOutputs]
    _written: Any = None

    def event(self) -> RepeatedPasses | None:
        """Describe the group; None if that has not changed since the last call."""
        best = max(self.outputs, key=lambda outputs: (outputs.rank, outputs.averaged or 0))
        event = RepeatedPasses(
            kind="repeated_passes",
            model=self.model,
            way=self.way,
            training=self.training,
            made=self.cell,
            passes=best.count,
            images=sum(outputs.rows for outputs in self.outputs),
            differ=any(outputs.differ for outputs in self.outputs),
            average=best.average,
            averaged=best.averaged,
        )
        if event == self._written:
            return None
        self._written = event
        return event


@dataclass(slots=True)
class _Seen:
    """Values of the running cell that may be accuracies or labels."""

    numbers: list[float] = field(default_factory=list)
    lists: list[list[float]] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)


class ValueWatch:
    """Compares the notebook's values with repeated passes."""

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        """Start without passes."""
        self._recorder = recorder
        self._guard = guard
        self._open: list[PassOutputs] = []
        self._groups: list[Group] = []
        self._active = False
        self._left = 0
        self._left_in_all = _MAX_ALL_REPORTS
        self._inner: list[tuple[PassOutputs, Finding]] = []
        self._seen = _Seen()
        self._arrays: dict[type, bool] = {}

    # --- passes ---------------------------------------------------------------------------------------------------

    def repeated(self, outputs: PassOutputs) -> None:
        """Start to compare values with passes.

        Args:
            outputs: Passes over one input, at least two; more are added later.
        """
        if outputs.count == 2:  # noqa: PLR2004 - the first repetition
            if len(self._open) < _MAX_OPEN:
                self._open.append(outputs)
            else:
                outputs.close()
        elif outputs.count % _MEASURED == 0 and sum(each.stored_bytes for each in self._open) > _MAX_BYTES:
            outputs.close()
        if outputs.count >= _FEWEST_PASSES and not self._active:
            self._active = True
            self._left = min(_MAX_REPORTS, self._left_in_all)

    def ended(self, model: str, way: Way, training: bool | None, outputs: list[PassOutputs]) -> None:  # noqa: FBT001 - private
        """Take the passes of a model at the cell's end.

        Args:
            model: The model's id.
            way: How the passes were made.
            training: The argument `training`.
            outputs: The outputs for each input with at least two passes.
        """
        for count in sorted({each.count for each in outputs}):
            same = [each for each in outputs if each.count == count]
            self._groups.append(Group(model, way, training, self._recorder.log.cell, same))

    # --- reports --------------------------------------------------------------------------------------------------

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Report nothing during a call of Keras; report again after it if passes were repeated."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        if self._active and self._left > 0 and self._guard.student and sys.getprofile() is None:
            sys.setprofile(self._report)

    def _stop(self) -> None:
        # A profiler of the student's own stays.
        if self._active and getattr(sys.getprofile(), "__self__", None) is self:
            sys.setprofile(None)

    def cell_started(self) -> None:
        """Watch a cell after the passes until their average is known."""
        if self._open:
            self._active = True
            self._left = min(_MAX_REPORTS, self._left_in_all)
            self._start()

    def cell_ended(self) -> None:
        """Compare the notebook's variables, and write the events that are new or have changed."""
        self._stop()
        self._active = False
        self._keep_inner()
        if self._open:
            self._look_at(self._recorder.namespace)
            self._compare_accuracies()
            self._forget()
        self._seen = _Seen()
        for group in self._groups:
            event = group.event()
            if event is not None:
                self._recorder.log.write(event)

    def _forget(self) -> None:
        """Keep only the latest passes whose average is not known, for later cells."""
        unknown = [outputs for outputs in self._open if outputs.average not in {"mean", "median"}]
        kept = unknown[-_MAX_COMPARED:]
        for outputs in self._open:
            if not any(outputs is each for each in kept):
                outputs.close()
        self._open = kept

    def _report(self, frame: FrameType, event: str, value: Any) -> None:
        """Receive one report of Python."""
        self._left -= 1
        self._left_in_all -= 1
        if self._left < 0:
            self._stop()
            return
        try:
            if event == "return":
                self._returned(frame, value)
            elif event == "c_call":
                self._method_called(frame, getattr(value, "__self__", None))
            elif event == "call" and self._is_notebook(frame.f_back):
                for given in frame.f_locals.values():
                    self._use(given)
        except Exception as problem:
            self._left = 0
            self._stop()
            self._guard.report(self._report, problem)

    def _is_notebook(self, frame: FrameType | None) -> bool:
        """Whether a frame runs code of the notebook's cells."""
        return frame is not None and frame.f_globals is self._recorder.namespace

    def _method_called(self, frame: FrameType, owner: Any) -> None:
        if self._is_array(owner):
            if self._is_notebook(frame):
                self._use(owner)
            else:
                self._inner.extend(self._find(owner))

    def _returned(self, frame: FrameType, value: Any) -> None:
        if self._is_notebook(frame) and frame.f_code.co_flags & _WITH_LOCALS:
            self._look_at(frame.f_locals)
        results = self._find(value, frame) if self._is_array(value) else []
        self._inner.extend(results)
        if frame.f_back is None or not self._is_notebook(frame.f_back):
            return
        number = _number(value)
        if number is not None:
            self._note_number(number)
            self._note_overall_mean(number, frame)
        if self._inner:
            self._decide(frame.f_back, is_average=bool(results))

    def _decide(self, caller: FrameType, *, is_average: bool) -> None:
        """Decide whether the notebook uses the average that a call has made.

        Args:
            caller: The notebook's code.
            is_average: Whether the average is the call's result.
        """
        follows = _next_operation(caller.f_code, caller.f_lasti) if is_average else None
        if follows == "returned":
            return
        if follows == "dropped":
            for outputs, finding in self._inner:
                if finding.average in {"mean", "median"}:
                    outputs.note(Finding("discarded", finding.passes))
            self._inner.clear()
        self._keep_inner()

    def _keep_inner(self) -> None:
        for outputs, finding in self._inner:
            outputs.note(finding)
        self._inner.clear()

    # --- values ---------------------------------------------------------------------------------------------------

    def _look_at(self, variables: Mapping[str, Any]) -> None:
        """Compare variables, and the items of short lists and dictionaries."""
        for name, value in list(variables.items()):
            if name.startswith("_"):
                continue
            self._use(value)
            for item in _items(value):
                self._use(item)

    def _use(self, value: Any) -> None:
        """Compare a value that the notebook holds or passes on."""
        if isinstance(value, list):
            self._note_list(value)
        elif self._is_array(value) or hasattr(type(value), "assign_add"):
            for outputs, finding in self._find(value):
                outputs.note(finding)
            self._note_labels(value)

    def _find(self, value: Any, frame: FrameType | None = None) -> list[tuple[PassOutputs, Finding]]:
        try:
            array = numbers(value)
        except Exception:
            # Some tensors are not numbers.
            return []
        found = []
        for outputs in self._compared():
            finding = outputs.find(array)
            if finding is None and frame is not None and not outputs.differ and array.shape == outputs.shape:
                reduced = outputs.reduces(array, list(frame.f_locals.values()))
                finding = Finding("mean", outputs.count) if reduced else None
            if finding is not None:
                found.append((outputs, finding))
        return found

    def _compared(self) -> list[PassOutputs]:
        return [each for each in self._open if (each.average, each.averaged) != ("mean", each.count)][-_MAX_COMPARED:]

    def _is_array(self, value: Any) -> bool:
        cls = type(value)
        if cls not in self._arrays:
            self._arrays[cls] = issubclass(cls, np.ndarray) or hasattr(cls, "_numpy")
        return self._arrays[cls]

    # --- accuracies -----------------------------------------------------------------------------------------------

    def _note_number(self, value: float) -> None:
        if len(self._seen.numbers) < _MAX_NUMBERS:
            self._seen.numbers.append(value)

    def _note_overall_mean(self, value: float, frame: FrameType) -> None:
        for outputs in self._compared():
            if outputs.is_overall_mean(value, list(frame.f_locals.values())):
                outputs.note(Finding("wrong_axis", outputs.count))

    def _note_list(self, values: list[Any]) -> None:
        """Note a list with one number for each pass."""
        if len(self._seen.lists) < _MAX_LISTS and any(len(values) == outputs.count for outputs in self._open):
            found = [number for number in map(_number, values) if number is not None]
            if len(found) == len(values):
                self._seen.lists.append(found)

    def _note_labels(self, value: Any) -> None:
        shape = tuple(getattr(value, "shape", ()))
        fits = (
            shape and any(shape[0] == outputs.rows for outputs in self._open) and len(self._seen.labels) < _MAX_LABELS
        )
        if fits and not any(value is known for known in self._seen.labels):
            self._seen.labels.append(value)

    def _compare_accuracies(self) -> None:
        """Find out whether the notebook computed the accuracy of each pass, or their mean."""
        for outputs in self._compared():
            for value in self._seen.labels:
                labels = _classes(numbers(value))
                accuracies = None if labels is None else outputs.accuracies(labels)
                if accuracies is not None and self._has_computed(accuracies, outputs.rows):
                    outputs.note(Finding("accuracies", outputs.count))

    def _has_computed(self, accuracies: list[float], images: int) -> bool:
        if len(set(accuracies)) == 1:
            return False
        if any(
            len(known) == len(accuracies) and np.allclose(known, accuracies, rtol=0, atol=_SAME_ACCURACY)
            for known in self._seen.lists
        ):
            return True
        mean = float(np.mean(accuracies))
        correct = mean * images
        # It could be the accuracy of the mean as well.
        if abs(correct - round(correct)) < _WHOLE:
            return False
        return any(abs(number - mean) <= _SAME_ACCURACY for number in self._seen.numbers)


def _number(value: Any) -> float | None:
    """Return a number with a fraction: a float, or an array or tensor of one; None for any other value."""
    if type(value) is float or isinstance(value, np.floating):
        return float(value)
    if shape_of(value) != () or "float" not in str(value.dtype):
        return None
    return float(numbers(value))


def _items(value: Any) -> list[Any]:
    if type(value) in {list, tuple} and len(value) <= _MAX_ITEMS:
        return list(value)
    return list(value.values()) if type(value) is dict and len(value) <= _MAX_ITEMS else []


def _classes(labels: Array) -> Array | None:
    """Return the classes of labels: integers, or the arg max of one-hot rows."""
    if labels.dtype.kind not in "iufb":
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:  # noqa: PLR2004 - images and classes
        classes: Array = labels.argmax(axis=1)
        return classes
    return labels.reshape(-1) if labels.size == len(labels) else None


def _next_operation(code: CodeType, last: int) -> Literal["dropped", "returned"] | None:
    """Find out what happens to the result of a running call.

    Args:
        code: The caller's code.
        last: Offset of the instruction that calls.

    Returns:
        `dropped` for a call that is a statement or assigned to `_`, `returned` if the caller returns it, else None.
    """
    following = (each for each in dis.get_instructions(code) if each.offset > last and each.opname != "CACHE")
    operation = next(following, None)
    if operation is None:
        return None
    if operation.opname == "RETURN_VALUE":
        return "returned"
    is_unused = operation.opname.startswith("STORE_") and operation.argval == "_"
    return "dropped" if operation.opname == "POP_TOP" or is_unused else None
