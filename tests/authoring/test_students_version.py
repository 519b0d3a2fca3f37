"""The students' version of a notebook."""

import json
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from grader.authoring.markers import CODE_STUB, TEXT_STUB
from grader.authoring.students_version import students_version
from grader.facts.answers import own_text
from grader.schema.errors import UsageError

REGION = "### BEGIN SOLUTION\nsecret = 1\n### END SOLUTION"


def version(*cells: Any, **metadata: Any) -> Any:
    return students_version(new_notebook(cells=list(cells), metadata=metadata), "x.ipynb")


def sources(*cells: Any) -> list[str]:
    return [cell["source"] for cell in version(*cells).notebook["cells"]]


def code(source: str, **metadata: Any) -> Any:
    return new_code_cell(source, metadata=metadata)


def test_a_tagged_cell_is_a_solution_as_a_whole() -> None:
    cells = sources(
        code("import keras"),
        code("model = 1", tags=["solution"]),
        new_markdown_cell("Why", metadata={"tags": ["solution"]}),
    )
    assert cells == ["import keras", CODE_STUB, TEXT_STUB]
    assert own_text(TEXT_STUB, ()) == ""


def test_a_cell_for_instructors_is_left_out() -> None:
    made = version(code("a"), code("b", tags=["instructor"]), code("c"))
    assert [cell["source"] for cell in made.notebook["cells"]] == ["a", "c"]
    assert [(part.cell, part.kind) for part in made.removed] == [(1, "cell")]


def test_the_parts_outside_of_a_region_stay_in_a_tagged_cell() -> None:
    assert sources(code(f"x = 0\n{REGION}", tags=["solution"])) == [f"x = 0\n{CODE_STUB}"]


def test_nbgraders_solution_cells_are_solutions() -> None:
    settings = {
        "schema_version": 3,
        "solution": True,
        "grade": False,
        "grade_id": "a",
        "locked": False,
        "checksum": "5",
    }
    (cell,) = version(code("secret", nbgrader=settings)).notebook["cells"]
    assert cell["source"] == CODE_STUB
    assert cell["metadata"]["nbgrader"] == {key: value for key, value in settings.items() if key != "checksum"}


def test_outputs_and_telling_metadata_are_cleared() -> None:
    cell = code(REGION, tags=["solution", "keep"], executionInfo={"user": "Ann"}, solution2="shown", collapsed=True)
    cell |= {"outputs": [new_output("stream", text="secret")], "execution_count": 7}
    made = version(cell, widgets={"state": "secret"}, kernelspec={"name": "python3", "display_name": "Python 3"})
    (students,) = made.notebook["cells"]
    assert students["metadata"] == {"tags": ["keep"]}
    assert (students["outputs"], students["execution_count"]) == ([], None)
    assert made.notebook["metadata"].keys() == {"kernelspec"}
    assert students["id"] == cell["id"]


def test_attachments_stay_unless_only_the_solution_shows_them() -> None:
    answer = "![q](attachment:q.png)\n<!-- BEGIN SOLUTION -->\n![a](attachment:a.png)\n<!-- END SOLUTION -->"
    cell = new_markdown_cell(answer)
    cell["attachments"] = {name: {"image/png": "aGk="} for name in ("q.png", "a.png", "unused.png")}
    (students,) = version(cell).notebook["cells"]
    assert set(students["attachments"]) == {"q.png", "unused.png"}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (code("### BEGIN SOLUTION"), "cell 2, line 1: `BEGIN SOLUTION` has no `END SOLUTION`"),
        (code("x", tags=["Solutions"]), "cell 2: the tag `Solutions` is not a marker; did you mean `solution`?"),
        (code("x = f(  # SOLUTION\n    1)"), "cell 2: the code is not valid without its solution"),
        (
            code("def f():\n    # BEGIN SOLUTION NO PROMPT\n    pass\n    # END SOLUTION"),
            "cell 2: the code is not valid",
        ),
        (new_raw_cell("# BEGIN QUESTION\nname: q1"), "cell 2: raw cells of otter assign"),
    ],
)
def test_a_wrong_marker_is_an_error_with_notebook_cell_and_line(cell: Any, words: str) -> None:
    with pytest.raises(UsageError) as error:
        version(code(REGION), cell)
    assert words in str(error.value)
    assert error.value.where == "x.ipynb"


def test_all_problems_are_listed() -> None:
    with pytest.raises(UsageError, match=r"cell 1, line 1: .*; cell 2, line 2: "):
        version(code("### END SOLUTION"), code("x\n### BEGIN HIDDEN TESTS"))


def test_a_notebook_without_markers_is_not_released() -> None:
    with pytest.raises(UsageError, match="no markers"):
        version(code("model = 1"))


def test_magics_are_no_errors() -> None:
    assert sources(code(f"%matplotlib inline\n{REGION}\n!ls"), code("%%bash\necho # SOLUTION")) == [
        f"%matplotlib inline\n{CODE_STUB}\n!ls",
        "%%bash\n...",
    ]


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=10)
OUTSIDE = st.lists(LINE.map("kept{}".format), max_size=3)
INSIDE = st.lists(LINE.map("secret{}".format), min_size=1, max_size=3)
CELL = st.tuples(
    st.sampled_from(["code", "markdown", "raw"]),
    OUTSIDE,
    INSIDE,
    OUTSIDE,
    st.sampled_from(["region", "tag", "cell", "none"]),
)


@given(st.lists(CELL, min_size=1, max_size=5).filter(lambda cells: any(cell[-1] != "none" for cell in cells)))
def test_no_secret_survives_and_all_else_does(cells: list[tuple[str, list[str], list[str], list[str], str]]) -> None:
    notebook = new_notebook()
    expected = []
    for kind, before, inside, after, way in cells:
        make = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}[kind]
        stub = CODE_STUB if kind == "code" else TEXT_STUB
        if way == "region":
            # Code that is not valid Python before is not compared with Python after.
            source = "\n".join([*before, "### BEGIN SOLUTION", *inside, "### END SOLUTION", *after])
            expected.append("\n".join([*before, stub, *after]))
        elif way == "none":
            source = "\n".join([*before, *after])
            expected.append(source)
        else:
            source = "\n".join(inside)
            expected += [stub] if way == "tag" else []
        tags = {"tag": ["solution"], "cell": ["instructor"]}.get(way, [])
        cell = make(source, metadata={"tags": tags})
        if kind == "code":
            cell["outputs"] = [new_output("stream", text="secret output")]
        notebook.cells.append(cell)
    try:
        made = students_version(notebook, "x.ipynb")
    except UsageError as error:
        assert "not valid without its solution" in error.message  # noqa: PT017 - either this or a version
        return
    students = nbformat.from_dict(made.notebook)
    nbformat.validate(students)
    assert "secret" not in json.dumps(students)
    assert [cell["source"] for cell in students.cells] == expected
    remaining = [cell["id"] for cell, (*_, way) in zip(notebook.cells, cells, strict=True) if way != "cell"]
    assert [cell["id"] for cell in students.cells] == remaining
