"""Find the earlier problem from which a missed criterion follows, so that it is reported once."""

import re

from grader.facts.case import Case
from grader.facts.follow_ups import FollowUp, cause_text, follow_ups
from grader.facts.language import english
from grader.facts.placeholders import marked_line, readable_line
from grader.schema.evidence import CellFact, Evidence
from grader.schema.grade import CauseGrade, Finding
from grader.schema.message import Message, MessageLike, as_message, say
from grader.schema.submission import CellError

__all__ = ["cause_of"]

_TRAINING = re.compile(r"\.(?:fit|fit_generator|train_on_batch|apply_gradients)\(|\bGradientTape\(")
_NUMBERED = re.compile(r"\(line (\d+)\)|, line (\d+)")
"""The number of the line in the text of a syntax error."""
_LONGEST_TEXT = 160


def cause_of(case: Case, finding: Finding, role: str | None) -> CauseGrade | None:
    """Find the problem that has to be solved before a criterion can be met.

    For a run with errors, it is the first error that follows from no other. For a model that was never trained, it is
    the unfinished or failed cell that would have trained it, else the missing training itself. For a missing model, it
    is the first error or placeholder of a notebook without a training, else the missing model itself.

    Args:
        case: Evidence, rubric and the models of its roles.
        finding: The finding of the criterion.
        role: The role that the criterion is about; None if it names none.
    """
    if finding.lacks is None or finding.status not in {"failed", "partial"}:
        return None
    problems = _Problems(case.evidence)
    if finding.lacks == "run":
        return problems.first()
    if finding.lacks == "model":
        _, reason = case.model(role)
        return (None if case.evidence.fits else problems.first()) or _no_model(reason, role)
    model, _ = case.model(role)
    return problems.of_the_training(model.cell if model else None) or _untrained(
        model.name if model else "", model.cell if model else None
    )


class _Problems:
    """The failed and unfinished cells of one execution."""

    def __init__(self, evidence: Evidence) -> None:
        self._cells = {cell.index: cell for cell in evidence.cells if cell.kind == "code"}
        self._errors = {error.cell: error for error in evidence.run.errors if error.cell is not None}
        self._reasons = follow_ups(evidence)

    def first(self) -> CauseGrade | None:
        """Return the first failed cell that follows from no other; without errors the first unfinished cell."""
        roots = (cell for cell in sorted(self._errors) if self._root(cell) == cell)
        first = next((self._problem(cell) for cell in roots), None)
        return first or next((self._problem(cell) for cell in sorted(self._cells) if self._unfinished(cell)), None)

    def of_the_training(self, created: int | None) -> CauseGrade | None:
        """Return the problem of the first cell that was to train a model.

        Args:
            created: The cell that created the model; None if unknown.
        """
        cells = (cell for cell in sorted(self._cells) if created is None or cell >= created)
        return next((self._problem(self._root(cell)) for cell in cells if self._fails_to_train(cell)), None)

    def _fails_to_train(self, cell: int) -> bool:
        if self._unfinished(cell):
            return True
        return cell in self._errors and _TRAINING.search(self._cells[cell].source) is not None

    def _unfinished(self, cell: int) -> bool:
        return bool(marked_line(self._cells[cell]))

    def _root(self, cell: int) -> int:
        reason: FollowUp | None = self._reasons.get(cell)
        return cell if reason is None or reason.root is None else reason.root

    def _problem(self, index: int) -> CauseGrade:
        cell, error = self._cells.get(index), self._errors.get(index)
        if cell is not None and (placeholder := marked_line(cell)):
            return _placeholder(cell, placeholder, error)
        return _failed(index, cell, error)


def _placeholder(cell: CellFact, code: str, error: CellError | None) -> CauseGrade:
    says = (
        say("{cell:Cell} still contains a placeholder. It raised {error:code}.", cell=cell.index, error=error.name)
        if error is not None
        else say("{cell:Cell} still contains a placeholder.", cell=cell.index)
    )
    advice = say("Replace the placeholder with your code, restart the kernel, and run all cells.")
    return _cause("placeholder", says, advice, cell=cell.index, line=_line_of(cell, code), code=code)


def _line_of(cell: CellFact, code: str) -> int | None:
    lines = [readable_line(line, 0) for line in cell.source.splitlines()]
    return lines.index(code) + 1 if code in lines else None


def _failed(index: int, cell: CellFact | None, error: CellError | None) -> CauseGrade:
    text = cause_text(error)[:_LONGEST_TEXT] if error is not None else ""
    name = error.name if error is not None else ""
    says = (
        say("{cell:Cell} raised {error:code}: {text:raw}", cell=index, error=name, text=text)
        if text
        else say("{cell:Cell} raised {error:code}.", cell=index, error=name)
    )
    advice = (error.advice if error is not None else "") or say(
        "Correct this cell first, then restart the kernel and run all cells."
    )
    line = _error_line(error)
    lines = cell.source.splitlines() if cell is not None else []
    code = readable_line(lines[line - 1], 0) if line is not None and 0 < line <= len(lines) else ""
    return _cause("error", says, advice, cell=index, line=line, code=code)


def _error_line(error: CellError | None) -> int | None:
    if error is None:
        return None
    numbered = _NUMBERED.search(error.message) if error.line is None else None
    return int(numbered[1] or numbered[2]) if numbered else error.line


def _untrained(model: str, cell: int | None) -> CauseGrade:
    says = say("{model:code} is never trained.", model=model) if model else say("No model is trained.")
    advice = say("Call `compile` and `fit` on the model in this notebook.")
    return _cause("untrained", says, advice, cell=cell, model=model)


def _no_model(reason: MessageLike, role: str | None) -> CauseGrade:
    says = as_message(reason or say("No model of the notebook is the one that the assignment asks for."))
    return _cause("no_model", says, "", model=role or "")


def _cause(  # noqa: PLR0913 - the fields of the document
    kind: str,
    says: Message,
    advice: MessageLike,
    *,
    cell: int | None = None,
    line: int | None = None,
    code: str = "",
    model: str = "",
) -> CauseGrade:
    return CauseGrade.model_validate(
        {
            "kind": kind,
            "cell": cell,
            "line": line,
            "code": code,
            "model": model,
            "message": english(says),
            "advice": english(advice),
            "says": says,
            "advice_says": as_message(advice) if advice else None,
        }
    )
