"""Propose criteria about data sets that the notebook only preprocesses."""

from collections.abc import Iterator, Sequence

from grader.grading.drafting.base import Proposal, Solution, name_cell, one
from grader.schema.base import Json
from grader.schema.evidence import Evidence, NamedArrayFact

__all__ = ["propose"]

_DIGITS = 3
_PIXELS = 255


def propose(solution: Solution) -> Iterator[Proposal]:
    """Propose the split, scale and labels of each data set that no model was trained on."""
    for dataset in solution.only_prepared:
        yield from _prepared(solution.evidence, dataset)


def _prepared(evidence: Evidence, dataset: str) -> Iterator[Proposal]:
    arrays = [array for array in evidence.arrays if array.rows is not None and array.rows.dataset == dataset]
    scaled = [array for array in arrays if _is_scaled(array) and _images(array)]
    if not scaled:
        return
    parts = _parts(scaled)
    scale = _scale((parts or scaled)[0])
    labels = _labels(evidence, (parts or scaled)[0])
    total = sum(_images(part) for part in parts)
    shares = _shares([_images(part) / total for part in parts]) if total else {}
    base: dict[str, Json] = {"dataset": dataset}
    split = {"parts": shares, "images": total} if shares else {}
    ways = (
        {**base, **split, **scale, **labels, "partial": True},
        {**base, **split, **scale},
        {**base, **scale, **labels},
        {**base, **scale},
        base,
    )
    named = ", ".join(f"`{array.name}` ({_images(array):,})" for array in (parts or scaled[:1]))
    yield Proposal(
        id=f"{dataset.replace('_', '-')}-prepared",
        title=f"{dataset} is preprocessed" + (": split, scaled and labeled" if shares and labels else ""),
        weight=9,
        ways=tuple(one("prepared", **way) for way in ways),
        advice="Split the training images together with their labels, scale every part in the same way, and keep the "
        "labels in the required form.",
        seen=f"{name_cell((parts or scaled)[0].cell)}: {named}",
        stricter="`tolerance` of the shares",
    )


def _images(array: NamedArrayFact) -> int:
    """Count the training images of an array."""
    return array.rows.counts.get("train", 0) if array.rows is not None else 0


def _is_scaled(array: NamedArrayFact) -> bool:
    transform = array.transform
    return transform is not None and transform.kind == "affine" and transform.scale not in {None, 0, 1}


def _parts(arrays: Sequence[NamedArrayFact]) -> tuple[NamedArrayFact, ...]:
    """Choose the two largest arrays without a common image, the larger one first."""
    pairs = [
        (one, other)
        for one in arrays
        for other in arrays
        if one is not other and _images(one) >= _images(other) and one.common.get(other.name) == 0
    ]
    return max(pairs, key=lambda pair: _images(pair[0]) + _images(pair[1]), default=())


def _shares(parts: Sequence[float]) -> dict[str, Json]:
    """Round the shares of the training and the validation part; none if one of them is 0."""
    train = round(parts[0], _DIGITS)
    return {"train": train, "validation": round(1 - train, _DIGITS)} if 0 < train < 1 else {}


def _scale(array: NamedArrayFact) -> dict[str, Json]:
    transform = array.transform
    if transform is None or not transform.scale or transform.scale < 0:
        return {}
    divisor = round(1 / transform.scale, _DIGITS)
    shift = round(transform.shift or 0.0, _DIGITS)
    scale: dict[str, Json] = {} if divisor == _PIXELS else {"divide_by": _short(divisor)}
    scale |= {"add": _short(shift)} if shift else {}
    return {"scale": scale or {"divide_by": _PIXELS}}


def _short(number: float) -> float:
    return int(number) if number == int(number) else number


def _labels(evidence: Evidence, array: NamedArrayFact) -> dict[str, Json]:
    """Return the form of the labels that belong to an array."""
    right = (label for label in evidence.labels if label.right.get(array.name) == 1)
    label = next(right, None)
    if label is None:
        return {}
    form: dict[str, Json] = {"one_hot": label.one_hot}
    width = label.shape[-1] if label.one_hot and label.shape else len(label.classes)
    return {"labels": form | ({"classes": width} if isinstance(width, int) and width > 1 else {})}
