"""Similar pairs of the class, computed once for the present evidence, and the decisions about them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Final, Literal

from grader.facts.similarity import Comparison
from grader.grading.judged import latest
from grader.grading.loader import LoadedRubric
from grader.pipeline.similarity import compare_results
from grader.schema.errors import GraderError
from grader.schema.judgement import WHOLE, Judgement
from grader.schema.similarity import SimilarPair
from grader.store.results import ResultsFolder

__all__ = ["Decision", "Pairs", "decision_of"]

MOST: Final = 500
"""Number of listed pairs."""
_State = Mapping[str, int]
"""Submission → time of its evidence, in nanoseconds."""


class Pairs:
    """The comparison of a class. It is computed again when evidence changes."""

    def __init__(self, compute: Callable[[], Comparison], state: Callable[[], _State]) -> None:
        """Set how the class is compared.

        Args:
            compute: Compares the class, which can take seconds.
            state: Describes the present evidence.
        """
        self._compute, self._state = compute, state
        self._lock = Lock()
        self._known: tuple[_State, Comparison] | None = None
        self._thread: Thread | None = None

    @classmethod
    def of(cls, out: ResultsFolder, loaded: LoadedRubric) -> "Pairs":
        """Compare the submissions of a results folder."""
        return cls(lambda: compare_results(out, loaded, most=MOST).comparison, lambda: _evidence(out))

    def get(self) -> Comparison:
        """Return the comparison, and compute it if necessary.

        Raises:
            GraderError: The class cannot be compared.
        """
        with self._lock:
            state = self._state()
            if self._known is None or self._known[0] != state:
                self._known = (state, self._compute())
            return self._known[1]

    def ready(self) -> Comparison | None:
        """Return the last comparison if there is one, and start to compute it otherwise."""
        if self._known is None and (self._thread is None or not self._thread.is_alive()):
            self._thread = Thread(target=self._prepare, daemon=True, name="similar pairs")
            self._thread.start()
        return None if self._known is None else self._known[1]

    def _prepare(self) -> None:
        try:
            self.get()
        except GraderError:
            return  # the view shows the error


def _evidence(out: ResultsFolder) -> _State:
    times = {}
    for name in out.submissions():
        try:
            times[name] = (out.evidence_folder(name) / "evidence.json").stat().st_mtime_ns
        except OSError:
            times[name] = 0
    return times


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of a person about a pair."""

    kind: Literal["flag", "explained"]
    by: str
    why: str


def decision_of(pair: SimilarPair, judgements: Mapping[str, tuple[Judgement, ...]]) -> Decision | None:
    """Find the decision about a pair; None if it is open.

    Args:
        pair: The pair.
        judgements: Judgements by submission.
    """
    for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
        counting = latest(judgements.get(one, ()))
        for kind in ("flag", "explained"):
            judgement = counting.get((f"{WHOLE} {other}", kind))
            if judgement is not None:
                return Decision(kind, judgement.by, judgement.why)
    return None
