"""What a person sees in a terminal: readable at 80 and 120 columns, and in a pipe."""

import ast
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from rich.style import Style
from rich.text import Text

from grader.cli import terminal as terminal_module
from grader.cli.echo import echo, echo_json
from grader.cli.terminal import class_lines, error_text, grades_table, late_lines, progress_on, terminal
from grader.delivery.roster import Student
from grader.pipeline.class_list import ClassList, ListEntry
from grader.report.classrow import class_row
from grader.schema.errors import UsageError
from grader.schema.grade import CriterionGrade, Grade, RubricStamp, SubmissionStamp
from grader.schema.judgement import LateGrade
from grader.schema.progress import Step

STATUSES = {
    "runs": "passed",
    "loss-curve": "failed",
    "accuracy-curve": "failed",
    "architecture-text": "failed",
    "accuracy": "partial",
}


def a_grade(name: str, **keys: object) -> Grade:
    criteria = tuple(
        CriterionGrade.model_validate(
            {"id": one, "title": one, "points": 0, "max_points": 1, "status": status, "message": ""}
        )
        for one, status in STATUSES.items()
    )
    values: dict[str, object] = {
        "submission": SubmissionStamp(id=name, student=name, files=(), sha256=""),
        "rubric": RubricStamp(id="r", sha256=""),
        "status": "graded",
        "score": 1.0,
        "max_score": 5.0,
        "pending": 0.0,
        "criteria": criteria,
        **keys,
    }
    return Grade.model_validate(values)


