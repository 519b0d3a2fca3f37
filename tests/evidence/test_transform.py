"""What was done to raw pixels is found and can be done again."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.evidence.transform import (
    Preparation,
    align,
    describe_transform,
    find_transform,
    pixel_statistics,
    prepare_images,
)
from grader.facts.language import english
from grader.schema.evidence import TransformFact

RAW = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


@settings(deadline=None, max_examples=60)
@given(
    scale=st.floats(1e-4, 1e3) | st.floats(-1e3, -1e-4),
    shift=st.floats(-5, 5),
    half=st.booleans(),
)
def test_one_scale_and_shift_are_found_and_repeated(scale: float, shift: float, *, half: bool) -> None:
    precision = np.float16 if half and 0.01 < abs(scale) < 100 else np.float32
    sample = (RAW * scale + shift).astype(precision).astype(np.float32)
    found = find_transform(sample, RAW)
    assert found.fact.kind == "affine"
    again = prepare_images(RAW, found, (8, 8))
    assert again is not None
    np.testing.assert_allclose(again, sample, atol=2e-3 * float(np.ptp(sample)))


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (RAW, "raw pixels (0 to 255)"),
        (RAW / np.float32(255), "x / 255"),
        (RAW / 255 - 0.5, "x / 255 - 0.5"),
        (RAW / 127.5 - 1, "x / 127.5 - 1"),
        (1 - RAW / 255, "1 - x / 255"),
        ((RAW - 33.3) / 78.6, "(x - 33.3) / 78.6"),
    ],
)
def test_a_preparation_is_said_as_students_write_it(sample: NDArray[Any], words: str) -> None:
    assert english(describe_transform(find_transform(sample.astype(np.float32), RAW).fact)) == words


def l2(x: NDArray[Any], axis: int | tuple[int, ...]) -> NDArray[Any]:
    norm = np.sqrt((x**2).sum(axis=axis, keepdims=True))
    result: NDArray[Any] = x / np.where(norm == 0, 1, norm)
    return result


RULES: dict[str, Any] = {
    "standardise": lambda x: (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True),
    "minmax": lambda x: (x - x.min((1, 2), keepdims=True)) / np.ptp(x, axis=(1, 2)).reshape(-1, 1, 1),
    "max": lambda x: x / x.max((1, 2), keepdims=True),
    "sum": lambda x: x / x.sum((1, 2), keepdims=True),
    "centre": lambda x: x / 255 - (x / 255).mean((1, 2), keepdims=True),
    "l2": lambda x: l2(x, (1, 2)),
    "l2_columns": lambda x: l2(x, 1),
    "l2_rows": lambda x: l2(x, 2),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_for_each_image_are_told_apart_and_repeated(rule: str) -> None:
    images = (RAW // np.arange(2, 42, dtype=np.uint8)[:, None, None] + 3).astype(np.uint8)
    sample = RULES[rule](images.astype(np.float32))
    found = find_transform(sample[..., None], images)
    assert (found.fact.kind, found.fact.rule) == ("per_image", rule)
    again = prepare_images(images, found, (8, 8, 1))
    assert again is not None
    np.testing.assert_allclose(again[..., 0], sample, atol=1e-4)
    assert english(describe_transform(found.fact)).startswith(("each", "x / 255"))


def test_brightness_that_differs_from_image_to_image_cannot_be_repeated() -> None:
    jitter = np.random.default_rng(1).uniform(0.5, 1.5, (40, 1, 1))
    found = find_transform(RAW * jitter + 2, RAW)
    assert (found.fact.kind, found.fact.rule) == ("per_image", None)
    assert prepare_images(RAW, found, (8, 8)) is None


def test_standardised_pixels_are_repeated_from_the_statistics(mnist: SimpleNamespace) -> None:
    statistics = pixel_statistics(mnist.x_train[:6000])
    std = np.where(statistics.std == 0, 1, statistics.std)
    found = find_transform((mnist.x_train[:100] - statistics.mean) / std, mnist.x_train[:100], [statistics])
    assert found.fact.kind == "per_pixel"
    again = prepare_images(mnist.x_test[:500], found, (28, 28))
    assert again is not None
    seen = statistics.std > 0
    np.testing.assert_allclose(
        again[:, seen], ((mnist.x_test[:500] - statistics.mean) / std)[:, seen], rtol=1e-4, atol=1e-4
    )


def test_a_subtracted_mean_image_is_repeated(mnist: SimpleNamespace) -> None:
    statistics = pixel_statistics(mnist.x_train[:6000])
    found = find_transform((mnist.x_train[:100] - statistics.mean) / 255, mnist.x_train[:100], [statistics])
    again = prepare_images(mnist.x_test[:500], found, (28, 28))
    assert again is not None
    np.testing.assert_allclose(again, (mnist.x_test[:500] - statistics.mean) / 255, atol=1e-4)


def test_unknown_statistics_are_regressed_pixel_by_pixel() -> None:
    rng = np.random.default_rng(3)
    scale, shift = rng.uniform(0.5, 2, (8, 8)), rng.normal(size=(8, 8))
    found = find_transform(RAW * scale + shift, RAW)
    assert found.pixels is not None
    np.testing.assert_allclose(found.pixels.scale, scale, rtol=1e-6)
    np.testing.assert_allclose(found.pixels.shift, shift, atol=1e-6)


def test_a_few_rows_do_not_make_a_formula_for_each_pixel() -> None:
    unrelated = np.random.default_rng(4).normal(size=(2, 8, 8))
    assert find_transform(unrelated, RAW[:2]).fact.kind == "unknown"


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(np.zeros((40, 8, 8)), id="constant"),
        pytest.param((RAW > 127).astype(float), id="binarised"),
        pytest.param(RAW.astype(float) ** 0.5, id="root"),
        pytest.param(np.where(RAW > 250, np.nan, RAW.astype(float)), id="not a number"),
        pytest.param(np.zeros((40, 5, 5)), id="another size"),
        pytest.param(RAW[:39].astype(float), id="another number of rows"),
        pytest.param(np.random.default_rng(0).normal(size=(40, 8, 8)), id="noise"),
    ],
)
def test_what_no_formula_makes_is_unknown(sample: NDArray[Any]) -> None:
    found = find_transform(sample, RAW)
    assert found.fact.kind == "unknown"
    assert prepare_images(RAW, found, (8, 8)) is None


def test_no_rows_have_no_transform() -> None:
    assert find_transform(np.zeros((0, 8, 8)), RAW[:0]).fact.kind == "unknown"


COLOUR = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), dtype=np.uint8)
SHAPES: list[tuple[NDArray[Any], tuple[int | None, ...], tuple[int, ...]]] = [
    (RAW, (8, 8), (8, 8)),
    (RAW, (8, 8, 1), (8, 8, 1)),
    (RAW, (1, 8, 8), (1, 8, 8)),
    (RAW, (64,), (64,)),
    (RAW, (None,), (64,)),
    (RAW, (None, None, 1), (8, 8, 1)),
    (RAW, (8, 8, 3), (8, 8, 3)),
    (RAW, (12, 12, 1), (12, 12, 1)),
    (RAW, (12, 12, 3), (12, 12, 3)),
    (COLOUR, (6, 4, 3), (6, 4, 3)),
    (COLOUR, (3, 6, 4), (3, 6, 4)),
    (COLOUR, (72,), (72,)),
    (COLOUR, (None, None, 3), (6, 4, 3)),
]


@pytest.mark.parametrize(("raw", "shape", "made"), SHAPES)
def test_images_come_in_the_shape_a_model_takes_and_back(
    raw: NDArray[Any], shape: tuple[int | None, ...], made: tuple[int, ...]
) -> None:
    inputs = prepare_images(raw, Preparation(TransformFact(kind="affine", scale=1 / 255, shift=0.0)), shape)
    assert inputs is not None
    assert inputs.shape == (len(raw), *made)
    assert inputs.dtype == np.float32
    back = align(inputs, raw.shape[1:])
    assert back is not None
    np.testing.assert_allclose(back, raw / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(), (10,), (7, 7), (32, 32, 1), (9, 9), (8, 8, 10**12), (0,), (8, 8, 2), (8,) * 5])
def test_an_impossible_shape_gives_no_inputs(shape: tuple[int, ...]) -> None:
    assert prepare_images(RAW, Preparation(TransformFact(kind="affine", scale=1.0, shift=0.0)), shape) is None


def test_the_frame_around_small_images_is_what_black_becomes() -> None:
    inputs = prepare_images(RAW, Preparation(TransformFact(kind="affine", scale=1 / 255, shift=-0.5)), (10, 10))
    assert inputs is not None
    assert set(np.unique(inputs[:, 0])) == {-0.5}


def test_more_than_one_chunk_is_prepared_alike(mnist: SimpleNamespace) -> None:
    inputs = prepare_images(mnist.x_test[:2500], Preparation(TransformFact(kind="per_image", rule="max")), (784,))
    assert inputs is not None
    np.testing.assert_allclose(inputs[2400].max(), 1)
    np.testing.assert_allclose(inputs[1234], mnist.x_test[1234].reshape(-1) / mnist.x_test[1234].max(), atol=1e-6)


def test_statistics_agree_with_numpy(mnist: SimpleNamespace) -> None:
    images = mnist.x_train[:2500]
    statistics = pixel_statistics(images)
    np.testing.assert_allclose(statistics.mean, images.mean(0), rtol=1e-6)
    np.testing.assert_allclose(statistics.std, images.std(0), rtol=1e-5, atol=1e-4)
