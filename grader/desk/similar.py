"""View 5, "Who worked together": pairs of similar submissions, both of them next to each other."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from grader.desk.needs import PROVIDERS, Need
from grader.desk.pairs import Decision, decision_of
from grader.desk.state import Desk, Draft
from grader.desk.view import View, desk_of, form_of, show, to, visitor_of
from grader.facts.language import english
from grader.facts.similarity import Comparison
from grader.schema.errors import UsageError
from grader.schema.evidence import CellFact, Evidence
from grader.schema.grade import Grade
from grader.schema.judgement import JudgementKind
from grader.schema.message import as_message
from grader.schema.similarity import Lines, Passage, SimilarPair

__all__ = ["VIEW"]

_LISTED_AS_NEED: Final = frozenset({"strong", "moderate"})
_MOST_LINES: Final = 300
"""Most lines of one cell that are shown."""
_MOST_CELLS: Final = 30
"""Most pairs of cells that are shown."""
_FLAGGED: Final = "similar to the submission of {other}"
_OPEN, _FLAGS, _EXPLAINED, _BY_STARTER = _GROUPS = (
    *("Hints", "Flagged", "Explained by a person", "Explained by the starter and the seed"),
)
_SIDES: Final[Mapping[str, str]] = {"code": "Similar code", "text": "Equal texts and comments"}


def _routes(_desk: Desk) -> Sequence[Route]:
    return [
        Route("/similar", _list, methods=["GET"]),
        Route("/similar/{first}/{second}", _pair, methods=["GET"]),
        Route("/similar/{first}/{second}/{decision}", _decide, methods=["POST"]),
    ]


VIEW: Final = View("similar", "Who worked together", "/similar", "w", _routes)


# --- the list


@dataclass(frozen=True, slots=True)
class _Row:
    """One pair of the list."""

    pair: SimilarPair
    first: str
    """Name of the student."""
    second: str
    href: str
    reason: str
    decision: Decision | None

    @property
    def group(self) -> str:
        """The heading that it is listed under."""
        if self.decision is not None:
            return _FLAGS if self.decision.kind == "flag" else _EXPLAINED
        return _BY_STARTER if self.pair.strength == "explained" else _OPEN


def _rows(desk: Desk, comparison: Comparison) -> list[_Row]:
    grades, judgements = desk.grades(), desk.log.read()
    return [
        _Row(
            pair,
            _student(grades, pair.first),
            _student(grades, pair.second),
            _address(pair),
            english(pair.reason),
            decision_of(pair, judgements),
        )
        for pair in comparison.similarity.pairs
    ]


def _student(grades: Mapping[str, Grade], name: str) -> str:
    return grades[name].submission.student if name in grades else name


def _address(pair: SimilarPair) -> str:
    return f"{VIEW.path}/{quote(pair.first, safe='')}/{quote(pair.second, safe='')}"


def _list(request: Request) -> Response:
    desk = desk_of(request)
    comparison = desk.pairs.get()
    rows = _rows(desk, comparison)
    groups = [
        ("Hints", [row for row in rows if row.decision is None and row.pair.strength != "explained"]),
        ("Flagged", [row for row in rows if row.decision is not None and row.decision.kind == "flag"]),
        ("Explained by a person", [row for row in rows if row.decision is not None and row.decision.kind != "flag"]),
        (
            "Explained by the starter and the seed",
            [r for r in rows if not r.decision and r.pair.strength == "explained"],
        ),
    ]
    return show(
        request,
        "similar.html.j2",
        VIEW.id,
        groups=[group for group in groups if group[1]],
        similarity=comparison.similarity,
    )


def _needs(desk: Desk, grades: Mapping[str, Grade]) -> Iterator[Need]:
    """List the open pairs with strong or moderate evidence, if the class is compared already."""
    comparison = desk.pairs.ready()
    judgements = desk.log.read()
    for pair in comparison.similarity.pairs if comparison is not None else ():
        if pair.strength in _LISTED_AS_NEED and decision_of(pair, judgements) is None:
            title = f"{_student(grades, pair.first)} and {_student(grades, pair.second)}"
            yield Need("similar", title, _address(pair), english(pair.reason))


PROVIDERS.append(_needs)


# --- one pair


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a cell."""

    number: int
    text: str
    same: bool
    """Whether it is part of a similar passage."""
    known: bool
    """Whether it is the starter's."""


@dataclass(frozen=True, slots=True)
class _Side:
    """A cell of one submission."""

    cell: int
    lines: tuple[_Line, ...]


@dataclass(frozen=True, slots=True)
class _Cells:
    """A cell of each submission with similar passages."""

    first: _Side
    second: _Side


