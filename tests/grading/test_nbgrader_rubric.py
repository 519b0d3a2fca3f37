"""A rubric made from an nbgrader notebook is valid, whatever the cells contain."""

import string
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from grader.checks.registry import all_checks
from grader.grading.loader import parse_rubric
from grader.grading.nbgrader_rubric import criterion_ids, draft_rubric
from grader.schema.nbgrader import GradedCell, GradedNotebook
from grader.schema.rubric import Rubric

MNIST = "from keras.datasets import mnist"


def a_cell(**fields: object) -> GradedCell:
    return GradedCell.model_validate(
        {"grade_id": "t", "kind": "test", "cell_type": "code", "points": 1, "source": "assert f()", **fields}
    )


def rubric_of(*cells: GradedCell, code: str = "", extra: float = 0.0) -> Rubric:
    draft = draft_rubric(
        GradedNotebook(name="hw", code=code, cells=cells), name="hw", title="HW", source="hw.ipynb", extra=extra
    )
    return parse_rubric(draft.text.encode(), Path("hw.yaml"), all_checks()).rubric


def test_an_obvious_test_is_a_check_of_the_model_that_it_names() -> None:
    rubric = rubric_of(a_cell(source="assert My_CNN.evaluate(x_test, y_test)[1] > 0.9"), code=MNIST)
    assert rubric.dataset == "mnist"
    assert rubric.roles["my_cnn"].name == "My_CNN"
    assert rubric.criteria[1].check == "accuracy"
    assert rubric.criteria[1].with_ == {"model": "my_cnn", "split": "test", "at_least": 0.9}


def test_two_assertions_are_joined() -> None:
    rubric = rubric_of(a_cell(source="assert m.count_params() < 9\nassert m.output_shape == (None, 2)"))
    assert [one.check for one in rubric.criteria[1].all_of] == ["parameters", "output_shape"]


def test_an_accuracy_without_one_known_data_set_waits_for_a_person() -> None:
    source = "assert accuracy > 0.9"
    for code in ("", f"{MNIST}\nfrom keras.datasets import cifar10"):
        manual = rubric_of(a_cell(source=source), code=code).criteria[1].manual
        assert manual is not None
        assert source in manual.guide


def test_a_task_without_text_has_its_id_as_guide() -> None:
    (*_, last) = rubric_of(a_cell(grade_id="sketch", kind="task", source=" ")).criteria
    assert last.manual is not None
    assert last.manual.guide == "Task `sketch`"


def test_answers_and_tasks_wait_for_a_person_with_question_and_scheme() -> None:
    task = "Draw.\n=== BEGIN MARK SCHEME ===\n4 for all\n=== END MARK SCHEME ==="
    rubric = rubric_of(
        a_cell(grade_id="a", kind="answer", source="Because.", question="Why?", heading="Part A"),
        a_cell(grade_id="b", kind="task", source=task),
    )
    guides = [one.manual.guide for one in rubric.criteria if one.manual is not None]
    assert "Why?" in guides[0]
    assert "Because." in guides[0]
    assert guides[1] == "4 for all"
    assert rubric.criteria[1].title == "Part A: a"


def test_extra_credit_is_a_bonus() -> None:
    rubric = rubric_of(a_cell(points=2), extra=1.5)
    assert rubric.criteria[-1].bonus
    assert (rubric.criteria[-1].points, rubric.max_score) == (1.5, 2.0)


def test_names_that_differ_only_in_case_or_length_get_different_ids() -> None:
    names = ["Part A", "part-a", "PART_A", "é" * 90, "e" * 90, "???", "runs"]
    ids = criterion_ids([a_cell(grade_id=name) for name in names])
    assert ids[:2] == ("part-a", "part-a-2")
    assert len(set(ids)) == len(names)


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(
            a_cell,
            grade_id=st.text(min_size=1, max_size=80),
            kind=st.sampled_from(["test", "answer", "task"]),
            source=st.text() | st.text(alphabet=string.printable),
            heading=st.text(max_size=20),
            question=st.text(alphabet=string.printable),
            points=st.floats(0, 100),
        ),
        max_size=4,
    )
)
def test_every_cell_becomes_a_criterion_of_a_valid_rubric(cells: list[GradedCell]) -> None:
    rubric = rubric_of(*cells)
    assert [one.points for one in rubric.criteria[1:]] == [one.points for one in cells]
