"""Rosters: what they may look like, what is wrong with one, and whose submission is whose."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.delivery.roster import (
    RosterTable,
    Student,
    address_problem,
    match,
    parse_roster,
    read_roster,
    read_table,
    students_of,
    table_bytes,
)
from grader.facts.language import english
from grader.schema.errors import UsageError
from grader.schema.grade import SubmissionStamp


def stamp(name: str, student: str | None = None) -> SubmissionStamp:
    return SubmissionStamp(id=name, student=name if student is None else student, files=(), sha256="0")


def roster(*lines: str) -> tuple[Student, ...]:
    return parse_roster("\n".join(lines).encode())


def pairs(students: tuple[Student, ...], *stamps: SubmissionStamp) -> dict[str, str]:
    return {name: student.email for name, student in match(students, stamps).pairs.items()}


def problem_of(*lines: str) -> str:
    with pytest.raises(UsageError) as caught:
        roster(*lines)
    assert caught.value.where == "roster.csv"
    return caught.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_files_of_spreadsheet_programs_are_read(encoding: str, separator: str) -> None:
    text = "ID number,First name,Last name,Email address,Sprache\r\n7,Jürgen,Groß,jg@example.org,en\r\n".replace(
        ",", separator
    )
    (student,) = parse_roster(text.encode(encoding))
    assert (student.id, student.name, student.email, student.line) == ("7", "Jürgen Groß", "jg@example.org", 2)


def test_an_unknown_language_a_bad_address_and_a_missing_one_are_named_with_their_lines() -> None:
    message = problem_of("id,email,language", "a,a@x.org,xx", "b,nobody", "", "c,", 'd,"d@x.org\nBcc: e@x.org"')
    assert message.split("; ")[0] == "line 2: unknown language 'xx'"
    assert "line 3: 'nobody' is not an e-mail address" in message
    assert "line 5: the e-mail address is missing" in message
    assert "line 7: 'd@x.org Bcc: e@x.org' is not an e-mail address" in message


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ("id,emial", "a,b"),
            "line 1: there is no column `email`; the columns are 'id', 'emial'; did you mean 'emial'?",
        ),
        (("email", "a@x.org"), "line 1: there is no column `id` or `name`"),
        (("id,email,E-Mail", "a,b,c"), "line 1: two columns are the student's email"),
        (("id,email",), "line 2: the roster has no students"),
        (("id,email", 'a,"a@x.org'), "line 2: unexpected end of data"),
        (("id,email", "a,a@x.org", "A,b@x.org"), "line 3: the id 'a' is already on line 2"),
        (("id,email", "a,a@x.org", "b,A@X.org"), "line 3: the email 'a@x.org' is already on line 2"),
    ],
)
def test_a_wrong_roster_is_an_error(lines: tuple[str, ...], problem: str) -> None:
    assert problem_of(*lines) == problem


def test_a_roster_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_roster(tmp_path / "none.csv")


def test_students_are_matched_by_id_address_and_name() -> None:
    students = roster(
        "id,name,email,submission",
        "s1,Amara Okafor,amara@x.org,",
        "s2,Jürgen Müller,jm@x.org,",
        "s3,Zoë Ångström,z@x.org,",
        "s4,Dmitri,dmitri.p@x.org,",
        "s5,Elif,e@x.org,group 7",
    )
    submissions = (
        stamp("s1"),
        stamp("x-9", "mueller, JURGEN"),
        stamp("Zoe_Angstrom"),
        stamp("dmitri-p"),
        stamp("Group-7"),
    )
    with_umlauts = pairs(students, *submissions[:1], *submissions[2:])
    assert with_umlauts == {
        "s1": "amara@x.org",
        "Zoe_Angstrom": "z@x.org",
        "dmitri-p": "dmitri.p@x.org",
        "Group-7": "e@x.org",
    }
    for written in ("Müller, Jürgen", "Mueller Juergen", "Jurgen Muller", "mu\u0308ller ju\u0308rgen"):
        assert pairs(students, stamp("x-9", written)) == {"x-9": "jm@x.org"}


def test_nobody_gets_the_grade_of_a_namesake_or_of_a_contradiction() -> None:
    students = roster("id,name,email", "s1,Anna Schmidt,a1@x.org", "s2,Anna Schmidt,a2@x.org", "ben,Ben,b@x.org")
    assert pairs(students, stamp("s1", "Anna Schmidt")) == {"s1": "a1@x.org"}
    matching = match(students, [stamp("x", "Anna Schmidt"), stamp("ben", "Anna Schmidt"), stamp("nobody")])
    assert matching.pairs == {}
    assert {name: english(reason) for name, reason in matching.unmatched.items()} == {
        "x": "several students match: Anna Schmidt, Anna Schmidt",
        "ben": "the id and the name match different students: Ben, Anna Schmidt",
        "nobody": "nobody in the roster matches",
    }
    assert [student.id for student in matching.missing] == ["s1", "s2", "ben"]


def test_two_submissions_of_one_student_are_held_back() -> None:
    matching = match(roster("id,name,email", "s1,Amara,a@x.org"), [stamp("s1"), stamp("amara")])
    assert matching.pairs == {}
    assert english(matching.unmatched["s1"]) == "2 submissions match Amara: s1, amara"
    assert matching.missing == ()


@pytest.mark.parametrize(
    "address", ["a@x.org", "a.b+c@sub.x.org", "o'neil@x.org", "jürgen@üni.example", "me@localhost"]
)
def test_an_address_is_accepted(address: str) -> None:
    assert address_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@x.org",
        "a@",
        "a@x",
        "a b@x.org",
        "a@x.org,b@x.org",
        "<a@x.org>",
        "a@x..org",
        "a\n@x.org",
        "a" * 65 + "@x.org",
    ],
)
def test_a_broken_address_is_not(address: str) -> None:
    assert address_problem(address) is not None


@given(st.binary(max_size=300))
def test_any_bytes_are_students_or_an_error(content: bytes) -> None:
    students: tuple[Student, ...] = ()
    with contextlib.suppress(UsageError):
        students = parse_roster(content)
    assert all(address_problem(student.email) is None for student in students)


CELLS = st.text(max_size=20).filter(lambda text: "\x00" not in text)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_any_names_are_read_as_one_line_without_control_characters(names: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [f"{quoted(first)},{quoted(last)},s{index}@x.org" for index, (first, last) in enumerate(names)]
    content = "\r\n".join(["first name,last name,email", *lines]).encode("utf-8", "surrogatepass")
    try:
        students = parse_roster(content)
    except UsageError:
        return
    assert len(students) == len(names)
    assert all(student.name.isprintable() or not student.name.isascii() for student in students)
    assert all("\n" not in student.name and "\r" not in student.name for student in students)


@given(st.lists(st.text("abcäöü ,-", min_size=1, max_size=8), min_size=1, max_size=6, unique=True), st.data())
def test_no_submission_gets_a_student_of_another_name(names: list[str], data: st.DataObject) -> None:
    students = tuple(
        Student(id="", name=name, email=f"s{index}@x.org", language=None, submission="", line=index + 2)
        for index, name in enumerate(names)
    )
    wanted = data.draw(st.sampled_from(names))
    matching = match(students, [stamp("sub-1", wanted)])
    assert [student.name for student in matching.pairs.values()] in ([], [wanted])


CANVAS = b"""\
Student,ID,SIS User ID,SIS Login ID,Section,HW 1 (4242)\r
    Points Possible,,,,,100\r