@dataclass(frozen=True, slots=True)
class _Submission:
    """One side of a pair."""

    id: str
    student: str
    cells: tuple[CellFact, ...]
    known: frozenset[tuple[int, int]]

    def side(self, cell: int, passages: Iterable[Lines]) -> _Side:
        """Show one cell with its similar lines."""
        fact = next((one for one in self.cells if one.index == cell), None)
        same = {line for lines in passages for line in range(lines.first, lines.last + 1)}
        texts = (fact.source if fact else "").split("\n")[:_MOST_LINES]
        return _Side(
            cell,
            tuple(
                _Line(at, text, at in same, at not in same and (cell, at) in self.known)
                for at, text in enumerate(texts, start=1)
            ),
        )

    def others(self, shown: Iterable[int]) -> tuple[_Side, ...]:
        """Show all other cells."""
        hidden = frozenset(shown)
        return tuple(self.side(cell.index, ()) for cell in self.cells if cell.index not in hidden)


def _submission(desk: Desk, comparison: Comparison, name: str) -> _Submission:
    evidence: Evidence | None = desk.out.read_evidence(name)
    student = _student(desk.grades(), name)
    return _Submission(name, student, evidence.cells if evidence else (), comparison.known_lines(name))


def _found(request: Request) -> tuple[Comparison, SimilarPair]:
    comparison, names = desk_of(request).pairs.get(), request.path_params
    for pair in comparison.similarity.pairs:
        if (pair.first, pair.second) == (names["first"], names["second"]):
            return comparison, pair
    raise HTTPException(404)


def _pair(request: Request) -> Response:
    desk, (comparison, pair) = desk_of(request), _found(request)
    first, second = (_submission(desk, comparison, name) for name in (pair.first, pair.second))
    sections = [
        (_SIDES[sign.kind], _side_by_side(first, second, sign.passages)) for sign in pair.signs if sign.passages
    ]
    pairs = comparison.similarity.pairs
    place = pairs.index(pair)
    shown = [cells for _, part in sections for cells in part]
    return show(
        request,
        "similar-pair.html.j2",
        VIEW.id,
        pair=pair,
        signs=[(sign, english(sign.says)) for sign in pair.signs],
        own_code=_own_code(pair),
        first=first,
        second=second,
        sections=sections,
        rest=(first.others(c.first.cell for c in shown), second.others(c.second.cell for c in shown)),
        decision=decision_of(pair, desk.log.read()),
        number=place + 1,
        count=len(pairs),
        back=_address(pairs[place - 1]),
        onward=_address(pairs[(place + 1) % len(pairs)]),
        action=_address(pair),
    )


def _own_code(pair: SimilarPair) -> str:
    """Return the last sentence of an explained pair's reason, which is about the students' own code; else nothing."""
    parts = as_message(pair.reason).values.get("parts")
    return english(parts[-1]) if pair.strength == "explained" and parts else ""


def _side_by_side(first: _Submission, second: _Submission, passages: Sequence[Passage]) -> tuple[_Cells, ...]:
    """Show the cells with similar passages next to each other, in the order of the first notebook."""
    by_cells: dict[tuple[int, int], list[Passage]] = defaultdict(list)
    for passage in passages:
        by_cells[passage.first.cell, passage.second.cell].append(passage)
    most = sorted(by_cells, key=lambda cells: -sum(passage.tokens for passage in by_cells[cells]))[:_MOST_CELLS]
    return tuple(
        _Cells(
            first.side(a, [passage.first for passage in by_cells[a, b]]),
            second.side(b, [passage.second for passage in by_cells[a, b]]),
        )
        for a, b in sorted(most)
    )


# --- decisions


def _decide(request: Request) -> Response:
    """Record what a person decides about a pair, for both submissions."""
    desk, (comparison, pair) = desk_of(request), _found(request)
    chosen, why = request.path_params["decision"], form_of(request).get("why", "").strip()
    if chosen not in {"flag", "explained", "open"}:
        raise HTTPException(404)
    if chosen == "explained" and not why:
        msg = "write why the similarity is explained"
        raise UsageError(msg)
    desk.record(visitor_of(request), _drafts(desk, pair, chosen, why))
    return to(_next_open(desk, comparison, pair) if chosen != "open" else _address(pair))


def _drafts(desk: Desk, pair: SimilarPair, chosen: str, why: str) -> Iterator[Draft]:
    """Replace earlier decisions about a pair by another one."""
    earlier, grades = decision_of(pair, desk.log.read()), desk.grades()
    for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
        if earlier is not None and earlier.kind != chosen:
            yield Draft(one, earlier.kind, other=other)
        reason = why or _FLAGGED.format(other=_student(grades, other))
        kinds: tuple[JudgementKind, ...] = ("flag", "explained")
        yield from (Draft(one, kind, other=other, why=reason) for kind in kinds if kind == chosen)


def _next_open(desk: Desk, comparison: Comparison, pair: SimilarPair) -> str:
    """Return the address of the next pair without a decision; the list if there is none."""
    pairs, judgements = comparison.similarity.pairs, desk.log.read()
    place = pairs.index(pair)
    for one in (*pairs[place + 1 :], *pairs[:place]):
        if one.strength != "explained" and decision_of(one, judgements) is None:
            return _address(one)
    return VIEW.path
