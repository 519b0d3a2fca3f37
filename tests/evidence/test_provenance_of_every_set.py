"""Of each known data set: rows are named exactly, whatever was done to their pixels, or they are said to be unknown.

Every array goes the whole way: described by the recorder's own code into a file, read and recognised by the grader's.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.evidence.arraybook import ArrayBook, KnownArray
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.provenance import DatasetIndex, make_index, recognise_rows
from grader.inside.describe.arrays import ArrayBook as RecorderBook
from grader.inside.describe.fingerprint import fingerprint
from grader.inside.record.recorder import Recorder
from grader.inside.record.session import Session
from tests.support.known_sets import SETS, KnownSet, known_set, natural_images

Array = NDArray[Any]
Prepare = Callable[[Array, DatasetIndex], Array]

REPEATED = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
EVERY_SET = pytest.mark.parametrize("name", SETS)


class Bench:
    """A session with all three data sets, and the grader's side of it."""

    def __init__(self, folder: Path) -> None:
        self.sets: Mapping[str, KnownSet] = {name: known_set(name, folder / "data") for name in SETS}
        self.folder = folder
        self._numbers = itertools.count()

    @property
    def indexes(self) -> dict[str, DatasetIndex]:
        return {name: known.index for name, known in self.sets.items()}

    def seen(self, images: Array, labels: Array | None = None, indexes: Any = None) -> KnownArray:
        """What the grader knows of an array that a model was given."""
        out = self.folder / f"out{next(self._numbers)}"
        out.mkdir()
        now = time.time()
        session = Session(1, out, self.folder / "data", SETS, "keras3", 0, 60, now + 600, 1, 10, 10, "mnist")
        recorder = Recorder(session)
        x, y = RecorderBook(recorder).describe_pair(images, labels)
        recorder.log.close()
        book = ArrayBook(ArtefactFolder(out), self.indexes if indexes is None else indexes)
        known = book.array(x, y)
        assert known is not None
        assert book.problems == []
        return known


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


class Chosen(NamedTuple):
    """Some rows of a data set, in some order, with their raw images and labels."""

    rows: Array
    raw: Array
    labels: Array


def take(known: KnownSet, rows: Array) -> Chosen:
    return Chosen(rows, known.index.raw(rows), known.index.all_labels[rows])


@st.composite
def selections(draw: st.DrawFn, known: KnownSet, least: int = 1) -> Chosen:
    """A piece, a shuffled part, two stacked parts, training images with test images mixed in, or rows drawn freely."""
    train = known.index.sizes["train"]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(least, least + 300))
    start = draw(st.integers(0, train - count - 1))
    few = draw(st.integers(1, 40))
    tests = train + rng.choice(known.rows - train, few, replace=False)
    rows = {
        "piece": np.arange(start, start + count),
        "shuffled": rng.permutation(train)[:count],
        "stacked": np.concatenate([np.arange(start, start + count), np.arange(train, train + few)]),
        "mixed": rng.permutation(np.concatenate([rng.permutation(train)[:count], tests])),
        "repeated": rng.integers(0, known.rows, count),
    }[draw(st.sampled_from(["piece", "shuffled", "stacked", "mixed", "repeated"]))]
    return take(known, rows)


def axes(x: Array) -> tuple[int, ...]:
    return tuple(range(1, x.ndim))


def per_image(x: Array, _: DatasetIndex) -> Array:
    work = x.astype(np.float64)
    made: Array = (work - work.mean(axes(x), keepdims=True)) / np.maximum(work.std(axes(x), keepdims=True), 1e-7)
    return made


def columns(x: Array, like: Array) -> Array:
    """As scikit-learn's `StandardScaler` does it, fitted on `like`."""
    flat = like.reshape(len(like), -1).astype(np.float64)
    std = flat.std(axis=0)
    made: Array = (x.reshape(len(x), -1) - flat.mean(axis=0)) / np.where(std == 0, 1, std)
    return made.reshape(x.shape)


def channels(x: Array, index: DatasetIndex) -> Array:
    train = index.images["train"].astype(np.float64) / 255
    made: Array = (x / 255 - train.mean((0, 1, 2))) / train.std((0, 1, 2))
    return made


def padded(x: Array, _: DatasetIndex) -> Array:
    return np.pad(x / 255.0, ((0, 0), (2, 2), (2, 2), *((0, 0),) * (x.ndim - 3)))