"Lee, Ann",4711,u100,alee,"Monday, 10",\r
"Roth, Ben",4712,u101,broth,"Monday, 10",95\r
"""
MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Last modified (submission)
Participant 4711,Ann Lee,ann@x.org,Submitted for grading,-,"Sunday, 8 November 2026, 6:03 PM"
Participant 4712,Ben Roth,ben@x.org,No submission,-,-
"""


def test_the_gradebook_of_canvas_is_a_roster_without_addresses() -> None:
    ann, ben = parse_roster(CANVAS, addresses=False)
    assert (ann.id, ann.name, ann.sis_id, ann.login, ann.section) == ("4711", "Lee, Ann", "u100", "alee", "Monday, 10")
    assert ann.line == 3
    matching = match((ann, ben), [stamp("leeann-4711", "leeann"), stamp("rothben-4712", "rothben")])
    assert {name: one.id for name, one in matching.pairs.items()} == {"leeann-4711": "4711", "rothben-4712": "4712"}
    with pytest.raises(UsageError, match="no column `email`"):
        parse_roster(CANVAS)


def test_the_worksheet_of_moodle_is_a_roster() -> None:
    ann, ben = parse_roster(MOODLE.encode())
    assert (ann.moodle_participant, ben.email) == ("Participant 4711", "ben@x.org")
    matching = match((ann, ben), [stamp("Participant-4711", "Participant 4711")])
    assert matching.pairs == {"Participant-4711": ann}
    assert matching.missing == (ben,)


def test_a_number_of_a_platform_contradicts_another_name() -> None:
    students = parse_roster(CANVAS, addresses=False)
    matching = match(students, [stamp("x-4711", "Roth, Ben")])
    reason = "the id and the name match different students: Lee, Ann, Roth, Ben"
    assert english(matching.unmatched["x-4711"]) == reason


@pytest.mark.parametrize("content", [CANVAS, MOODLE.encode(), "id;name;e-mail\n7;Jürgen;j@x.org\n".encode("cp1252")])
def test_a_roster_is_written_as_it_was(content: bytes) -> None:
    table = read_table(content)
    assert table_bytes(table) == content
    assert students_of(table, addresses=False) == parse_roster(content, addresses=False)


WRITTEN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(
    st.lists(st.lists(WRITTEN, min_size=2, max_size=5), max_size=5),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_every_cell_survives_a_round_trip(rows: list[list[str]], encoding: str, separator: str) -> None:
    heading = ("id", "E-Mail", "sis_id", "Section", "Something else")
    table = RosterTable(heading, tuple(map(tuple, rows)), separator, encoding)
    assert read_table(table_bytes(table)) == table
