"""Write a draft as YAML that reads like a rubric written by hand, with its evidence in comments."""

import textwrap
from collections.abc import Iterator, Mapping

import yaml

from grader.grading.drafting.draft import Draft, DraftedCriterion, LeftOut
from grader.schema.base import Json

__all__ = ["write_draft"]

_WIDTH = 118
"""Characters of a line, so that it has at most 120 as a comment."""
_FOLDED = 70
"""Characters from which a text is folded over several lines."""
_NOT_PRINTED = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF), " ")


def write_draft(draft: Draft) -> str:
    """Write a draft as the text of a rubric file."""
    lines = [*_head(draft), "", "criteria:"]
    for criterion in draft.criteria:
        lines += [*_criterion(criterion), ""]
    if draft.optional:
        lines += [*_optional(draft), ""]
    if draft.left_out:
        lines += list(_left_out(draft))
    return "\n".join(lines).rstrip() + "\n"


def _head(draft: Draft) -> Iterator[str]:
    data = draft.data
    yield "# A draft from the evidence of one solution. Read each line, and change what another right solution misses."
    yield "# Each comment names the evidence. `grader rubric schema` prints the allowed keys."
    for key in ("version", "id", "title", "dataset", "datasets", "stand_in", "reference", "run"):
        if key == "stand_in" and key in data:
            yield "# No model was trained on these data sets, so a submission can be graded on a machine without them."
        if key in data:
            yield from _pair(key, data[key], "")
    if "tasks" in data:
        yield from ("", "tasks:", "  # Models were trained on these classes only.")
        for name, task in data["tasks"].items():
            yield from _pair(name, task, "  ")
    if draft.solution.subjects:
        yield from ("", "roles:", "  # As few conditions as possible: criteria describe what a model must have.")
        for subject in draft.solution.subjects:
            yield from _comment(subject.seen, "  ")
            yield from _pair(subject.role, dict(subject.conditions), "  ")


def _criterion(criterion: DraftedCriterion) -> Iterator[str]:
    proposal, data = criterion.proposal, criterion.data
    yield f"  - id: {_scalar(proposal.id)}"
    yield from _comment(proposal.seen, "    ")
    if proposal.stricter:
        yield from _comment(f"Stricter: {proposal.stricter}", "    ")
    yield from _pair("title", data["title"], "    ")
    yield f"    points: {_scalar(_plain(criterion.points))}  # adjust"
    for key in ("check", "with", "any_of", "all_of", "manual", "advice"):
        if key in data:
            yield from _value(key, data[key])


def _value(key: str, value: Json) -> Iterator[str]:
    if key == "manual":
        yield "    manual:"
        yield from _pair("guide", value["guide"], "      ")
    elif isinstance(value, list):
        yield f"    {key}:"
        for test in value:
            yield from _item(test)
    else:
        yield from _pair(key, value, "    ")


def _item(test: Json) -> Iterator[str]:
    line = f"      - {_flow(test)}"
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"      - check: {_scalar(test['check'])}"
    yield from _pair("with", test.get("with", {}), "        ")


def _optional(draft: Draft) -> Iterator[str]:
    yield "  # The solution also meets these criteria, but another right solution may not. If the assignment asks for"
    yield '  # one, remove "# " before its lines, and take its points from others; `bonus: true` makes it an extra.'
    for one in draft.optional:
        yield "  #"
        yield from _commented(one)


def _commented(criterion: DraftedCriterion) -> Iterator[str]:
    for line in _criterion(criterion):
        yield f"  # {line.removeprefix('  ')}".rstrip()


def _left_out(draft: Draft) -> Iterator[str]:
    yield "  # The solution itself does not get full marks for these criteria, so they are not part of the rubric."
    for one in draft.left_out:
        yield "  #"
        yield from _comment(f"{_reason(one)}", "  ")
        yield from _commented(one.criterion)


def _reason(one: LeftOut) -> str:
    return f"Left out: {one.reason}"


# ---------------------------------------------------------------------------------------------------------------------
# Parts of lines


def _comment(text: str, indent: str) -> Iterator[str]:
    plain = " ".join(text.translate(_NOT_PRINTED).split())
    yield from textwrap.wrap(
        plain, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def _pair(key: str, value: Json, indent: str) -> Iterator[str]:
    """Write a key with its value on one line, or on several if it is too long."""
    name = _scalar(key)
    if isinstance(value, str):
        yield from _text(name, value, indent)
        return
    flow = _flow(value)
    if len(indent) + len(name) + 2 + len(flow) <= _WIDTH or not isinstance(value, (Mapping, list)):
        yield f"{indent}{name}: {flow}"
        return
    yield f"{indent}{name}:"
    if isinstance(value, list):
        yield from _rows(value, f"{indent}  ")
        return
    for inner, one in value.items():
        yield from _pair(inner, one, f"{indent}  ")


def _rows(values: list[Json], indent: str) -> Iterator[str]:
    """Write a list on several lines, with breaks between its items."""
    row, end = f"{indent}[", len(values) - 1
    for place, value in enumerate(values):
        item = _flow(value) + ("]" if place == end else ",")
        if len(row) + len(item) + 1 > _WIDTH and row.strip() != "[":
            yield row.rstrip()
            row = f"{indent} "
        row += item + ("" if place == end else " ")
    yield row


def _text(name: str, value: str, indent: str) -> Iterator[str]:
    plain = " ".join(value.translate(_NOT_PRINTED).split())
    line = f"{indent}{name}: {_scalar(plain)}"
    if len(plain) < _FOLDED or len(line) <= _WIDTH or _breaks(plain):
        yield line
        return
    yield f"{indent}{name}: >-"
    yield from textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=f"{indent}  ",
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _breaks(text: str) -> bool:
    """Whether a text has other spaces than plain ones, at which lines could be wrapped."""
    return any(letter.isspace() and letter != " " for letter in text) or not text.isprintable()


def _scalar(value: Json) -> str:
    return _flow(value)


def _flow(value: Json) -> str:
    """Write a value on one line."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=float("inf"), explicit_end=False
    )
    return text.removesuffix("\n").removesuffix("\n...").removesuffix("...").rstrip("\n")


def _plain(points: float) -> float:
    return int(points) if points == int(points) else points
