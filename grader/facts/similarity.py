"""Compare the submissions of a class by their traces, and list similar pairs with the reasons.

Candidates come from an inverted index: only submissions that share a rare fingerprint, digest or series are compared.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from grader.facts.code_prints import CODE, TEXT, Prints
from grader.facts.error_overlap import overlaps
from grader.facts.passages import align, known_lines
from grader.facts.rarity import PrintLayer, print_layer
from grader.facts.similar_signs import (
    LEAST_SCORE,
    Twins,
    common_errors,
    copied_weights,
    equal_counts,
    equal_errors,
    impossible_training,
    same_file,
    same_training,
    same_weights_file,
    similar_code,
    similar_text,
    twins_of,
    with_passages,
)
from grader.facts.traces import Traces, TrainingTrace
from grader.schema.message import Message, MessageLike, say, sentences
from grader.schema.similarity import Sign, Similarity, SimilarPair, Strength

__all__ = ["Comparison", "Starter", "compare"]

_STEPS: tuple[tuple[float, Strength], ...] = ((0.75, "strong"), (0.5, "moderate"), (LEAST_SCORE, "weak"))
"""The least scores of hints."""
_ORDER: tuple[Strength, ...] = ("strong", "moderate", "weak", "explained")
_RARE = 12
"""Something that more submissions share connects each of them only with the next ones."""
_NEXT = 3
_LEAST_MARKS = 3
_LITTLE = 5.0
"""Weight of the fingerprints of a notebook with practically nothing of its own."""
_OWN_PART = 0.3
"""Part of the fingerprints of the training's cells that may be the student's own if the starter made the training."""
_LEAST_COMMON = 4
"""Weights, losses and errors that half of the class shares, and at least so many, belong to everybody."""
_POPULAR = 3
"""Number of submissions that define the same training independently."""


@dataclass(frozen=True, slots=True)
class Starter:
    """A notebook that all students know: the starter, or the reference solution."""

    name: str
    code: Prints
    text: Prints


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The comparison of a class."""

    traces: tuple[Traces, ...]
    similarity: Similarity
    code: PrintLayer = field(repr=False)
    text: PrintLayer = field(repr=False)

    def known_lines(self, submission: str) -> frozenset[tuple[int, int]]:
        """List a submission's lines of code that are the starter's or common, as pairs of cell and line."""
        place = next(at for at, one in enumerate(self.traces) if one.submission == submission)
        return known_lines(self.code.prints[place], CODE, self.code.ignored)


def compare(traces: Iterable[Traces], starters: Iterable[Starter] = (), *, most: int = 100) -> Comparison:
    """Compare the submissions of a class.

    Args:
        traces: Traces of each submission.
        starters: Notebooks whose code and texts do not count.
        most: Number of pairs to list.
    """
    everyone, known = tuple(traces), tuple(starters)
    units = [one.unit for one in everyone]
    code = print_layer(CODE, [one.code for one in everyone], [one.code for one in known], units)
    text = print_layer(TEXT, [one.text for one in everyone], [one.text for one in known], units)
    judge = _Judge(everyone, code, text)
    pairs = [pair for a, b in sorted(judge.candidates()) if (pair := judge.pair(a, b)) is not None]
    pairs.sort(key=lambda pair: (_ORDER.index(pair.strength), -pair.score, pair.first, pair.second))
    listed = tuple(judge.with_passages(pair) for pair in pairs[:most])
    similarity = Similarity(
        submissions=len(everyone),
        starter=tuple(one.name for one in known),
        pairs=listed,
        left_out=len(pairs) - len(listed),
    )
    return Comparison(everyone, similarity, code, text)


# --- candidates


def _neighbors(holders: Mapping[Hashable, Iterable[int]]) -> Iterator[tuple[int, int]]:
    """List the pairs that share something, all of them if few do."""
    for places in holders.values():
        ordered = sorted(set(places))
        reach = len(ordered) if len(ordered) <= _RARE else _NEXT
        for at, first in enumerate(ordered):
            yield from ((first, second) for second in ordered[at + 1 : at + 1 + reach])


def _by_mark(layer: PrintLayer) -> Iterator[tuple[int, int]]:
    """List the pairs that share enough fingerprints."""
    holders: dict[Hashable, list[int]] = defaultdict(list)
    for place, marks in enumerate(layer.marks):
        for mark in marks.tolist():
            holders[mark].append(place)
    counted = Counter(_neighbors({mark: places for mark, places in holders.items() if len(places) > 1}))
    yield from (pair for pair, count in counted.items() if count >= _LEAST_MARKS)


