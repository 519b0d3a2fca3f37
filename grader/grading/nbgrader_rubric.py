"""Write a rubric for a notebook of nbgrader: a criterion for each cell with points."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from grader.grading.assertions import Proposal, proposed_checks
from grader.schema.nbgrader import GradedCell, GradedNotebook

__all__ = ["DraftRubric", "criterion_ids", "draft_rubric", "slug"]

_LONGEST_ID, _LONGEST_GUIDE = 64, 6_000
_DATASETS: Mapping[str, str] = {
    "mnist": r"\bdatasets\.mnist\b|\bimport[ \t]+(?:\w+,[ \t]*)*mnist\b|\bmnist\.load_data",
    "fashion_mnist": r"\bfashion_mnist\b",
    "cifar10": r"\bcifar10\b",
}
"""Data set of the grader → the code that loads it."""
_GENERATED = re.compile(r"cell-[0-9a-f]{8,}")
"""A grade_id that nbgrader made up."""
_SCHEME = re.compile(r"^=+ *BEGIN MARK SCHEME *=+\s*$(.*?)^=+ *END MARK SCHEME *=+\s*$", re.MULTILINE | re.DOTALL)
_WIDTH = 110
EXTRA = "extra-credit"
"""Id of the criterion for extra credit."""


@dataclass(frozen=True, slots=True)
class DraftRubric:
    """A rubric and its relation to the cells."""

    text: str
    """Content of the YAML file."""
    criteria: Mapping[str, str] = field(default_factory=dict)
    """Id of the criterion by grade_id of the cell."""
    checks: Mapping[str, str] = field(default_factory=dict)
    """Names of the proposed checks by grade_id of a test cell."""
    by_person: tuple[str, ...] = ()
    """Grade_ids of test cells that a person must map to a check, or judge."""
    points: float = 0.0


def slug(text: str, default: str) -> str:
    """Turn a name into an id of the grader: lower-case letters, digits, `-` and `_`."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")[:_LONGEST_ID] or default


def criterion_ids(cells: Sequence[GradedCell]) -> tuple[str, ...]:
    """Return a different id for each cell, from its grade_id."""
    ids: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name, count = slug(cell.grade_id, f"cell-{number}"), 1
        unique = name
        while unique in {*ids, "runs", EXTRA}:
            count += 1
            unique = f"{name[: _LONGEST_ID - 4]}-{count}"
        ids.append(unique)
    return tuple(ids)


def draft_rubric(  # noqa: PLR0913 - the parts of a rubric
    notebook: GradedNotebook,
    *,
    name: str,
    title: str,
    source: str,
    reference: str | None = None,
    template: str | None = None,
    files: Sequence[Mapping[str, str]] = (),
    extra: float = 0.0,
) -> DraftRubric:
    """Write a rubric with a criterion for each cell with points.

    A test cell becomes a check only if the check asks the same as all its assertions. Any other cell becomes a
    criterion for a person, with the test or the model answer as guide.

    Args:
        notebook: The source notebook.
        name: Id of the rubric.
        title: Title of the rubric.
        source: Path of the source notebook, for the comment at the top.
        reference: Path of the reference, relative to the rubric; it stays a comment until its evidence is stored.
        template: Path of the notebook that students start from, relative to the rubric.
        files: Entries of `files`.
        extra: Largest extra credit that somebody got; a bonus criterion is added if there was any.
    """
    datasets = tuple(key for key, pattern in _DATASETS.items() if re.search(pattern, notebook.code))
    ids = criterion_ids(notebook.cells)
    proposals = [_usable(cell, datasets) for cell in notebook.cells]
    roles = _roles([one for many in proposals for one in many])
    judged = any(one.check == "accuracy" for many in proposals for one in many)
    top: dict[str, Any] = {"version": 1, "id": name, "title": title}
    if judged:
        top["dataset"] = datasets[0]
    elif datasets:
        top["datasets"] = list(datasets)
    if template is not None:
        top["template"] = template
    if files:
        top["files"] = [dict(one) for one in files]
    if roles:
        top["roles"] = {role: {"name": variable, "pick": "last_trained"} for variable, role in roles.items()}
    parts = [*_head(source, reference), _dumped(top), "\ncriteria:\n", _runs()]
    for cell, own, proposed in zip(notebook.cells, ids, proposals, strict=True):
        parts.append(_criterion(cell, own, proposed, roles))
    if extra > 0:
        parts.append(_extra(extra))
    tests = [(cell, many) for cell, many in zip(notebook.cells, proposals, strict=True) if cell.kind == "test"]
    return DraftRubric(
        text="".join(parts),
        criteria=dict(zip((cell.grade_id for cell in notebook.cells), ids, strict=True)),
        checks={cell.grade_id: ", ".join(one.check for one in many) for cell, many in tests if many},
        by_person=tuple(cell.grade_id for cell, many in tests if not many),
        points=sum(cell.points for cell in notebook.cells),
    )


