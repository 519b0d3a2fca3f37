"""Rank submissions in a competition: places, the Pareto front, and a plot of both."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup

from grader.facts.language import Language
from grader.report.svg import Scale, element, nice_ticks, picture
from grader.report.text import ENGLISH, count, percent
from grader.schema.base import Assurance
from grader.schema.grade import Grade
from grader.schema.message import Message, say, say_count

__all__ = ["Place", "front_plot", "places", "standing"]

_WIDTH, _HEIGHT = 720.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 20.0, 18.0, 54.0
_NAME_CHARACTERS = 18
_CHARACTER = 6.6
"""Width of an average character in the plot's font."""
_MOST_NAMED = 12
"""Maximum number of names in the plot; more would be unreadable, and the table contains all of them."""

_Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Place:
    """One submission in the competition."""

    student: str
    parameters: int
    accuracy: float
    """Accuracy as a fraction of 1."""
    points: float
    max_points: float
    height: float
    """Height on the rubric's curve: 0 earns nothing, 1 full marks, and it may exceed 1; it breaks ties."""
    verified: bool
    """Whether parameters and accuracy were computed outside the student's process."""
    report: str | None = None
    rank: int = 0
    """Rank from 1; tied submissions share a rank."""
    front: bool = False
    """Whether no other submission is at least as good in parameters and accuracy, and better in one of them."""


def standing(grade: Grade, criterion: str, report: str | None) -> Place | None:
    """Extract a submission's figures for the competition from its grade.

    Args:
        grade: The grade.
        criterion: Id of the criterion that decides the competition.
        report: Relative address of the submission's report.

    Returns:
        The figures, or None if the criterion measured no parameters or no accuracy.
    """
    line = next((c for c in grade.criteria if c.id == criterion), None)
    if line is None or grade.status != "graded":
        return None
    parameters, accuracy, height = (line.measured.get(key) for key in ("parameters", "accuracy", "height"))
    if not isinstance(parameters, int) or not isinstance(accuracy, (int, float)):
        return None
    if parameters < 1 or not math.isfinite(accuracy):
        return None
    return Place(
        student=grade.submission.student,
        parameters=parameters,
        accuracy=float(accuracy),
        points=line.points,
        max_points=line.max_points,
        height=float(height) if isinstance(height, (int, float)) and math.isfinite(height) else 0.0,
        verified=line.assurance is Assurance.VERIFIED,
        report=report,
    )


def places(entries: Sequence[Place]) -> tuple[Place, ...]:
    """Rank the submissions and mark the Pareto front.

    More points rank first, then a greater height on the curve, then fewer parameters. Tied submissions share a rank,
    and the next rank counts all of them.

    Args:
        entries: Results of `standing`, in any order.

    Returns:
        Places ordered by rank, tied ones by name.
    """
    ordered = sorted(entries, key=lambda entry: (*_merit(entry), entry.student))
    front = _undominated(entries)
    ranked: list[Place] = []
    for position, entry in enumerate(ordered, start=1):
        tied = bool(ranked) and _merit(ranked[-1]) == _merit(entry)
        rank = ranked[-1].rank if tied else position
        ranked.append(replace(entry, rank=rank, front=(entry.parameters, entry.accuracy) in front))
    return tuple(ranked)


def _merit(entry: Place) -> tuple[float, float, int]:
    return (-entry.points, -entry.height, entry.parameters)


def _undominated(entries: Sequence[Place]) -> set[tuple[int, float]]:
    """Return the pairs of parameters and accuracy on the Pareto front."""
    front: set[tuple[int, float]] = set()
    best = -math.inf
    for parameters, accuracy in sorted({(e.parameters, e.accuracy) for e in entries}, key=lambda p: (p[0], -p[1])):
        if accuracy > best:
            front.add((parameters, accuracy))
            best = accuracy
    return front


def front_plot(ranked: Sequence[Place], language: Language = ENGLISH) -> Markup:
    """Draw accuracy against the logarithm of the parameters, with the Pareto front as a stepped line.

    Args:
        ranked: Result of `places`.
        language: The language of the texts.

    Returns:
        An `svg` whose description lists the front; an empty string without places.
    """
    if not ranked:
        return Markup()
    across, up = _across(ranked), _up(ranked)
    front = _front_of(ranked)
    # Draw the front last, so that no other mark covers it.
    marks = [_mark(entry, across, up, language) for entry in sorted(ranked, key=lambda entry: entry.front)]
    parts = [*_grid(across, up, language), _steps(front, across, up), *marks, *_labels(ranked, across, up)]
    title = language.text(say("Accuracy against the number of parameters"))
    description = language.text(
        say(
            "Submissions on the Pareto front, from the fewest parameters to the most: {front:clauses}. "
            "The table next to the plot lists all submissions.",
            front=[_figures(entry) for entry in front],
        )
    )
    return picture("front", title, description, (_WIDTH, _HEIGHT), *parts, class_="plot front-plot")


def _front_of(ranked: Sequence[Place]) -> list[Place]:
    return sorted((entry for entry in ranked if entry.front), key=lambda entry: entry.parameters)


def _across(ranked: Sequence[Place]) -> Scale:
    sizes = [entry.parameters for entry in ranked]
    return Scale(min(sizes) / 1.5, max(sizes) * 1.5, _LEFT, _WIDTH - _RIGHT, log=True)


