"""Which submissions of a class are similar, and why."""

import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from grader.facts.code_prints import Words
from grader.facts.error_overlap import overlaps
from grader.facts.similarity import Comparison, compare
from grader.facts.traces import ErrorsTrace, Traces, traces_of
from grader.schema.message import MessageLike
from grader.schema.similarity import Lines, Sign, SimilarPair
from tests.support.copied_class import (
    DISGUISES,
    STARTER,
    TWINS,
    Facts,
    code_cells,
    honest_names,
    make_class,
    member,
    notebook_cells,
    starter,
)
from tests.support.factories import a_cell, an_evidence
from tests.support.says import ids, says

Pairs = Mapping[frozenset[str], SimilarPair]


def pairs_of(comparison: Comparison) -> Pairs:
    return {frozenset((pair.first, pair.second)): pair for pair in comparison.similarity.pairs}


def signs_of(pair: SimilarPair) -> dict[str, Sign]:
    return {sign.kind: sign for sign in pair.signs}


def mentions(message: MessageLike, words: str) -> bool:
    """Whether a part of a message has a template with these words."""
    return any(words in one for one in ids(message))


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare(make_class().traces, [starter()])


def test_copied_pairs_are_first_and_honest_twins_are_explained(compared: Comparison) -> None:
    copies = {frozenset((copy.name, copy.original)): copy.disguise for copy in make_class().copies}
    listed = [frozenset((pair.first, pair.second)) for pair in compared.similarity.pairs]
    assert set(copies) == set(listed[: len(copies)])
    assert listed[len(copies) :] == [frozenset(TWINS)]
    pairs = pairs_of(compared)
    assert pairs[frozenset(TWINS)].strength == "explained"
    for pair, disguise in copies.items():
        strengths = {"strong"} if disguise not in {"all of these", "half of the code"} else {"strong", "moderate"}
        assert pairs[pair].strength in strengths | ({"weak"} if disguise == "half of the code" else set()), disguise


def test_the_explanation_of_twins_names_the_starter_and_how_much_of_their_code_differs(compared: Comparison) -> None:
    twins = pairs_of(compared)[frozenset(TWINS)]
    signs = signs_of(twins)
    assert set(signs) == {"weights", "errors"}
    assert all(sign.score == 0 for sign in signs.values())
    assert says(signs["weights"].says, "the training is the starter's")
    assert says(twins.reason, "Their own code differs: {part:percent} is similar.", part=0.0)


def test_copied_code_shows_the_passages_of_both_sides() -> None:
    built = make_class(honest_names().index("mnist-cnn/amara"), ["order of cells"])
    (copy,) = built.copies
    pair = pairs_of(compare(built.traces, [starter()]))[frozenset((copy.name, "mnist-cnn/amara"))]
    code = signs_of(pair)["code"]
    assert code.figures["equal_literals"] == code.figures["literals"] > 0
    assert all(passage.tokens >= 1 and passage.first.first <= passage.first.last for passage in code.passages)
    cells = {one.submission: one.code.words for one in built.traces}
    for passage in code.passages:
        sides = ((pair.first, passage.first), (pair.second, passage.second))
        raw = [_raw(cells[name], lines) for name, lines in sides]
        assert set(raw[0]) & set(raw[1])
    assert any(passage.first.cell != passage.second.cell for passage in code.passages)


def _raw(words: Words, lines: Lines) -> list[str]:
    places = zip(words.raw, words.cells, words.lines, strict=True)
    return [raw for raw, cell, line in places if cell == lines.cell and lines.first <= line <= lines.last]


def test_without_the_starter_its_code_is_recognized_if_a_third_of_the_class_has_it() -> None:
    """The four students with the starter are too few here; eight of twelve are enough."""
    extra = [member(f"more-{k}", code_cells(*STARTER, f"print({k!r} * {k})"), Facts(f"more {k}")) for k in "abcd"]
    honest = [one for one in make_class(disguises=()).traces if "/" not in one.submission]
    twins = pairs_of(compare([*honest, *extra]))[frozenset(TWINS)]
    assert twins.strength == "explained"


def test_the_order_of_the_class_does_not_matter(compared: Comparison) -> None:
    shuffled = list(make_class().traces)
    random.Random(5).shuffle(shuffled)  # noqa: S311 - no secret
    other = pairs_of(compare(shuffled, [starter()]))
    assert {pair: one.strength for pair, one in pairs_of(compared).items()} == {
        pair: one.strength for pair, one in other.items()
    }


def test_members_of_a_group_are_not_compared() -> None:
    built = make_class(disguises=("names", "seed"))
    first, second = built.copies
    traces = [
        replace(one, unit="group 1") if one.submission in {first.name, first.original} else one for one in built.traces
    ]
    pairs = pairs_of(compare(traces, [starter()]))
    assert frozenset((first.name, first.original)) not in pairs
    assert frozenset((second.name, second.original)) in pairs


def test_a_ring_of_copies_is_connected() -> None:
    """More copies than are compared with each other, but less than a third of the class."""
    cells = notebook_cells("mnist-cnn/amara")
    ring = [member(f"ring-{at:02}", cells, Facts("amara")) for at in range(16)]
    rest = [member(f"own-{at:02}", code_cells(*_own_code(at)), Facts(f"own {at}")) for at in range(40)]
    pairs = pairs_of(compare([*ring, *rest], most=1000))
    reached, edge = {"ring-00"}, True
    while edge:
        edge = bool(new := {name for pair in pairs if pair & reached for name in pair} - reached)
        reached |= new
    assert {name for name in reached if name.startswith("ring")} == {one.submission for one in ring}
    assert all(pair.strength == "strong" for names, pair in pairs.items() if all(n.startswith("ring") for n in names))