def _usable(cell: GradedCell, datasets: Collection[str]) -> tuple[Proposal, ...]:
    """Return the checks for a test cell; none if an accuracy has no single data set."""
    if cell.kind != "test":
        return ()
    proposed = proposed_checks(cell.source)
    return () if len(datasets) != 1 and any(one.check == "accuracy" for one in proposed) else proposed


def _roles(proposals: Sequence[Proposal]) -> dict[str, str]:
    """Return a role for each variable that a check names."""
    roles: dict[str, str] = {}
    for variable in dict.fromkeys(one.variable for one in proposals if one.variable is not None):
        name = slug(variable, "model")
        while name in roles.values():
            name = f"{name[: _LONGEST_ID - 2]}-2"
        roles[variable] = name
    return roles


def _head(source: str, reference: str | None) -> Iterator[str]:
    yield f"# Made from the nbgrader notebook {_line(source)}.\n"
    yield "# `grader rubric validate FILE` checks it after a change; docs/rubric.md describes every key.\n"
    if reference is not None:
        yield "# To compare with the solution, remove the `#` before `reference`, and run\n"
        yield "# `grader rubric test FILE --update`.\n"
        yield f"# {_dumped({'reference': reference})}"


def _runs() -> str:
    return _item({"id": "runs", "title": "The notebook runs from top to bottom", "points": 0, "check": "runs"})


def _criterion(cell: GradedCell, own: str, proposed: Sequence[Proposal], roles: Mapping[str, str]) -> str:
    entry: dict[str, Any] = {"id": own, "title": _title(cell), "points": _short(cell.points)}
    comment = ""
    if len(proposed) == 1:
        entry |= _test(proposed[0], roles)
    elif proposed:
        entry["all_of"] = [_test(one, roles) for one in proposed]
    else:
        entry["manual"] = {"guide": _guide(cell)}
    if proposed:
        lines = "".join(f"  #     {line}\n" for line in cell.source.strip().splitlines())
        comment = f"  # Proposed for the test `{_line(cell.grade_id)}`; make sure that it asks the same:\n{lines}"
    return f"\n{comment}{_item(entry)}"


def _test(proposal: Proposal, roles: Mapping[str, str]) -> dict[str, Any]:
    model = {} if proposal.variable is None else {"model": roles[proposal.variable]}
    return {"check": proposal.check, "with": {**model, **proposal.parameters}}


def _extra(points: float) -> str:
    guide = "Extra credit, as in nbgrader. The points are the most that anybody got there."
    entry = {"id": EXTRA, "title": "Extra credit", "points": _short(points), "bonus": True, "manual": {"guide": guide}}
    return f"\n{_item(entry)}"


def _title(cell: GradedCell) -> str:
    own = "" if _GENERATED.fullmatch(cell.grade_id) else " ".join(re.split(r"[\s_-]+", cell.grade_id)).strip()
    if not cell.heading or not own or own.casefold() == cell.heading.casefold():
        return cell.heading or own or cell.grade_id
    return f"{cell.heading}: {own}"


def _guide(cell: GradedCell) -> str:
    match cell.kind:
        case "test":
            start = f"nbgrader gave the points if this code ran without an error (cell `{_line(cell.grade_id)}`):"
            return _clean(f"{start}\n\n{cell.source}")
        case "task":
            schemes = [one.strip() for one in _SCHEME.findall(cell.source)]
            return _clean("\n\n".join(schemes)) or _clean(cell.source) or f"Task `{_line(cell.grade_id)}`"
    question = f"Question:\n\n{cell.question}\n\n" if cell.question else ""
    return _clean(f"{question}Answer of the source notebook (cell `{_line(cell.grade_id)}`):\n\n{cell.source}")


def _clean(text: str) -> str:
    """Make a text that YAML can write as a block: no tabs, trailing spaces or control characters."""
    lines = [re.sub(r"[^\S\n]+$", "", line.expandtabs(4)) for line in text.strip().splitlines()]
    plain = "".join(c for c in "\n".join(lines) if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"}).strip()
    return plain if len(plain) <= _LONGEST_GUIDE else f"{plain[:_LONGEST_GUIDE]}\n… (cut; see the source notebook)"


def _line(text: str) -> str:
    return _clean(text).replace("\n", " ")


def _short(points: float) -> float:
    return int(points) if points == int(points) else points


# --- YAML ------------------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Writes texts with several lines as blocks, and lists of numbers in one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - the base's signature
        super().increase_indent(flow, False)  # noqa: FBT003 - as above


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    plain = all(not isinstance(one, (dict, list)) for one in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def _dumped(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _item(entry: Mapping[str, Any]) -> str:
    """Write one criterion, indented as an item of the list."""
    return "".join(f"  {line}" if line.strip() else line for line in _dumped([dict(entry)]).splitlines(keepends=True))
