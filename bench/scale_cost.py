"""Measure how the cost of a submission grows with its cells, its models, and the events of its record."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from grader.datasets.store import DatasetStore
from grader.evidence.build import build_evidence
from grader.pipeline.course import Course, load_course
from grader.pipeline.publish import judge
from grader.pipeline.rubrics import find_rubric
from grader.report.page import render_report
from grader.schema.errors import ArtefactError
from grader.schema.evidence import Evidence
from grader.schema.submission import Submission
from grader.store.results import ResultsFolder

__all__ = ["chart", "exponent", "measure_scale"]

_SIZES = {"cells": (10, 100, 600, 2_000), "models": (1, 10, 50, 200), "events": (100, 1_000, 10_000, 50_000)}
_ROUNDS = 3


def measure_scale(graded: Path, *, quick: bool) -> dict[str, list[tuple[int, float]]]:
    """Grade and render copies of one submission that have more cells, models or events.

    Args:
        graded: A results folder of `mnist-cnn`.
        quick: Whether to measure only the smaller sizes.

    Returns:
        For each part, its sizes with processor seconds.
    """
    out = ResultsFolder(graded)
    course = load_course(find_rubric("mnist-cnn"), DatasetStore())
    name = next(one for one in out.submissions() if (known := out.read_evidence(one)) and known.fits)
    evidence = out.read_evidence(name)
    if evidence is None:
        return {}
    notebook = json.loads(out.executed_path(name).read_bytes())
    run: dict[str, Callable[[int], Callable[[], object]]] = {
        "cells": lambda size: lambda: _graded(_with_cells(evidence, size), _longer(notebook, size), course),
        "models": lambda size: _prepared(_with_models(evidence, size), notebook, course),
        "events": lambda size: _building(out, name, size),
    }
    if not (out.evidence_folder(name) / "events.jsonl").exists():
        # Results that were made without an execution have no record.
        del run["events"]
    return {
        part: [(size, _seconds(make(size))) for size in (_SIZES[part][:2] if quick else _SIZES[part])]
        for part, make in run.items()
    }


def exponent(costs: Sequence[tuple[int, float]]) -> float:
    """Return the exponent of growth between the two largest sizes: 1 is linear, 2 is quadratic."""
    (small, before), (large, after) = costs[-2:]
    return math.log(after / before) / math.log(large / small)


def chart(costs: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """Draw the costs with logarithmic axes as an SVG file; a dashed line shows linear growth.

    Args:
        costs: For each part, its sizes with processor seconds.
    """
    points = [point for several in costs.values() for point in several]
    left, right = (math.log10(pick(size for size, _ in points)) for pick in (min, max))
    low, high = (math.log10(pick(seconds for _, seconds in points)) for pick in (min, max))

    def place(size: float, seconds: float) -> str:
        x = 60 + 480 * (math.log10(size) - left) / (right - left)
        y = 340 - 300 * (math.log10(seconds) - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    colors = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce")
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 380" font-family="sans-serif" font-size="12">',
        "<title>Processor time by size, both axes logarithmic</title>",
        '<rect width="600" height="380" fill="white"/>',
        '<path d="M60 30V340H560" fill="none" stroke="#555"/>',
        f'<text x="60" y="362">{10**left:,.0f}</text><text x="540" y="362" text-anchor="end">{10**right:,.0f}</text>',
        f'<text x="54" y="340" text-anchor="end">{10**low:.2g} s</text>',
        f'<text x="54" y="44" text-anchor="end">{10**high:.2g} s</text>',
    ]
    for (name, several), color in zip(costs.items(), colors, strict=False):
        path = " ".join(place(*point) for point in several)
        (first, seconds), last = several[0], several[-1][0]
        linear = min(seconds * last / first, 10**high)
        straight = f"{place(first, seconds)} {place(first * linear / seconds, linear)}"
        x, y = place(*several[-1]).split(",")
        lines += [
            f'<polyline points="{straight}" fill="none" stroke="{color}" stroke-dasharray="2 4" opacity="0.6"/>',
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
            f'<text x="{min(float(x) + 6, 530):.1f}" y="{float(y) - 6:.1f}" fill="{color}">{name}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _seconds(action: Callable[[], object]) -> float:
    """Return the processor seconds of the fastest of several calls; other load only adds time."""
    times = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


def _prepared(evidence: Evidence, notebook: dict[str, Any], course: Course) -> Callable[[], object]:
    return lambda: _graded(evidence, notebook, course)


def _graded(evidence: Evidence, notebook: dict[str, Any], course: Course) -> str:
    """Grade evidence, and render the report."""
    grade = judge(Submission(id="one", student="One", notebook=Path(), sha256="0" * 64), evidence, course)
    return render_report(
        grade=grade,
        evidence=evidence,
        reference=course.reference,
        notebook=notebook,
        images=course.images(),
        rubric=course.loaded.rubric,
        templates=course.templates,
        language=course.language,
    )


def _with_cells(evidence: Evidence, size: int) -> Evidence:
    """Repeat the cells, each with a line of its own."""
    cells = [evidence.cells[index % len(evidence.cells)].model_copy(update={"index": index}) for index in range(size)]
    named = [cell.model_copy(update={"source": f"{cell.source}\n# {cell.index}"}) for cell in cells]
    return evidence.model_copy(update={"cells": tuple(named)})


def _longer(notebook: dict[str, Any], size: int) -> dict[str, Any]:
    cells = notebook["cells"]
    repeated = [{**cells[index % len(cells)]} for index in range(size)]
    for index, cell in enumerate(repeated):
        cell["source"] = "".join(cell["source"]) + f"\n# {index}"
    return {**notebook, "cells": repeated}


def _with_models(evidence: Evidence, size: int) -> Evidence:
    """Repeat the last trained model with its compile, training and accuracy, under other ids."""
    fit = evidence.fits[-1]
    kept = evidence.model(fit.model)
    compiled = [one for one in evidence.compiles if one.model == fit.model]
    accuracies = [one for one in evidence.accuracies if one.model == fit.model]
    if kept is None:
        return evidence
    ids = [f"copy{number}" for number in range(size)]
    offset = 1_000
    return evidence.model_copy(
        update={
            "models": tuple(kept.model_copy(update={"id": ident, "name": f"model_{ident}"}) for ident in ids),
            "compiles": tuple(
                one.model_copy(update={"model": ident, "event": one.event + offset * at})
                for at, ident in enumerate(ids)
                for one in compiled
            ),
            "fits": tuple(
                fit.model_copy(
                    update={
                        "model": ident,
                        "event": fit.event + offset * at,
                        "compiled": None if fit.compiled is None else fit.compiled + offset * at,
                    }
                )
                for at, ident in enumerate(ids)
            ),
            "accuracies": tuple(one.model_copy(update={"model": ident}) for ident in ids for one in accuracies),
        }
    )


def _building(out: ResultsFolder, name: str, size: int) -> Callable[[], object]:
    """Build evidence from a record whose trainings are repeated."""
    lines = (out.evidence_folder(name) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = list(_repeated([json.loads(line) for line in lines], size))
    evidence = out.read_evidence(name)
    notebook = json.loads(out.executed_path(name).read_bytes())
    run = evidence.run if evidence is not None else None

    def build() -> object:
        return run and build_evidence(
            run=run, notebook=notebook, submitted=None, events=events, arrays=_no_array, indexes={}
        )

    return build


def _no_array(_path: str) -> Any:
    msg = "not measured"
    raise ArtefactError(msg)


def _repeated(events: Sequence[dict[str, Any]], size: int) -> Iterator[dict[str, Any]]:
    """Yield the events up to the first training, then that training again and again, then the end."""
    starts = next(index for index, event in enumerate(events) if event["kind"] == "fit_start")
    ends = next(index for index, event in enumerate(events) if event["kind"] == "fit_end")
    number, fit = 0, 0
    for event in events[:starts]:
        number += 1
        yield {**event, "n": number}
    while number < size - 1:
        fit += 1
        for event in events[starts : ends + 1]:
            number += 1
            yield {**event, "n": number, "fit": fit}
    yield {"n": number + 1, "t": 0.0, "cell": 0, "kind": "end"}