def _own_code(number: int) -> list[str]:
    chance = random.Random(number)  # noqa: S311 - no secret
    calls = [f"{chance.choice('ABCDEFGH')}{chance.randrange(99)}(a, {chance.choice('xyz')}=b)" for _ in range(60)]
    return ["\n".join(calls[at : at + 15]) for at in range(0, 60, 15)]


# --- the file


def _with_digest(name: str, source: str, digest: str) -> Traces:
    return traces_of(name, an_evidence(cells=(a_cell(0, source),), fits=(), accuracies=()), sha256=digest)


def test_the_same_file_is_a_strong_hint_unless_it_is_the_starter() -> None:
    own, known = "\n".join(_own_code(1)), "\n".join(STARTER)
    traces = [_with_digest(name, source, source) for name, source in zip("abcd", [own, own, known, known], strict=True)]
    pairs = pairs_of(compare(traces, [starter()]))
    assert (pairs[frozenset("ab")].strength, pairs[frozenset("cd")].strength) == ("strong", "explained")
    assert says(pairs[frozenset("cd")].reason, "Both handed in the same file, which contains only the starter.")


def test_equal_execution_counts_with_gaps_are_a_hint() -> None:
    def counted(name: str, counts: list[int]) -> Traces:
        cells = tuple(a_cell(at, f"x{at} = {at}", submitted_count=count) for at, count in enumerate(counts))
        return traces_of(name, an_evidence(cells=cells, fits=(), accuracies=()))

    gaps, plain = [1, 4, 9, 12, 30], [1, 2, 3, 4, 5]
    pairs = pairs_of(compare([counted("a", gaps), counted("b", gaps), counted("c", plain), counted("d", plain)]))
    assert list(pairs) == [frozenset("ab")]
    assert signs_of(pairs[frozenset("ab")])["counts"].figures == {"counts": gaps}


# --- weights


def test_a_course_file_with_weights_is_no_hint() -> None:
    def loading(name: str, *course_files: str) -> Traces:
        traces = member(name, code_cells(*_own_code(sum(map(ord, name)))), Facts("", loads="a base model"))
        return traces if not course_files else replace(traces, loaded=(), foreign=frozenset(), errors=())

    pair = compare([loading("one"), loading("two")]).similarity.pairs[0]
    assert pair.strength == "strong"
    assert mentions(signs_of(pair)["weights"].says, "which the other submissions do not have")
    assert compare([loading("one", "best.keras"), loading("two", "best.keras")]).similarity.pairs == ()


def test_equal_weights_with_other_settings_cannot_be_trained(compared: Comparison) -> None:
    copy = next(one for one in make_class().copies if one.disguise == "only the weights, as if trained")
    sign = signs_of(pairs_of(compared)[frozenset((copy.name, copy.original))])["weights"]
    assert sign.score > 0.9
    assert mentions(sign.says, "two trainings cannot have the same result")


def test_the_same_own_training_without_similar_code_is_a_weak_hint() -> None:
    traces = [
        member(name, code_cells(*_own_code(place)), Facts("a training of their own"))
        for place, name in enumerate(("one", "two"))
    ]
    others = [member(f"own-{at}", code_cells(*_own_code(at)), Facts(f"own {at}")) for at in range(2, 10)]
    pair = pairs_of(compare([*traces, *others]))[frozenset(("one", "two"))]
    assert pair.strength == "weak"
    assert mentions(pair.reason, "only these two define this training")


# --- errors


def _models(count: int, seed: int = 0) -> list[frozenset[int]]:
    """Errors of independent models: a few images are hard for all of them."""
    rng = np.random.default_rng(seed)
    chance = np.minimum(0.9, rng.gamma(0.05, 1.0, 10_000) * 0.2)
    return [frozenset(np.flatnonzero(rng.random(10_000) < chance).tolist()) for _ in range(count)]


def test_common_errors_count_beyond_what_hard_images_explain() -> None:
    models = _models(12)
    nearly = frozenset(sorted(models[0])[3:]) | {9_999}
    errors = {at: [ErrorsTrace("m", "mnist/test", 10_000, wrong)] for at, wrong in enumerate([*models, nearly])}
    (overlap,) = overlaps(errors)
    assert (overlap.first, overlap.second) == (0, 12)
    assert overlap.common == len(models[0] & nearly)
    assert overlap.expected < overlap.common < min(overlap.errors) + 1
    between = [len(a & b) for a in models for b in models if a is not b]
    assert overlap.expected == pytest.approx(np.mean(between), rel=0.35)


def test_the_difficulty_of_images_needs_a_class() -> None:
    models = _models(2)
    assert overlaps({at: [ErrorsTrace("m", "k", 10_000, models[0])] for at in range(2)}) == ()


@pytest.mark.parametrize("disguise", DISGUISES)
def test_each_disguise_changes_something(disguise: str) -> None:
    (name,) = [one for one in honest_names() if one.endswith("/amara")]
    cells, facts = DISGUISES[disguise](notebook_cells(name), notebook_cells("cifar-deep/greta"), name)
    assert [cell.source for cell in cells] != [cell.source for cell in notebook_cells(name)]
    assert facts.recipe != name or disguise in {"names", "comments and texts", "seed"}
