"""Notebooks as students submit them."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.intake import notebook as module
from grader.intake.cells import oddity_messages
from grader.intake.languages import foreign_language
from grader.intake.notebook import normalise, read_notebook, read_refused
from grader.schema.errors import HarnessError, NotebookError, UnreadableError
from grader.schema.submission import STORED_ERROR
from tests.support.says import says


def code(source: Any = "1 + 1", **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, **more}


def book(*cells: Any, **more: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": list(cells), **more}


def write(folder: Path, content: Any) -> Path:
    path = folder / "work.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


NOTHING = "the notebook is empty: no cell contains code or text"


def refused(folder: Path, content: Any) -> NotebookError:
    with pytest.raises(NotebookError) as caught:
        read_notebook(write(folder, content))
    assert caught.value.advice
    return caught.value


def test_a_notebook_becomes_valid_4_5_with_ids_and_without_outputs(tmp_path: Path) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": ["hello"]}
    cells = [
        code(["a = 1\n", "a"], outputs=[stream], execution_count=7),
        {"cell_type": "markdown", "source": "# Title"},
    ]
    read = read_notebook(write(tmp_path, book(*cells)))
    nbformat.validate(read)
    assert (read.nbformat, read.nbformat_minor) == (4, 5)
    assert read.cells[0].source == "a = 1\na"
    assert read.cells[0].outputs == []
    assert read.cells[0].execution_count == 7
    assert len({cell.id for cell in read.cells}) == 2
    assert read.metadata.kernelspec.name == "python3"


def test_reading_twice_gives_the_same_ids(tmp_path: Path) -> None:
    path = write(tmp_path, book(code(id="x"), code(id="x"), code(id="not valid!"), code()))
    ids = [cell.id for cell in read_notebook(path).cells]
    assert ids == [cell.id for cell in read_notebook(path).cells]
    assert len(set(ids)) == 4
    assert ids[0] == "x"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty (0 bytes)"),
        (b"   \n", "the file is blank, not a notebook"),
        (b"<!DOCTYPE html><html></html>", "the file is a web page saved from the browser, not a notebook"),
        (b"import keras\nprint(1)\n", "the file is a Python script, not a notebook"),
        (b"%PDF-1.7", "the file is a PDF, not a notebook"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid x",
            "the file is a pointer of Git LFS, not the notebook itself",
        ),
        (
            b'{"cells": [{"cell_type": "code", "sour',
            "the file is incomplete: it was not fully saved or uploaded ({error})",
        ),
        (b'{"cells": [,]}', "the file is not JSON ({error})"),
        (b"[1, 2]", "the file is JSON, but not a notebook"),
        (b'{"a": 1}', "the file is JSON, but not a notebook"),
        (b'"text"', "the file is JSON, but not a notebook"),
        (b'{"cells": []}', "the file is JSON, but not a notebook"),
        (b"[" * 100_000, "the file is nested too deeply to be a notebook"),
        (b'{"cells":' + b'{"a":' * 50_000, "the file is nested too deeply to be a notebook"),
    ],
)
def test_a_file_that_is_not_a_notebook_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    assert says(refused(tmp_path, content).says, reason)


@pytest.mark.parametrize(("major", "name"), [(99, "99"), ("four", "'four'")])
def test_an_unknown_format_is_named(tmp_path: Path, major: Any, name: str) -> None:
    error = refused(tmp_path, {"cells": [], "nbformat": major})
    assert says(error.says, "the notebook's format {format:raw} is unknown", format=name)


def test_a_merge_conflict_is_named_with_its_line(tmp_path: Path) -> None:
    text = json.dumps(book(code()), indent=1).replace(' "metadata"', '<<<<<<< HEAD\n "metadata"', 1)
    error = refused(tmp_path, text.encode())
    line = text[: text.index("<<<<<<<")].count("\n") + 1
    assert says(error.says, "the file has an unresolved merge conflict (`<<<<<<<` in line {line:raw})", line=line)


def test_conflict_markers_inside_a_cell_are_the_students_text(tmp_path: Path) -> None:
    read = read_notebook(write(tmp_path, book(code("s = '''\n<<<<<<< HEAD\n'''"))))
    assert "<<<<<<<" in read.cells[0].source


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (book(), "the notebook has no cells"),
        (book(code(""), code("  \n")), NOTHING),
        (book({"cell_type": "markdown", "source": " ", "metadata": {}}), NOTHING),
        (book(5, code(7)), NOTHING),
    ],
)
def test_a_notebook_without_work_is_refused(tmp_path: Path, content: Any, reason: str) -> None:
    assert says(refused(tmp_path, content).says, reason)


def test_a_notebook_of_text_alone_is_read(tmp_path: Path) -> None:
    read = read_notebook(write(tmp_path, book({"cell_type": "markdown", "source": "an essay"}, code(""))))
    assert [cell.source for cell in read.cells] == ["an essay", ""]


@pytest.mark.parametrize(
    ("content", "kinds", "sources"),
    [
        (book(code("a"), {"cell_type": "sql", "source": "b"}, code("c")), ["code", "raw", "code"], ["a", "b", "c"]),
        (book(code("a"), "text", code("c")), ["code", "raw", "code"], ["a", "", "c"]),
        (book(code("a"), code(5), code("c")), ["code"] * 3, ["a", "", "c"]),
        (book(code(["a\n", 5, "b"])), ["code"], ["a\nb"]),
        (
            book(code("select * from a", metadata={"vscode": {"languageId": "sql"}}), code("c")),
            ["raw", "code"],
            ["select * from a", "c"],
        ),
        (book({"cell_type": ["code"], "source": "x"}, code("c")), ["raw", "code"], ["x", "c"]),
    ],
)
def test_cells_that_cannot_be_read_do_not_stop_the_others(
    tmp_path: Path, content: Any, kinds: list[str], sources: list[str]
) -> None:
    read = read_notebook(write(tmp_path, content))
    assert [cell.cell_type for cell in read.cells] == kinds
    assert [cell.source for cell in read.cells] == sources
    assert len(oddity_messages(read)) == 1


def test_a_cell_that_is_not_run_is_named_as_people_count(tmp_path: Path) -> None:
    (message,) = oddity_messages(read_notebook(write(tmp_path, book(code(), {"cell_type": "sql", "source": "x"}))))
    assert says(message, "{cell:cell} has the unknown type {type:raw}, so it was not run", cell=1, type="'sql'")


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ({"cell_type": "Code", "source": "x = 1"}, "code"),
        ({"source": "x = 1", "outputs": []}, "code"),
        ({"source": "x = 1", "execution_count": None}, "code"),
        ({"source": "some words"}, "markdown"),
        ({"cell_type": "code", "source": "x = 1", "outputs": "gone", "metadata": None, "execution_count": "5"}, "code"),
        ({"cell_type": "code", "input": "x = 1", "outputs": {"a": 1}}, "code"),
        ({"cell_type": "heading", "source": "Title", "level": 2}, "markdown"),
        ({"cell_type": "code", "source": "x = 1", "metadata": {"vscode": {"languageId": "plaintext"}}}, "code"),
        ({"cell_type": "code", "source": "%time\nx = 1", "metadata": {"vscode": {"languageId": "sql"}}}, "code"),
        ({"cell_type": "code", "source": "def f(:", "metadata": {"vscode": {"languageId": "python"}}}, "code"),
        ({"cell_type": "code", "source": "def f(:", "metadata": {"vscode": 5}}, "code"),
    ],
)
def test_a_cell_with_missing_or_wrong_fields_keeps_its_text(tmp_path: Path, cell: Any, kind: str) -> None:
    read = read_notebook(write(tmp_path, book(cell)))
    assert [(one.cell_type, bool(one.source)) for one in read.cells] == [(kind, True)]
    assert oddity_messages(read) == ()


@pytest.mark.parametrize("nbformat_number", [4, 5, 99, "4", 4.5, None, True])
def test_a_later_or_wrong_format_number_is_read_like_format_4(tmp_path: Path, nbformat_number: Any) -> None:
    content = {**book(code("x = 1")), "nbformat": nbformat_number, "nbformat_minor": 99}
    assert read_notebook(write(tmp_path, content)).cells[0].source == "x = 1"


def test_a_notebook_without_a_format_number_is_read(tmp_path: Path) -> None:
    assert read_notebook(write(tmp_path, {"cells": [code("x = 1")]})).cells[0].source == "x = 1"


def test_a_damaged_notebook_of_version_3_keeps_its_readable_cells(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "input": "x = 1", "metadata": 5}, 7, {"cell_type": "markdown", "source": ["a", "b"]}]
    read = read_notebook(write(tmp_path, {"nbformat": 3, "worksheets": [{"cells": cells}, 5]}))
    assert [cell.source for cell in read.cells] == ["x = 1", "", "ab"]


def test_the_cells_of_a_refused_notebook_can_still_be_read(tmp_path: Path) -> None:
    essay = {"cell_type": "markdown", "source": "an essay"}
    path = write(tmp_path, book(essay, code("x <- 1"), metadata={"kernelspec": {"name": "ir"}}))
    notebook = read_refused(path)
    assert notebook is not None
    assert [cell.source for cell in notebook.cells] == ["an essay", "x <- 1"]


@pytest.mark.parametrize("content", [b"", b"import keras", b"{}", b"[" * 100_000, json.dumps(book()).encode()])
def test_a_file_without_cells_gives_none(tmp_path: Path, content: bytes) -> None:
    assert read_refused(write(tmp_path, content)) is None
    assert read_refused(tmp_path / "missing.ipynb") is None


def test_a_notebook_of_version_3_is_brought_to_4(tmp_path: Path) -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "x"},
        "worksheets": [
            {
                "metadata": {},
                "cells": [
                    {"cell_type": "heading", "level": 2, "source": ["Title"], "metadata": {}},
                    {"cell_type": "code", "language": "python", "input": ["x = 1"], "metadata": {}, "collapsed": False},
                    {"cell_type": "code", "input": "y", "outputs": [{"output_type": "pyout", "text": "big" * 99}]},
                ],
            }
        ],
    }
    read = read_notebook(write(tmp_path, old))
    assert [cell.cell_type for cell in read.cells] == ["markdown", "code", "code"]
    assert read.cells[0].source == "## Title"
    assert [cell.source for cell in read.cells[1:]] == ["x = 1", "y"]


@pytest.mark.parametrize("wrong", [{"nbformat_minor": "x"}, {"nbformat_minor": None}, {"metadata": 5}, {"nbformat": 2}])
def test_a_damaged_notebook_of_an_old_version_keeps_its_cells(tmp_path: Path, wrong: dict[str, Any]) -> None:
    cells: list[Any] = [{"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": []}]
    read = read_notebook(write(tmp_path, {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "cells": cells} | wrong))
    assert [cell.source for cell in read.cells] == ["x = 1"]


@pytest.mark.parametrize("worksheets", [[{"cells": [5]}], 5, [{"cells": [{"cell_type": "code", "metadata": 5}]}], [7]])
def test_an_empty_and_broken_notebook_of_version_3_is_refused_in_words(tmp_path: Path, worksheets: Any) -> None:
    assert refused(tmp_path, {"nbformat": 3, "worksheets": worksheets}).message


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}, "R"),
        ({"kernelspec": {"name": "ir"}}, "R"),
        ({"kernelspec": {"name": "julia-1.10"}}, "Julia"),
        ({"language_info": {"name": "julia"}}, "Julia"),
        ({"kernelspec": {"name": "xcpp17"}}, "C++"),
        ({"kernelspec": {"name": "tf-gpu", "display_name": "Python (tf-gpu)"}}, None),
        ({"kernelspec": {"name": "ir"}, "language_info": {"name": "python"}}, None),
        ({"language_info": {"name": "ipython"}}, None),
        ({"kernelspec": "broken"}, None),
        ({"language_info": {"name": "plaintext"}, "orig_nbformat": 4}, None),
        ({"kernelspec": {"name": "conda-env-xyz", "display_name": "xyz"}}, None),
        ({"kernelspec": {"name": "conda-env-xyz-py", "language": "text"}}, None),
        ({"kernelspec": {"name": "", "language": ""}, "language_info": {"name": "raw"}}, None),
        ({"kernelspec": {"name": "python3"}, "language_info": {"name": "R"}}, None),
        ({"kernelspec": {"name": "ir"}, "language_info": {"name": "plaintext"}}, "R"),
        ({"language_info": {"name": "C#"}}, "C#"),
        ({"kernelspec": {"name": ".net-csharp", "language": "C#"}}, "C#"),
        ({}, None),
    ],
)
def test_another_language_is_recognised(metadata: dict[str, Any], language: str | None) -> None:
    assert foreign_language(metadata) == language


def test_an_r_notebook_is_refused_with_advice(tmp_path: Path) -> None:
    error = refused(tmp_path, book(code("x <- 1"), metadata={"kernelspec": {"name": "ir"}}))
    reason = "the notebook is written in {language}, but this assignment requires Python"
    assert says(error.says, reason, language="R")
    assert says(error.advice_says, "choose a Python 3 kernel, write the code in Python, save and submit")


@pytest.mark.parametrize(
    "metadata", [None, [], "x", {"kernelspec": 5, "language_info": [], "title": 7, "authors": "x"}]
)
def test_missing_or_broken_metadata_does_not_matter(tmp_path: Path, metadata: Any) -> None:
    content = book(code(metadata={"tags": "x", "collapsed": "yes", "name": ""}, execution_count="3"), metadata=metadata)
    assert read_notebook(write(tmp_path, content)).cells[0].source == "1 + 1"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = json.dumps(book(code("s = 'Grüße'")), ensure_ascii=False)
    assert read_notebook(write(tmp_path, text.encode(encoding))).cells[0].source == "s = 'Grüße'"


def test_half_characters_are_replaced_so_that_the_notebook_can_be_written(tmp_path: Path) -> None:
    raw = json.dumps(book(code("s = 'X'"))).replace("X", "\\ud83d").encode()
    source = read_notebook(write(tmp_path, raw)).cells[0].source
    assert source.encode("utf-8").decode("utf-8") == "s = '\ufffd'"


def test_of_duplicate_keys_the_last_counts_as_in_jupyter(tmp_path: Path) -> None:
    raw = json.dumps(book(code("WHAT"))).replace('"source": "WHAT"', '"source": "first", "source": "last"').encode()
    assert read_notebook(write(tmp_path, raw)).cells[0].source == "last"


def test_attachments_of_text_cells_stay(tmp_path: Path) -> None:
    cell = {
        "cell_type": "markdown",
        "source": "![x](attachment:x.png)",
        "attachments": {"x.png": {"image/png": ["aa", "b"]}},
    }
    read = read_notebook(write(tmp_path, book(code(), cell)))
    assert read.cells[1].attachments["x.png"]["image/png"] == "aab"


def test_the_word_outputs_in_a_students_text_is_not_cut(tmp_path: Path) -> None:
    source = 'd = {"outputs": [1, 2], "cells": [{"outputs": ["]"]}]}'
    cells = [code(source, metadata={"outputs": [1]}), code(outputs=[{"data": {"text/plain": ['"]}[', "\\"]}}])]
    read = read_notebook(write(tmp_path, book(*cells)))
    assert read.cells[0].source == source
    assert read.cells[1].outputs == []


def test_a_notebook_over_the_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    with path.open("wb") as file:
        file.truncate((200 << 20) + 1)
    with pytest.raises(NotebookError) as caught:
        read_notebook(path)
    reason = "the notebook has a size of {size:size}, more than the limit of {limit:size}"
    assert says(caught.value.says, reason, size=(200 << 20) + 1, limit=200 << 20)


def test_a_notebook_large_without_its_outputs_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, book(code("#" * (33 << 20))))
    assert says(error.says, "the notebook has a size of {size:size} even without its outputs")


def test_a_100_mb_notebook_of_outputs_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "work.ipynb"
    image = (
        b'{"output_type": "display_data", "metadata": {}, "data": {"image/png": "' + b"iVBORw0K" * 1_250_000 + b'"}}'
    )
    with path.open("wb") as file:
        file.write(b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [')
        for index in range(10):
            file.write(b"," if index else b"")
            file.write(b'{"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "x = 1", "outputs": [')
            file.write(image + b"]}")
        file.write(b"]}")
    assert path.stat().st_size > 100_000_000
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from grader.intake.notebook import read_notebook\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "book = read_notebook(Path(sys.argv[1]))\n"
        "print(len(book.cells), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    cells, grown_kib = map(int, done.stdout.split())
    assert cells == 10
    assert grown_kib < 100 * 1024


def test_signs_in_outputs_are_noted_before_they_are_cut(tmp_path: Path) -> None:
    summary = "conv2d (Conv2D)              (None, 26, 26, 8)         80        \n"
    history = "<tensorflow.python.keras.callbacks.History at 0x7f>"
    outputs = [{"output_type": "stream", "name": "stdout", "text": [summary, history]}]
    read = read_notebook(write(tmp_path, book(code(outputs=outputs))))
    assert read.metadata.grader.output_signs == ["history-tensorflow-python", "table-keras2"]


def test_a_stored_name_error_is_kept_with_its_cell(tmp_path: Path) -> None:
    error = {
        "output_type": "error",
        "ename": "NameError",
        "evalue": "name 'net' is not defined",
        "traceback": ["NameError: name 'net' is not defined"],
    }
    picture = {"output_type": "display_data", "data": {"image/png": "A" * 1000}, "metadata": {}}
    cells = [code("1"), code("net.fit(x)", outputs=[picture, error]), code("print(name)", metadata={STORED_ERROR: "X"})]
    read = read_notebook(write(tmp_path, book(*cells)))
    assert [cell.outputs for cell in read.cells] == [[], [], []]
    assert [cell.metadata.get(STORED_ERROR) for cell in read.cells] == [
        None,
        "NameError: name 'net' is not defined",
        None,
    ]


def test_the_class_of_another_stored_error_is_kept(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "OSError", "evalue": "no file", "traceback": ["a" * 9]}
    printed = {"output_type": "stream", "name": "stdout", "text": '{"ename": "OSError"}'}
    read = read_notebook(write(tmp_path, book(code("load()", outputs=[error]), code("1", outputs=[printed]))))
    assert [cell.metadata.get(STORED_ERROR) for cell in read.cells] == ["OSError: ", None]


def test_a_stored_name_error_of_version_3_is_kept(tmp_path: Path) -> None:
    error = {
        "output_type": "pyerr",
        "ename": "NameError",
        "evalue": "name 'a' is not defined",
        "traceback": [],
    }
    cell = {"cell_type": "code", "input": "a", "outputs": [error], "language": "python", "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell], "metadata": {}}]}
    assert read_notebook(write(tmp_path, old)).cells[0].metadata[STORED_ERROR] == "NameError: name 'a' is not defined"


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ipynb", tmp_path):
        with pytest.raises(UnreadableError, match="cannot be read"):
            read_notebook(path)


@pytest.mark.parametrize("content", [b"", b"half of anoth", json.dumps(book(code("2"))).encode()])
def test_another_notebook_than_was_found_is_told_whatever_is_in_it(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, book(code("1")))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_notebook(path, sha256=found).cells[0].source == "1"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="changed while the class was graded"):
        read_notebook(path, sha256=found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cell_type", "source", "id", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=80)
@given(
    cells=st.lists(
        JSON
        | st.fixed_dictionaries(
            {
                "cell_type": st.sampled_from(["code", "markdown"]),
                "source": JSON,
                "metadata": JSON,
                "id": JSON,
                "attachments": JSON,
            }
        )
    ),
    metadata=JSON,
)
def test_whatever_stands_in_it_the_result_is_valid_or_refused(cells: list[Any], metadata: Any) -> None:
    try:
        result = normalise({"cells": cells, "metadata": metadata})
    except NotebookError:
        return
    nbformat.validate(result)


def test_the_module_says_what_it_offers() -> None:
    assert all(hasattr(module, name) for name in module.__all__)
