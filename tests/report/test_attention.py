"""The submissions that need a person, and the most frequent notes and errors."""

from dataclasses import replace

from grader.report.attention import alike, concerns, error_groups, note_groups, students_of
from grader.report.classrow import ClassRow, NoteMark, class_row, with_shared_parts
from grader.schema.grade import ErrorGrade
from grader.schema.message import say
from tests.report import samples
from tests.support.says import says

PLAIN = replace(
    class_row(samples.failing_grade(), "b/report.html"), execution="completed", errors=(), id="basil", student="Basil"
)
LABELS, SOFTMAX = NoteMark("labels", say("No labels")), NoteMark("softmax", say("Softmax twice"))


def _named(*names: tuple[str, str]) -> list[ClassRow]:
    return [replace(PLAIN, id=name, student=student) for name, student in names]


def test_nothing_needs_a_person_in_a_class_without_problems() -> None:
    assert concerns([PLAIN], frozenset()) == ()


def test_each_reason_to_look_lists_its_students() -> None:
    rows = [
        class_row(samples.several_grade(), "a/report.html"),
        class_row(samples.failing_grade(), "b/report.html"),
        class_row(samples.ungraded(), "c/report.html"),
        replace(PLAIN, problems=2),
    ]
    found = {one.mark: one for one in concerns(rows, frozenset())}
    assert [(mark, [student.name for student in one.students]) for mark, one in found.items()] == [
        ("w", ["Ada Lovelace"]),
        ("b", ["Ada Lovelace"]),
        ("e", ["Basil Short"]),
        ("u", ["Cleo Late"]),
        ("g", ["Basil"]),
    ]
    assert says(found["w"].label, "{count:number} waits for a person", count=1)
    assert found["e"].students[0].href == "./b/report.html"


def test_names_collide_without_case_accents_and_punctuation() -> None:
    rows = _named(("anna", "Anna Muller"), ("a2", "anna müller"), ("ben", "Ben"), ("x", "Müller, Anna"))
    assert alike(rows) == {"anna", "a2"}


def test_an_id_that_was_made_unique_collides_with_the_id_it_repeats() -> None:
    rows = _named(("ada", "Ada L."), ("ada-1a2b3c", "Ada"), ("cab-facade", "C"), ("dee", "D"))
    assert alike(rows) == {"ada", "ada-1a2b3c"}
    (concern,) = concerns(rows, alike(rows))
    assert (concern.mark, len(concern.students)) == ("c", 2)


def test_students_without_a_name_do_not_collide_by_it() -> None:
    assert alike(_named(("a", "…"), ("b", "–"))) == frozenset()


def test_a_long_list_is_cut_and_the_rest_is_counted() -> None:
    students, more = students_of([PLAIN] * 100)
    assert (len(students), more) == (30, 70)


def test_notes_are_counted_by_submission_with_the_most_frequent_first() -> None:
    rows = [replace(PLAIN, notes=notes) for notes in ((LABELS,), (LABELS, SOFTMAX), (SOFTMAX,), (SOFTMAX,))]
    assert [(group.key, group.mark, group.number) for group in note_groups(rows)] == [
        ("softmax", "n0", 3),
        ("labels", "n1", 2),
    ]


def test_a_note_with_several_titles_has_the_most_frequent_one() -> None:
    other = NoteMark("labels", say("No label on the x axis"))
    (group,) = note_groups([replace(PLAIN, notes=(note,)) for note in (other, LABELS, LABELS)])
    assert group.title == LABELS.title


def test_a_note_that_a_submission_has_twice_counts_once() -> None:
    grade = samples.rich_grade()
    twice = grade.model_copy(update={"diagnostics": (*grade.diagnostics, grade.diagnostics[0])})
    assert [note.id for note in class_row(twice, None).notes] == ["softmax-from-logits", "figure-without-labels"]


def test_only_root_errors_are_grouped_and_a_budget_counts_as_an_error() -> None:
    grade = samples.failing_grade()
    assert grade.execution is not None
    follows = ErrorGrade(cell=5, name="KeyError", message="'x'", follows=3)
    run = grade.execution.model_copy(update={"errors": (*grade.execution.errors, follows)})
    rows = [
        class_row(grade.model_copy(update={"execution": run}), None),
        replace(PLAIN, execution="timeout", errors=("NameError",)),
    ]
    groups = error_groups(rows)
    assert [(group.key, group.number) for group in groups] == [("NameError", 2), ("timeout", 1)]
    assert says(groups[1].title, "out of time")


def test_rows_share_equal_parts() -> None:
    parts: dict[object, object] = {}
    one, other = (with_shared_parts(class_row(samples.rich_grade(), None), parts) for _ in range(2))
    assert one == other
    assert all(mine is yours for mine, yours in zip(one.notes, other.notes, strict=True))
    assert all(mine is yours for mine, yours in zip(one.criteria, other.criteria, strict=True))
