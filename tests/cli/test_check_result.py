"""The result of `grader check` on a terminal: the cause first, everything in the width of the terminal, nothing cut."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from grader.cli.check_result import print_grade, result_lines
from grader.report.summary import summary_line
from grader.schema.grade import Grade
from grader.schema.message import say
from tests.support.command import NOTEBOOKS, grader, needs_bubblewrap

LONG_CODE = "history = model.fit(x_train_scaled, y_train_encoded, epochs=30, batch_size=64, validation_split=0.1)"


def a_cause(cell: int = 4) -> dict[str, Any]:
    return {
        "kind": "error",
        "cell": cell,
        "line": 2,
        "code": LONG_CODE,
        "message": "Cell 5 raised `SyntaxError`.",
        "advice": "Correct this cell first.",
        "says": say("It failed."),
    }


def a_line(name: str, status: str, points: float = 0, most: float = 4, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"Title of {name}",
        "points": points,
        "max_points": most,
        "status": status,
        "message": f"Seen for {name}.",
        **more,
    }


CRITERIA = (
    a_line("runs", "failed", cause=a_cause()),
    a_line("met", "passed", 4),
    a_line("drawn", "failed", most=40, advice="Draw `loss` over the epochs.", evidence=[{"cell": 6}]),
    a_line("trained", "failed", cause=a_cause()),
    a_line("half", "partial", 1.5, 3),
    a_line("read", "pending", most=5, message="A person reads this."),
    a_line("read-too", "pending", most=2, message="A person reads this."),
)
NOTES = (
    {"id": "n", "title": "Raw pixels", "cell": 2, "message": "Seen in `a`.", "advice": "Divide by 255."},
    {"id": "n", "title": "Raw pixels", "cell": 2, "message": "Seen in `b`.", "advice": "Divide by 255."},
)


def a_grade(**more: Any) -> Grade:
    criteria = more.pop("criteria", CRITERIA)
    return Grade.model_validate({
        "submission": {"id": "anna", "student": "anna", "files": (), "sha256": ""},
        "rubric": {"id": "r", "sha256": "", "title": "A course"},
        "status": "graded",
        "score": sum(line["points"] for line in criteria),
        "max_score": sum(line["max_points"] for line in criteria),
        "pending": sum(line["max_points"] for line in criteria if line["status"] == "pending"),
        "criteria": criteria,
        "diagnostics": NOTES,
        **more,
    })  # fmt: skip


def shown(grade: Grade, width: int = 100) -> list[str]:
    return [line.plain for line in result_lines(grade, width)]


def joined(grade: Grade, width: int = 100) -> str:
    return " ".join(" ".join(shown(grade, width)).split())


def test_the_parts_have_an_order_and_the_last_line_is_the_summary() -> None:
    lines = shown(a_grade())
    text = "\n".join(lines)
    parts = ("anna · A course", "missed: 4 criteria", "a person reads: 2", "2 notes", "full marks: Title of met")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert lines[-1] == "5.5 of 55 · 1 passed, 1 partly met, 3 missed, 2 wait for a person"


def test_a_cause_is_reported_once_before_what_brings_more_points() -> None:
    text = joined(a_grade())
    assert text.count("Cell 5 raised `SyntaxError`. · cell 5, line 2") == 1
    assert "2 criteria depend on this, 8 of the 49.5 points missing: Title of runs · 0 of 4 Title of trained" in text
    assert "Seen for runs." not in text
    assert text.index("Cell 5 raised") < text.index("Title of drawn") < text.index("Title of half")


def test_a_missed_criterion_has_points_cell_what_was_seen_and_advice() -> None:
    text = joined(a_grade())
    assert "✗ Title of drawn · 0 of 40 points · cell 7 Seen for drawn. → Draw `loss` over the epochs." in text
    assert "◐ Title of half · 1.5 of 3 points Seen for half." in text


def test_a_cause_of_one_criterion_is_shown_in_its_block() -> None:
    text = joined(a_grade(criteria=(CRITERIA[0],)))
    assert "✗ Title of runs · 0 of 4 points · cell 5, line 2 Seen for runs." in text
    assert f"> {LONG_CODE[:40]}" in text
    assert "depend" not in text


def test_what_several_criteria_or_notes_have_in_common_appears_once() -> None:
    text = joined(a_grade())
    assert text.count("A person reads this.") == 1
    assert "Raw pixels · cell 3 Seen in `a`. Seen in `b`. → Divide by 255." in text


def test_a_placeholder_that_is_a_cause_is_not_a_note_again() -> None:
    placeholder = {**a_cause(), "kind": "placeholder"}
    note = {"id": "unfinished-cell", "title": "Unfinished", "cell": 4, "message": "m", "advice": "a"}
    criteria = (a_line("runs", "failed", cause=placeholder),)
    assert "Unfinished" not in joined(a_grade(criteria=criteria, diagnostics=(note,)))
    assert "Unfinished" in joined(a_grade(criteria=criteria, diagnostics=({**note, "cell": 5},)))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_every_width_is_used_and_nothing_is_cut(width: int) -> None:
    lines = shown(a_grade(), width)
    assert max(map(len, lines)) == width
    text = "".join("".join(lines).split())
    assert "".join(LONG_CODE.split()) in text
    assert "Draw`loss`overtheepochs." in text
    assert "…" not in text.replace("…Titleofread", "")
    assert all(line == line.rstrip() for line in lines)


def test_errors_that_cost_no_criterion_are_shown_with_the_ones_that_follow() -> None:
    error = {"cell": 7, "name": "NameError", "message": "name 'x' is not defined", "line": 3, "advice": "Define x."}
    later = {**error, "cell": 8, "follows": 7}
    execution = {
        "status": "cell_error",
        "seconds": 1,
        "cells_run": 9,
        "cells_total": 9,
        "peak_memory_mib": None,
        "device": "cpu",
        "seed": 0,
        "versions": {},
        "isolation": "none",
        "dialect": "keras3",
        "errors": (error, later),
    }
    text = joined(a_grade(execution=execution))
    assert "NameError: name 'x' is not defined · cell 8, line 3 → Define x. The error in cell 9 follows" in text
    assert text.count("NameError") == 1


def test_a_submission_that_was_not_graded_has_only_the_reason() -> None:
    grade = a_grade(status="not_graded", score=None, reason="no [sandbox] started", criteria=())
    assert shown(grade, 60)[1:] == ["not graded: no [sandbox] started"]


def test_a_reason_that_all_criteria_share_appears_once() -> None:
    lines = [a_line(name, "failed", message="the file is empty") for name in ("a", "b")]
    text = joined(a_grade(criteria=lines, reason="the file is empty", diagnostics=()))
    assert text.count("the file is empty") == 1


def test_counts_of_one_and_bonus_points() -> None:
    lines = (a_line("a", "passed", 4), a_line("b", "pending", most=1), a_line("c", "pending", most=3, bonus=True))
    assert summary_line(a_grade(criteria=lines[:2])) == "4 of 4 · 1 passed, 1 waits for a person"
    bonus = a_grade(criteria=lines, max_score=5)
    assert summary_line(bonus).startswith("4 of 4 ")


def test_colors_are_only_on_a_terminal(tmp_path: Path) -> None:
    for terminal, environment, colored in ((True, {}, True), (True, {"NO_COLOR": "1"}, False), (False, {}, False)):
        with (tmp_path / "out").open("w+", encoding="utf-8") as file:
            console = Console(file=file, width=80, force_terminal=terminal, _environ={"TERM": "xterm", **environment})
            print_grade(a_grade(), console)
            file.seek(0)
            assert ("\x1b[1;31m" in file.read()) == colored


@pytest.mark.bubblewrap
@pytest.mark.parametrize("columns", ["60", "120"])
def test_a_real_check_prints_in_the_width_of_the_terminal_and_writes_the_report(
    rubric: Path, tmp_path: Path, columns: str
) -> None:
    needs_bubblewrap()
    report = tmp_path / "report.html"
    done = grader("check", NOTEBOOKS / "raises.ipynb", "--rubric", rubric, "--report", report, env={"COLUMNS": columns})
    assert done.code == 1, done
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert lines[-1] == "0 of 3 · 2 missed"
    assert "cell 2, line 1" in done.out
    assert f"report: {report}" in done.err
    assert "<html" in report.read_text(encoding="utf-8")


def test_a_report_never_replaces_an_input_and_needs_a_folder(rubric: Path, tmp_path: Path) -> None:
    notebook = tmp_path / "mine.ipynb"
    notebook.write_bytes((NOTEBOOKS / "plain.ipynb").read_bytes())
    (tmp_path / "folder").mkdir()
    for place, expected in (
        (notebook, "would replace this file"),
        (rubric, "would replace this file"),
        (tmp_path / "folder", "would replace this folder"),
        (tmp_path / "foldr" / "r.html", f"did you mean '{tmp_path / 'folder'}'?"),
    ):
        before = notebook.read_bytes(), rubric.read_bytes()
        done = grader("check", notebook, "--rubric", rubric, "--report", place)
        assert done.code == 2
        assert expected in done.err
        assert before == (notebook.read_bytes(), rubric.read_bytes())
