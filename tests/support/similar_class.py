"""The small class with copies, as the desk shows it."""

from grader.pipeline.course import Course
from grader.schema.evidence import CellFact
from grader.store.results import ResultsFolder
from tests.support.copied_class import evidence_of, small_class
from tests.support.desk_class import Student, keep_class
from tests.support.factories import a_cell

__all__ = ["ATTACK", "keep_similar"]

ATTACK = "</code></li></ol><script>document.title='gotcha'</script><img src='https://evil.example/x.png'>"
_SOURCE = "\n".join(
    f"value_{at} = compute_{at}(values[{at}:], key={at}) + other(value_{at - 1}) if ready else [value_{at}, {at}]"
    for at in range(12)
)


def keep_similar(out: ResultsFolder, course: Course) -> None:
    """Write results of the small class, and of two more whose equal code attacks the page."""
    hostile = (a_cell(0, f"{_SOURCE}\nname = '''{ATTACK}'''\n{_SOURCE}"), a_cell(1, ATTACK, "markdown"))
    members = {name: (cells, evidence_of(name, cells, facts)) for name, (cells, facts) in small_class().items()}
    members |= {name: (hostile, evidence_of(name, hostile)) for name in ("mallory", "malte")}
    students = [Student(name, name.title(), _cells(cells)) for name, (cells, _) in members.items()]
    keep_class(out, course, students, pages=False)
    for name, (_, evidence) in members.items():
        out.write_evidence(name, evidence)


def _cells(cells: tuple[CellFact, ...]) -> list[tuple[str, str]]:
    return [(cell.kind, cell.source) for cell in cells]
