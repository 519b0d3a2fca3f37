"""The order of the notes."""

from grader.facts.language import language
from grader.report.links import Target
from grader.report.notes import note_groups, note_views
from grader.schema.grade import DiagnosticGrade
from tests.report import samples


def note(name: str, model: str | None) -> DiagnosticGrade:
    return DiagnosticGrade(id=name, title=name, cell=0, message=f"about {model}", advice="do it", model=model)


def test_notes_on_the_graded_model_come_first_and_alike_ones_are_one() -> None:
    notes = (note("deep", "m2"), note("wide", "m2"), note("wide", "m1"), note("cells", None), note("wide", "m1"))
    views = note_views(notes, Target({}, frozenset(), language("en")))
    groups = note_groups(views, samples.model_grade(1, 2))
    assert [(group.title, len(group.notes), group.elsewhere) for group in groups] == [
        ("wide", 2, False),
        ("cells", 1, False),
        ("deep", 1, True),
        ("wide", 1, True),
    ]