class _Judge:
    """Finds the signs of pairs."""

    def __init__(self, traces: tuple[Traces, ...], code: PrintLayer, text: PrintLayer) -> None:
        self.traces, self.code, self.text = traces, code, text
        self.places = {one.submission: at for at, one in enumerate(traces)}
        self.common = max(_LEAST_COMMON, math.ceil(len({one.unit for one in traces}) / 2))
        self.digests = self._held(lambda one: one.results | one.foreign)
        self.losses = self._held(lambda one: {training.losses for training in one.trainings} - {()})
        self.errors = self._held(lambda one: {(errors.key, errors.wrong) for errors in one.errors})
        self.initial = frozenset().union(*map(_initial, traces))
        self.recipes = self._held(lambda one: {training.recipe for training in one.trainings})
        self._own_parts: dict[tuple[int, frozenset[int]], float] = {}
        self.overlaps = {(o.first, o.second): o for o in overlaps({at: one.errors for at, one in enumerate(traces)})}

    def _held(self, values: Callable[[Traces], Iterable[Hashable]]) -> Mapping[Hashable, frozenset[int]]:
        """Map each value to the submissions that have it, without values that belong to everybody."""
        holders: dict[Hashable, set[int]] = defaultdict(set)
        for place, one in enumerate(self.traces):
            for value in values(one):
                holders[value].add(place)
        return {
            value: frozenset(places)
            for value, places in holders.items()
            if 1 < len({self.traces[at].unit for at in places}) < self.common
        }

    def candidates(self) -> set[tuple[int, int]]:
        """List the pairs worth a comparison; members of one group are no pair."""
        by_value = (
            self.digests,
            self._held(lambda one: {one.sha256} - {""}),
            self.losses,
            self.errors,
            self._held(lambda one: {one.counts} - {frozenset()}),
        )
        pairs = {pair for held in by_value for pair in _neighbors(held)}
        pairs |= {*_by_mark(self.code), *_by_mark(self.text), *self.overlaps}
        return {(a, b) for a, b in pairs if self.traces[a].unit != self.traces[b].unit}

    def pair(self, a: int, b: int) -> SimilarPair | None:
        """Judge one pair; None if there is nothing to see."""
        code = self.code.shared(a, b)
        signs = [sign for sign in self._signs(a, b, code) if sign is not None]
        signs.sort(key=lambda sign: -sign.score)
        score = 1.0 - math.prod(1.0 - sign.score for sign in signs)
        explained = any(not sign.score for sign in signs)
        strength = _strength(score, explained=explained)
        if strength is None:
            return None
        first, second = self.traces[a].submission, self.traces[b].submission
        return SimilarPair(
            first=first,
            second=second,
            strength=strength,
            score=round(score, 4),
            reason=_reason(signs, strength, code[1]),
            signs=tuple(signs),
        )

    def _signs(self, a: int, b: int, code: tuple[float, float]) -> Iterator[Sign | None]:
        twins = twins_of(self.traces[a], self.traces[b])
        yield self._file(a, b)
        yield similar_code(*code)
        yield similar_text(*self.text.shared(a, b))
        yield self._trained(a, b, twins)
        yield self._foreign(a, b, twins)
        yield self._errors(a, b, twins)
        yield equal_counts(self.traces[a], self.traces[b])

    def _file(self, a: int, b: int) -> Sign | None:
        digest = self.traces[a].sha256
        if not digest or digest != self.traces[b].sha256:
            return None
        return same_file(own=self.code.own(a) + self.text.own(a) >= _LITTLE)

    # --- trainings

    def _trained(self, a: int, b: int, twins: "Sequence[Twins]") -> Sign | None:
        """Judge trainings with the same result. The grader's seed gives equal weights to equal trainings."""
        impossible = [twin for twin in twins if not twin.possible]
        if impossible:
            return impossible_training(impossible[0])
        rare = [twin for twin in twins if not self._is_common(twin)]
        if not rare:
            return None
        twin = max(rare, key=lambda one: len(one.first.results))
        return same_training(twin, self._origin(a, b, twin))

    def _is_common(self, twin: Twins) -> bool:
        """Whether half of the class has this result."""
        digests = twin.first.results & twin.second.results
        return not digests & self.digests.keys() and (bool(digests) or twin.first.losses not in self.losses)

    def _origin(self, a: int, b: int, twin: "Twins") -> Message | None:
        """Explain how two students can have the same training honestly; None without an explanation."""
        own = max(self._own_part(a, twin.first), self._own_part(b, twin.second))
        if own <= _OWN_PART:
            return say("the training is the starter's")
        others = len({self.traces[at].unit for at in self.recipes.get(twin.first.recipe, ())})
        if others >= _POPULAR or twin.first.recipe not in self.recipes:
            return say("more submissions have this architecture and these settings")
        return None

    def _own_part(self, place: int, training: TrainingTrace) -> float:
        """Return the part of a training's cells that is neither the starter's nor common."""
        key = (place, training.cells)
        if key not in self._own_parts:
            self._own_parts[key] = self._compute_own_part(place, training)
        return self._own_parts[key]

    def _compute_own_part(self, place: int, training: TrainingTrace) -> float:
        prints = self.code.prints[place]
        cells = prints.words.cells
        inside = [at for at in prints.kept.tolist() if cells[at] in training.cells]
        if not inside:
            return 1.0
        return float(np.isin(prints.hashes[inside], self.code.ignored, invert=True).mean())

    def _foreign(self, a: int, b: int, twins: "Sequence[Twins]") -> Sign | None:
        """Judge weights that one submission did not train itself."""
        if any(twin.possible for twin in twins):
            return None  # an intermediate state of the same training can be in a file
        for trainer, user in ((self.traces[a], self.traces[b]), (self.traces[b], self.traces[a])):
            copied = (trainer.results & user.foreign) - self.initial
            if copied and copied & self.digests.keys():
                return copied_weights(trainer, user, len(copied))
        return self._same_file_of_weights(a, b)

    def _same_file_of_weights(self, a: int, b: int) -> Sign | None:
        pairs = [(one, other) for one in self.traces[a].loaded for other in self.traces[b].loaded]
        for one, other in pairs:
            layers = {digest for digest in one.digests & other.digests if digest in self.digests} - self.initial
            if layers:
                return same_weights_file(one, other, len(layers))
        return None

    def _errors(self, a: int, b: int, twins: "Sequence[Twins]") -> Sign | None:
        one, other = self.traces[a], self.traces[b]
        equal = {(e.key, e.wrong) for e in one.errors} & {(e.key, e.wrong) for e in other.errors} & self.errors.keys()
        overlap = self.overlaps.get((min(a, b), max(a, b)))
        excused = any(twin.possible for twin in twins) or self._shared_recipe(a, b)
        if equal:
            _, wrong = max(equal, key=lambda pair: (len(pair[1]), pair[0]))
            return equal_errors(len(wrong), excused=excused)
        return None if overlap is None else common_errors(overlap, excused=excused)

    def _shared_recipe(self, a: int, b: int) -> bool:
        """Whether both define the same training, and honest students can."""
        pairs = ((x, y) for x in self.traces[a].trainings for y in self.traces[b].trainings if x.recipe == y.recipe)
        return any(self._origin(a, b, Twins(x, y, layers=0, possible=True)) is not None for x, y in pairs)

    # --- passages

    def with_passages(self, pair: SimilarPair) -> SimilarPair:
        """Add the similar passages to the signs of a pair."""
        a, b = self.places[pair.first], self.places[pair.second]
        layers = {"code": self.code, "text": self.text}
        signs = tuple(_placed(sign, layers[sign.kind], a, b) if sign.kind in layers else sign for sign in pair.signs)
        return pair.model_copy(update={"signs": signs})


def _placed(sign: Sign, layer: PrintLayer, a: int, b: int) -> Sign:
    return with_passages(sign, align(layer.prints[a], layer.prints[b], layer.scheme, layer.ignored))


def _initial(one: Traces) -> frozenset[str]:
    """List the digests of fresh weights."""
    loaded = frozenset().union(*(each.digests for each in one.loaded))
    return one.foreign - loaded


# --- together


def _strength(score: float, *, explained: bool) -> Strength | None:
    found = next((name for least, name in _STEPS if score >= least), None)
    return found or ("explained" if explained else None)


def _reason(signs: Sequence[Sign], strength: Strength, part: float) -> MessageLike:
    """Summarize why a pair is listed."""
    if strength != "explained":
        return sentences(*(sign.says for sign in signs if sign.score))
    return sentences(
        *(sign.says for sign in signs if not sign.score),
        say("Their own code differs: {part:percent} is similar.", part=round(part, 2)),
    )