BY_PIXELS: Mapping[str, Prepare] = {
    "raw": lambda x, _: x,
    "divided": lambda x, _: x / np.float32(255),
    "halved": lambda x, _: x / 255 - 0.5,
    "both signs": lambda x, _: x / 127.5 - 1,
    "one mean": lambda x, i: (x - i.images["train"].mean()) / i.images["train"].std(),
    "per image": per_image,
    "own contrast": lambda x, _: x * np.linspace(0.5, 1.5, len(x)).reshape(-1, *(1,) * (x.ndim - 1)) + 3,
    "flattened": lambda x, _: x.reshape(len(x), -1) / 255,
    "channel axis": lambda x, _: x[..., None] if x.ndim == 3 else x,
    "padded": padded,
    "three channels": lambda x, _: np.repeat(x[..., None], 3, axis=-1) / 255 if x.ndim == 3 else x / 255,
    "padded and three channels": lambda x, i: np.repeat(padded(x, i)[..., None], 3, axis=-1) if x.ndim == 3 else x,
}
"""What a fingerprint or a plain form survives."""


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_rows_keep_their_numbers_however_they_were_scaled_and_shaped(
    bench: Bench, name: str, data: st.DataObject
) -> None:
    known = bench.sets[name]
    chosen = data.draw(selections(known))
    prepare = BY_PIXELS[data.draw(st.sampled_from(sorted(BY_PIXELS)))]
    found = bench.seen(prepare(chosen.raw, known.index))
    assert found.rows is not None
    np.testing.assert_array_equal(found.rows, chosen.rows)
    fact = found.fact.rows
    assert fact is not None
    assert (fact.dataset, fact.method, fact.matched) == (name, "fingerprint", 1.0)
    assert fact.counts == known.index.counts(chosen.rows.astype(np.int32))
    assert fact.duplicates == sum(np.unique(chosen.rows, return_counts=True)[1] > 1)
    assert sum(fact.classes.values()) == len(chosen.rows)


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_half_precision_may_lose_a_row_and_never_names_another(bench: Bench, name: str, data: st.DataObject) -> None:
    known = bench.sets[name]
    chosen = data.draw(selections(known, least=40))
    found = bench.seen((chosen.raw / 255).astype(np.float16))
    assert found.rows is not None
    named = found.rows >= 0
    np.testing.assert_array_equal(found.rows[named], chosen.rows[named])
    assert named.mean() >= 0.8


PIXEL_BY_PIXEL: Mapping[str, Prepare] = {
    "as the training images": lambda x, i: columns(x, i.images["train"]),
    "flattened": lambda x, i: columns(x, i.images["train"]).reshape(len(x), -1),
    "channel axis": lambda x, i: columns(x, i.images["train"]).reshape(len(x), *(*i.image_shape, 1)[:3]),
    "single precision": lambda x, i: columns(x, i.images["train"]).astype(np.float32),
    "by channel": lambda x, i: channels(x, i) if x.ndim == 4 else columns(x, i.images["train"]),
    "channels first": lambda x, i: np.moveaxis(columns(x, i.images["train"]), -1, 1) if x.ndim == 4 else columns(x, x),
    "by their own statistics": lambda x, _: columns(x, x),
}


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_rows_standardised_pixel_by_pixel_or_by_channel_are_named_or_unknown_and_never_wrong(
    bench: Bench, name: str, data: st.DataObject
) -> None:
    known = bench.sets[name]
    chosen = data.draw(selections(known, least=150))
    prepare = PIXEL_BY_PIXEL[data.draw(st.sampled_from(sorted(PIXEL_BY_PIXEL)))]
    found = bench.seen(prepare(chosen.raw, known.index))
    assert found.fact.rows is not None
    assert found.fact.rows.dataset == name
    assert found.rows is not None
    named = found.rows >= 0
    np.testing.assert_array_equal(found.rows[named], chosen.rows[named])
    assert named.mean() > 0.95
    assert found.fact.rows.matched == named.mean()