def shown(*grades: Grade, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(grades_table(grades, "A class", width=width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 120, 160])
def test_what_is_missing_is_said_in_whole_words_at_every_width(width: int) -> None:
    lines = shown(a_grade("anna"), width=width)
    assert all(len(line) <= width for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "failed: loss-curve, accuracy-curve, architecture-text; partial: accuracy" in text


def test_a_borderline_criterion_and_the_spread_of_attempts_are_said() -> None:
    line = {"id": "accuracy", "title": "a", "points": 0, "max_points": 1, "status": "failed", "message": "m"}
    tried = [
        {"number": 1, "seed": 0, "status": "graded", "score": 60.0},
        {"number": 2, "seed": 1, "status": "graded", "score": 70.0},
        {"number": 3, "seed": 2, "status": "not_graded", "reason": "no kernel"},
    ]
    told = {"asked": 3, "take": "best", "taken": 2, "why": "", "score": {"low": 60, "high": 70}, "tried": tried}
    grade = a_grade("anna", criteria=({**line, "borderline": True},), attempts=told)
    text = " ".join(" ".join(shown(grade, width=120)).split())
    assert "failed: accuracy (borderline)" in text
    assert "2 of 3, 60 to 70, 1 not graded" in text


def test_columns_that_say_nothing_are_left_out() -> None:
    (heading,) = [line for line in shown(a_grade("anna"), width=120) if "submission" in line]
    assert heading.split() == ["submission", "score", "missing"]
    (heading,) = [line for line in shown(a_grade("anna", pending=2.0), width=80) if "submission" in line]
    assert "pending" in heading


def test_a_submission_that_was_not_graded_says_why_and_has_no_score() -> None:
    failed = a_grade("bob", status="not_graded", score=None, reason="no [sandbox] started")
    (line,) = [line for line in shown(a_grade("anna"), failed, width=120) if "bob" in line]
    assert "– / 5" in line
    assert "not graded: no [sandbox] started" in line


def test_a_pipe_gets_no_colour_and_room(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console = terminal()
    assert console.width == 160
    console.print(grades_table([a_grade("anna")], "A class", width=console.width))
    written = capsys.readouterr().out
    assert "\x1b" not in written
    (line,) = [line for line in written.splitlines() if "anna" in line]
    assert line.rstrip().endswith("partial: accuracy")


def test_an_error_says_what_where_and_what_to_do() -> None:
    file = io.StringIO()
    Console(file=file, width=200).print(error_text(UsageError("odd [key]", where="a[b].yaml", advice="mend it")))
    assert file.getvalue() == "error: a[b].yaml: odd [key]\n  → mend it\n"


def test_progress_without_a_terminal_is_a_line_at_the_beginning_and_at_the_end() -> None:
    file = io.StringIO()
    with progress_on(Console(file=file, width=200)) as listener:
        listener.begin(1)
        listener.step(Step("anna", "begun", "reading"))
        listener.step(Step("anna", "working", "cell 1 of 2"))
        listener.step(Step("anna", "done", "3 of 5"))
    assert file.getvalue() == "anna: started\nanna: 3 of 5 (1 of 1)\n"


class _Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_says_now_and_then_what_runs_and_how_long_it_still_takes() -> None:
    file, clock = io.StringIO(), _Clock()
    with progress_on(Console(file=file, width=200), clock) as listener:
        listener.begin(300)
        for name in ("anna", "bela"):
            listener.step(Step(name, "begun", "reading"))
        for second in range(1, 91):
            clock.now = second
            listener.step(Step("anna", "working", "cell 5 of 10, epoch 2 of 5", 5, 10))
            if second == 70:
                listener.step(Step("bela", "done", "3 of 5"))
    assert file.getvalue().splitlines() == [
        "anna: started",
        "bela: started",
        "running: anna (cell 5 of 10, epoch 2 of 5), bela (reading); 0 of 300 done, about 5.0 h left",
        "running: anna (cell 5 of 10, epoch 2 of 5), bela (reading); 0 of 300 done, about 10.0 h left",
        "bela: 3 of 5 (1 of 300, about 3.9 h left)",
    ]


def test_a_log_of_one_submission_does_not_count_and_names_at_most_four() -> None:
    file, clock = io.StringIO(), _Clock()
    with progress_on(Console(file=file, width=200), clock) as listener:
        listener.begin(1)
        clock.now = 60
        listener.step(Step("anna", "working", "cell 2 of 4", 1, 4))
    assert file.getvalue() == "running: anna (cell 2 of 4), about 3 min left\n"
    file = io.StringIO()
    with progress_on(Console(file=file, width=200), clock) as listener:
        listener.begin(9)
        for name in "abcde":
            listener.step(Step(name, "working", "verifying"))
        clock.now = 120
        listener.step(Step("f", "working"))
    assert file.getvalue() == (
        "running: a (verifying), b (verifying), c (verifying), d (verifying) and 2 more; 0 of 9 done\n"
    )


def test_a_log_has_no_control_characters_whatever_a_submission_is_called() -> None:
    file, clock = io.StringIO(), _Clock()
    with progress_on(Console(file=file, width=200), clock) as listener:
        listener.begin(1)
        listener.step(Step("an\x1b[31mna\r[bold]", "begun"))
        clock.now = 40
        listener.step(Step("an\x1b[31mna\r[bold]", "working", "cell\x07 1\n of 2"))
        listener.step(Step("an\x1b[31mna\r[bold]", "done", "not graded: \x9b2J", failed=True))
    lines = file.getvalue().splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert lines[0] == "an [31mna [bold]: started"


def test_progress_on_a_terminal_tells_the_epoch_of_a_training() -> None:
    file = io.StringIO()
    console = Console(file=file, width=160, force_terminal=True, color_system=None)
    with progress_on(console) as listener:
        listener.begin(2)
        listener.step(Step("anna", "begun", "reading"))
        listener.step(Step("anna", "working", "cell 3 of 9, epoch 2 of 5", 2, 9))
        listener.step(Step("anna", "done", "3 of 5"))
    assert "anna: 3 of 5" in file.getvalue()


def test_progress_counts_what_runs_and_what_could_not_be_graded() -> None:
    file = io.StringIO()
    with progress_on(Console(file=file, width=160, force_terminal=True, color_system=None)) as listener:
        listener.begin(3)
        for name in ("anna", "bela"):
            listener.step(Step(name, "begun", "reading"))
        listener.step(Step("anna", "done", "not graded: no sandbox", failed=True))
        vars(listener)["_progress"].refresh()
    assert "1 running, 1 not graded" in file.getvalue()
    file = io.StringIO()
    with progress_on(Console(file=file, width=160)) as listener:
        listener.begin(2)
        listener.step(Step("anna", "done", "not graded: no sandbox", failed=True))
    assert "anna: not graded: no sandbox (1 of 2, 1 not graded, about 0 s left)" in file.getvalue()


def bar_of(*steps: Step, submissions: int = 1) -> list[tuple[float, float | None, str]]:
    """The state of the last submission's bar after each step: reached, total, text."""
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system=None)
    states = []
    with progress_on(console) as listener:
        listener.begin(submissions)
        for step in steps:
            listener.step(step)
            task = vars(listener)["_progress"].tasks[-1]
            states.append((task.completed, task.total, task.fields["text"]))
    return states


def test_a_bar_stays_full_while_the_result_is_verified_and_graded() -> None:
    cells = [Step("anna", "working", f"cell {n + 1} of 5", n, 5) for n in range(5)]
    ended = [Step("anna", "working", "executed", 5, 5), Step("anna", "working", "verifying")]
    *_, last = bar_of(Step("anna", "begun", "reading"), *cells, *ended)
    assert last == (5, 5, "verifying")


def test_a_bar_does_not_go_back_when_an_execution_starts_again() -> None:
    steps = (
        Step("anna", "begun", "reading"),
        Step("anna", "working", "cell 5 of 5", 4, 5),
        Step("anna", "working", "starting again, because the machine was busy"),
        Step("anna", "working", "cell 1 of 5", 0, 5),
    )
    reached = [state[0] for state in bar_of(*steps)]
    assert reached == sorted(reached)
    assert bar_of(*steps)[-1] == (4, 5, "cell 1 of 5")


def test_the_epochs_of_a_training_move_the_bar_and_one_submission_has_one_bar() -> None:
    step = Step("anna", "working", "cell 3 of 4, epoch 2 of 5", 2, 4, part=0.2)
    assert bar_of(step) == [(2.2, 4, "cell 3 of 4, epoch 2 of 5")]
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system=None)
    for submissions, bars in ((1, 1), (2, 2)):
        with progress_on(console) as listener:
            listener.begin(submissions)
            listener.step(step)
            assert len(vars(listener)["_progress"].tasks) == bars


def test_late_submissions_and_unknown_times_are_listed() -> None:
    due = datetime(2026, 11, 8, 18, tzinfo=UTC)
    late = LateGrade(due=due, submitted=due + timedelta(days=1), days=1, points=-2.5, before=3)
    known = SubmissionStamp(id="ada", student="ada", files=(), sha256="", submitted=late.submitted)
    marked = SubmissionStamp(id="cleo", student="cleo", files=(), sha256="", submitted_from="mark")
    grades = [
        a_grade("ada", late=late, due=due, submission=known),
        a_grade("bo", due=due),
        a_grade("cleo", due=due, submission=marked),
    ]
    lines = [Text.from_markup(line).plain for line in late_lines(grades)]
    assert lines[0] == "late: ada -2.5"
    assert lines[1].startswith("due date: the time of 2 submissions is unknown, so that they are not late")
    assert lines[2] == "due date: the platform marks as late: cleo"
    assert late_lines([a_grade("ada")]) == []
    claimed = known.model_copy(update={"submitted_from": "commit"})
    assert "as its author's computer wrote it" in late_lines([a_grade("ada", due=due, submission=claimed)])[0]


def test_students_without_a_submission_are_listed() -> None:
    missing = Student("1", "Ada [Lee]", "", None, "", 2)
    excused = Student("2", "Bo", "", None, "", 3)
    row = class_row(a_grade("stranger"), "stranger/instructor.html")
    entries = (ListEntry("missing", missing), ListEntry("excused", excused), ListEntry("graded", row=row))
    lines = [Text.from_markup(line).plain for line in class_lines(ClassList(entries, roster=True))]
    assert lines == ["handed in nothing: 1: Ada [Lee]", "excused: 1: Bo", "not in the roster: 1: stranger"]
    assert class_lines(ClassList(entries[2:])) == []


HOSTILE = "x\x1b]0;title\x07\x1b[2J\x1b]52;c;cm0gLXJm\x07\x9b31m\u202e\x7f"
"""A window title, a cleared screen, the clipboard, a color of one character, and reordered text."""
STEERING = ("\x1b", "\x07", "\x9b", "\u202e", "\x7f")


def test_a_text_of_a_student_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = terminal()
    console.print(HOSTILE)
    console.print(Text(HOSTILE), markup=False)
    console.print(Text("link", style=Style(link=HOSTILE)))
    console.out(HOSTILE)
    console.print(grades_table([a_grade(HOSTILE)], HOSTILE))
    terminal(stderr=True).print(error_text(UsageError(HOSTILE, where=HOSTILE, advice=HOSTILE)))
    echo(HOSTILE)
    echo(HOSTILE, err=True)
    echo_json(f'"{HOSTILE}"')
    printed = "".join(capsys.readouterr())
    assert not [character for character in STEERING if character in printed]
    assert "⟦U+001B⟧]0;title⟦U+0007⟧" in printed


def test_progress_on_a_terminal_has_only_the_control_characters_of_the_bars() -> None:
    file = io.StringIO()
    console = terminal_module._CleanConsole(file=file, force_terminal=True, width=120)
    with progress_on(console) as listener:
        listener.begin(2)
        listener.step(Step(HOSTILE, "working", HOSTILE, done=1, total=2))
        listener.step(Step(HOSTILE, "done", HOSTILE))
    printed = file.getvalue()
    assert "\x1b[" in printed
    assert "title\x07" not in printed
    assert "\x1b]" not in printed
    assert not [character for character in STEERING[1:] if character in printed]


def test_commands_print_only_through_the_functions_that_clean() -> None:
    folder = Path(terminal_module.__file__).parent
    calls = [
        f"{path.name}:{node.lineno}: {name}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (name := ast.unparse(node.func)) in PRINTERS
        and (path.name, name) not in {("echo.py", "typer.echo"), ("check_result.py", "Console")}
    ]
    assert calls == []


PRINTERS = {"print", "typer.echo", "typer.secho", "click.echo", "Console", "sys.stdout.write", "sys.stderr.write"}
"""Functions that print text as it is. `check_result.py` has a console that only measures."""