def _up(ranked: Sequence[Place]) -> Scale:
    figures = [entry.accuracy for entry in ranked]
    room = max((max(figures) - min(figures)) * 0.12, 0.005)
    return Scale(max(0.0, min(figures) - room), min(1.0, max(figures) + room), _HEIGHT - _BOTTOM, _TOP)


def _grid(across: Scale, up: Scale, language: Language) -> list[Markup]:
    base, end = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts: list[Markup] = []
    ticks = nice_ticks(up.low, up.high, 6)
    digits = 0 if len(ticks) > 1 and ticks[1] - ticks[0] >= 0.0099 else 1  # noqa: PLR2004  steps of a whole percent
    for tick in ticks:
        y = up(tick)
        parts.append(element("line", x1=_LEFT, x2=end, y1=y, y2=y, class_="grid"))
        parts.append(element("text", percent(tick, language, digits), x=_LEFT - 8, y=y + 4, text_anchor="end"))
    for size in _sizes(across.low, across.high):
        x = across(size)
        parts.append(element("line", x1=x, x2=x, y1=_TOP, y2=base, class_="grid"))
        parts.append(element("text", count(size, language), x=x, y=base + 18, text_anchor="middle"))
    parts.append(element("line", x1=_LEFT, x2=end, y1=base, y2=base, class_="axis"))
    middle = (_LEFT + end) / 2
    label = language.text(say("parameters (logarithmic)"))
    parts.append(element("text", label, x=middle, y=_HEIGHT - 12, text_anchor="middle"))
    return parts


def _sizes(low: float, high: float) -> list[int]:
    """List round numbers of parameters between two limits: powers of ten, with 2 and 5 times them in a short range."""
    steps = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)  # noqa: PLR2004  decades that leave room for more
    powers = range(max(0, math.floor(math.log10(low))), math.ceil(math.log10(high)) + 1)
    return [step * 10**power for power in powers for step in steps if low <= step * 10**power <= high]


def _corners(front: Sequence[Place], across: Scale, up: Scale) -> list[tuple[float, float]]:
    """List the corners of the stepped line: for each number of parameters, the best accuracy with at most as many."""
    corners = [(across(front[0].parameters), _HEIGHT - _BOTTOM)]
    for index, entry in enumerate(front):
        after = across(front[index + 1].parameters) if index + 1 < len(front) else _WIDTH - _RIGHT
        corners += [(across(entry.parameters), up(entry.accuracy)), (after, up(entry.accuracy))]
    return corners


def _steps(front: Sequence[Place], across: Scale, up: Scale) -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _corners(front, across, up))
    return element("polyline", points=points, class_="front-line")


def _edges(front: Sequence[Place], across: Scale, up: Scale) -> list[_Box]:
    """Convert the stepped line to boxes that no name may cover."""
    pairs = pairwise(_corners(front, across, up))
    return [(min(a[0], b[0]) - 2, min(a[1], b[1]) - 1, max(a[0], b[0]) + 2, max(a[1], b[1]) + 1) for a, b in pairs]


def _figures(entry: Place) -> Message:
    parameters = say_count("{count} parameter", "{count} parameters", entry.parameters)
    return say(
        "{student}: {parameters}, {accuracy:percent}",
        student=entry.student,
        parameters=parameters,
        accuracy=entry.accuracy,
    )


def _mark(entry: Place, across: Scale, up: Scale, language: Language) -> Markup:
    x, y = across(entry.parameters), up(entry.accuracy)
    figures = _figures(entry)
    name = say("{figures}, on the Pareto front", figures=figures) if entry.front else figures
    title = element("title", language.text(name))
    if entry.front:
        return element("circle", title, cx=x, cy=y, r=6.0, class_="front-mark on")
    return element("rect", title, x=x - 4, y=y - 4, width=8, height=8, class_="front-mark")


def _labels(ranked: Sequence[Place], across: Scale, up: Scale) -> list[Markup]:
    """Label the marks with names, the front first; omit a name that would cover something."""
    occupied = [_around(across(e.parameters), up(e.accuracy)) for e in ranked]
    occupied += _edges(_front_of(ranked), across, up)
    parts: list[Markup] = []
    for entry in sorted(ranked, key=lambda entry: (not entry.front, entry.rank))[:_MOST_NAMED]:
        name = _short(entry.student)
        x, y, width = across(entry.parameters), up(entry.accuracy), len(name) * _CHARACTER
        right, left_of = (x + 10, y + 4, "start"), (x - 10 - width, y + 4, "end")
        above, under = ((x - 4, y - 10, "start"), (x + 4 - width, y - 10, "end")), (x - 4, y + 20, "start")
        for left, base, anchor in (*above, left_of, under) if entry.front else (right, left_of, *above, under):
            box = (left, base - 11, left + width, base + 3)
            if _free(box, occupied):
                occupied.append(box)
                at = left if anchor == "start" else left + width
                parts.append(element("text", name, x=at, y=base, text_anchor=anchor, class_="front-name"))
                break
    return parts


def _around(x: float, y: float) -> _Box:
    return (x - 7, y - 7, x + 7, y + 7)


def _free(box: _Box, occupied: Sequence[_Box]) -> bool:
    in_plot = box[0] >= _LEFT and box[2] <= _WIDTH and box[1] >= 0 and box[3] <= _HEIGHT - _BOTTOM
    return in_plot and not any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in occupied
    )


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