@EVERY_SET
def test_every_test_image_among_standardised_training_images_is_found(bench: Bench, name: str) -> None:
    known = bench.sets[name]
    rng = np.random.default_rng(11)
    mixed = rng.permutation(np.concatenate([np.arange(2500), known.index.starts["test"] + np.arange(7)]))
    # Seven of 2,507 are too few to stand in the sample by more than chance.
    chosen = take(known, mixed)
    fact = bench.seen(columns(chosen.raw, chosen.raw)).fact.rows
    assert fact is not None
    assert fact.method == "landmarks"
    assert fact.counts["test"] == 7


def blurred(x: Array) -> Array:
    moved = [np.roll(x.astype(np.float64), shift, axis) for shift in (-1, 0, 1) for axis in (1, 2)]
    made: Array = np.mean(moved, axis=0)
    return made


def halved_in_size(x: Array) -> Array:
    made: Array = (x[:, ::2, ::2].astype(np.float64) + x[:, 1::2, 1::2]) / 2
    return made


def noisy(x: Array, seed: int) -> Array:
    return x / 255 + np.random.default_rng(seed).normal(0, 0.1, x.shape)


def corner_inverted(x: Array) -> Array:
    made = x.copy()
    made[:, :14, :14] = 255 - made[:, :14, :14]
    return made


CHANGED: Mapping[str, Callable[[Array, int], Array]] = {
    "mirrored": lambda x, _: x[:, :, ::-1],
    "upside down": lambda x, _: x[:, ::-1],
    "turned": lambda x, _: np.rot90(x, axes=(1, 2)),
    "moved": lambda x, seed: np.roll(x, 1 + seed % 5, axis=1 + seed % 2),
    "noisy": noisy,
    "blurred": lambda x, _: blurred(x),
    "smaller": lambda x, _: halved_in_size(x),
    "larger": lambda x, _: x.repeat(2, axis=1).repeat(2, axis=2),
    "cropped": lambda x, _: x[:, 2:-2, 2:-2],
    "mixed with the next": lambda x, _: (x.astype(np.float64) + np.roll(x, 1, axis=0)) / 2,
    "one corner inverted": lambda x, _: corner_inverted(x),
    "inverted": lambda x, _: 1 - x / 255,
}


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_rows_of_changed_pictures_are_unknown_rather_than_guessed(bench: Bench, name: str, data: st.DataObject) -> None:
    known = bench.sets[name]
    chosen = data.draw(selections(known, least=40))
    change = CHANGED[data.draw(st.sampled_from(sorted(CHANGED)))]
    labels = chosen.labels if data.draw(st.booleans()) else None
    found = bench.seen(change(chosen.raw, data.draw(st.integers(0, 99))), labels)
    fact = found.fact.rows
    if fact is None:
        return
    # What is said all the same is true: labels in the data set's own order, a picture that the change left as it was.
    assert found.rows is not None
    named = found.rows >= 0
    assert fact.dataset == name
    np.testing.assert_array_equal(found.rows[named], chosen.rows[named])
    if fact.method != "labels":
        assert fact.matched < 0.05


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_augmented_pictures_among_untouched_ones_are_the_unknown_ones(
    bench: Bench, name: str, data: st.DataObject
) -> None:
    known = bench.sets[name]
    chosen = data.draw(selections(known, least=40))
    moved = np.roll(chosen.raw, 3, axis=1)
    found = bench.seen(np.concatenate([chosen.raw, moved]) / 255.0)
    assert found.rows is not None
    same = np.array([np.array_equal(a, b) for a, b in zip(chosen.raw, moved, strict=True)])
    np.testing.assert_array_equal(found.rows[: len(moved)], chosen.rows)
    assert (found.rows[len(moved) :][~same] == -1).all()


