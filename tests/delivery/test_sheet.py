"""Single cells of a CSV file change, and every other byte stays as it is."""

import codecs
import csv
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grader.delivery.sheet import Sheet, filled, read_sheet
from grader.schema.errors import UsageError

TEXT = st.text(st.characters(codec="cp1252", exclude_characters="\x00"), max_size=8)
WIDE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
FORMS = [("", "cp1252"), ("", "utf-8"), ("\ufeff", "utf-8"), ("\ufeff", "utf-16-le"), ("\ufeff", "utf-16-be")]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], bytes, str, str]:
    """Rows of equal length, the file that the module `csv` writes, its encoding and its separator."""
    mark, encoding = draw(st.sampled_from(FORMS))
    width = draw(st.integers(2, 5))
    cells = TEXT if encoding == "cp1252" else WIDE
    heading = [f"column {number}" for number in range(width)]
    rows = [heading, *draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))]
    separator, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\r\n", "\n", "\r"]))
    buffer = io.StringIO()
    if end != "\r\n" or draw(st.booleans()):  # the module quotes only the characters of its own line end
        csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    else:
        csv.writer(buffer, delimiter=separator, lineterminator=end).writerows(rows)
    text = buffer.getvalue()
    if draw(st.booleans()):
        text = text.removesuffix(end)
    content = (mark + text).encode(encoding)
    # Bytes that are valid UTF-8 are read as UTF-8; nothing tells that they were meant as something else.
    assume(encoding != "cp1252" or text.isascii() or not _is_utf8(content))
    return rows, content, encoding, separator


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read(content: bytes, encoding: str, separator: str) -> list[list[str]]:
    """Read a file with the module `csv`."""
    text = content.decode(encoding).removeprefix("\ufeff")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))


def raw_cells(sheet: Sheet) -> list[list[str]]:
    """The cells as they are written in the file, with their quotes."""
    return [[sheet.text[cell.start : cell.end] for cell in row] for row in sheet.rows]


@given(tables(), st.data())
def test_only_the_chosen_cells_change(table: tuple[list[list[str]], bytes, str, str], data: st.DataObject) -> None:
    rows, content, encoding, separator = table
    sheet = read_sheet(content, name="x.csv")
    assert [[cell.value for cell in row] for row in sheet.rows] == read(content, encoding, separator) == rows
    places = [(row, column) for row in range(1, len(rows)) for column in range(len(rows[0]))]
    values = {
        place: data.draw(st.sampled_from(["85", "7.25", "EX", "", 'a"b', "x,y;z", "two\nlines"]))
        for place in data.draw(st.lists(st.sampled_from(places), unique=True) if places else st.just([]))
    }
    changed = filled(sheet, values)
    expected = [[values.get((r, c), cell) for c, cell in enumerate(row)] for r, row in enumerate(rows)]
    assert read(changed, encoding, separator) == expected
    before, after = raw_cells(sheet), raw_cells(read_sheet(changed, name="x.csv"))
    for row, cells in enumerate(before):
        for column, cell in enumerate(cells):
            assert (row, column) in values or after[row][column] == cell


@given(tables())
def test_a_file_without_changes_keeps_every_byte(table: tuple[list[list[str]], bytes, str, str]) -> None:
    assert filled(read_sheet(table[1], name="x.csv"), {}) == table[1]


def test_the_quotes_around_a_changed_cell_stay() -> None:
    sheet = read_sheet(b'a,b\r\n"1",2\r\n', name="x.csv")
    assert filled(sheet, {(1, 0): "10", (1, 1): "20"}) == b'a,b\r\n"10",20\r\n'


def test_a_row_that_is_too_short_gets_the_missing_cells() -> None:
    sheet = read_sheet(b"a,b,c\nx\ny,1,2\n", name="x.csv")
    assert filled(sheet, {(1, 2): "5", (2, 1): "7"}) == b"a,b,c\nx,,5\ny,7,2\n"


def test_rows_know_their_lines_although_cells_have_line_ends() -> None:
    sheet = read_sheet(b'a,b\n"two\r\nlines",1\n\nx,2\n', name="x.csv")
    assert sheet.lines == (1, 2, 4, 5)
    assert sheet.rows[2] == ()


def test_a_cell_of_a_megabyte_is_no_problem() -> None:
    text = "x" * 1_000_000
    assert read_sheet(f"a,b\n{text},1\n".encode(), name="x.csv").value(1, 0) == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b'a,b\n"x,1\n', "line 2: a quoted cell does not end"),
        (b'a,b\n"x"y,1\n', "line 2: there is text after a quoted cell"),
        (codecs.BOM_UTF8 + b"a,b\n\xff,1\n", "not valid UTF-8"),
    ],
)
def test_a_file_that_is_no_csv_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_sheet(content, name="x.csv")