def unrelated(kind: str, shape: tuple[int, ...], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    if kind == "natural":
        return natural_images(200, shape, seed + 1000)
    if kind == "bytes":
        return rng.integers(0, 256, (200, *shape), dtype=np.uint8)
    if kind == "sparse":
        return np.where(rng.random((200, *shape)) < 0.2, rng.integers(0, 256, (200, *shape)), 0).astype(np.uint8)
    return rng.normal(size=(200, *shape))


@EVERY_SET
@REPEATED
@given(
    kind=st.sampled_from(["natural", "bytes", "sparse", "normal"]),
    seed=st.integers(0, 2**31),
    prepared=st.sampled_from(["", "per image", "columns"]),
    labelled=st.booleans(),
)
def test_unrelated_pictures_are_of_no_data_set(  # noqa: PLR0913 - what hypothesis draws
    bench: Bench, name: str, kind: str, seed: int, prepared: str, *, labelled: bool
) -> None:
    index = bench.sets[name].index
    images = unrelated(kind, index.image_shape, seed)
    if prepared:
        images = per_image(images, index) if prepared == "per image" else columns(images, images)
    found = bench.seen(images, index.labels["train"][:200] if labelled else None)
    assert found.fact.rows is None
    assert found.rows is None


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_one_data_set_is_not_taken_for_another(bench: Bench, name: str, data: st.DataObject) -> None:
    chosen = data.draw(selections(bench.sets[name], least=40))
    others = {other: index for other, index in bench.indexes.items() if other != name}
    for prepare in (lambda x: x / 255, lambda x: columns(x, x)):
        assert bench.seen(prepare(chosen.raw), chosen.labels, others).fact.rows is None


@EVERY_SET
@REPEATED
@given(data=st.data())
def test_labels_say_what_they_stand_for_in_any_form(bench: Bench, name: str, data: st.DataObject) -> None:
    known = bench.sets[name]
    chosen = data.draw(selections(known, least=40))
    form = data.draw(st.sampled_from([lambda y: y, lambda y: y[:, None], lambda y: np.eye(10)[y]]))
    images = chosen.raw / 255.0
    recorded = bench.folder / f"labels{time.time_ns()}"
    recorded.mkdir()
    session = Session(1, recorded, bench.folder / "data", SETS, "keras3", 0, 60, time.time() + 600, 1, 10, 10, name)
    recorder = Recorder(session)
    x, y = RecorderBook(recorder).describe_pair(images, form(chosen.labels))
    recorder.log.close()
    book = ArrayBook(ArtefactFolder(recorded), bench.indexes)
    fact = book.label(y, book.array(x, y))
    assert fact is not None
    assert fact.shape == form(chosen.labels).shape
    assert fact.one_hot == (fact.shape[-1] == 10 and len(fact.shape) == 2)
    counts = {str(label): int((chosen.labels == label).sum()) for label in np.unique(chosen.labels)}
    assert fact.classes == counts
    assert fact.meaning == {label: {label: count} for label, count in counts.items()}


@settings(deadline=None, max_examples=25)
@example(
    seed=58138, colour=False, twins=1, near=1
)  # the last training image stands before one that the test set begins with
@given(seed=st.integers(0, 2**31), colour=st.booleans(), twins=st.integers(1, 8), near=st.integers(1, 8))
def test_of_equal_pictures_either_copy_is_named_and_a_near_copy_is_a_row_of_its_own(
    seed: int, twins: int, near: int, *, colour: bool
) -> None:
    rng = np.random.default_rng(seed)
    train = natural_images(60, (12, 12, 3) if colour else (12, 12), seed)
    test = natural_images(20, train.shape[1:], seed + 1)
    test[:twins] = train[:twins]
    # As in the real sets: the same picture but for a mark in a corner.
    test[twins : twins + near] = train[twins : twins + near]
    corner = test[twins : twins + near, :2, :2]
    corner[...] = np.where(corner < 128, 255, 0)
    both = np.concatenate([train, test])
    index = make_index("d", train, np.zeros(60), test, np.zeros(20), fingerprint(both))
    rows = rng.permutation(80)
    found = _rows_of(both[rows] / 255.0, index)
    for at, row in zip(found, rows, strict=True):
        if row < twins or 60 <= row < 60 + twins:
            np.testing.assert_array_equal(both[at], both[row])
        else:
            assert at == row
    # Nobody is told of a test image that may as well be its copy among the training images.
    alone = _rows_of(train[rows[rows < 60]] / 255.0, index)
    np.testing.assert_array_equal(alone, rows[rows < 60])


def _rows_of(images: Array, index: DatasetIndex) -> Array:
    found = recognise_rows(fingerprint(images), None, None, None, {"d": index})
    assert found is not None
    assert found.rows is not None
    return found.rows


@EVERY_SET
def test_rows_with_one_fingerprint_are_one_picture(bench: Bench, name: str) -> None:
    index = bench.sets[name].index
    for at in np.flatnonzero(index.repeated).tolist():
        one, other = index.raw(index.order[[at, at + 1]]).astype(np.float64).reshape(2, -1)
        assert np.corrcoef(one, other)[0, 1] > 0.99
