"""Students, attempts and own names in the names that learning platforms give to downloads."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.intake.platforms import canvas_version, people_of, person_of, read_blackboard_note, sortable_time

WORD = st.text(st.characters(categories=["Ll", "Lu"], max_codepoint=0x2FF), min_size=2, max_size=8)
NAME = st.builds("{} {}".format, WORD, WORD)
LOGIN = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=2, max_size=8)
NUMBER = st.integers(10, 10_000_000).map(str)
SUFFIX = st.sampled_from([".ipynb", ".py", ".csv", ".tar.gz", " final (2).ipynb", "_v2.ipynb"])
OWN = st.builds("{}{}".format, WORD, SUFFIX)
RANGES = ((2000, 2099), (1, 12), (1, 28), (0, 23), (0, 59))
TIME = st.builds(datetime, *(st.integers(low, high) for low, high in RANGES))
FORMS = ["%b {day}, %Y {hour}%M %p", "%B {day}, %Y {hour}:%M %p", "{day} %B, %Y %H%M", "%Y-%m-%d-%H-%M-%S"]


@pytest.mark.parametrize(
    ("name", "student", "rest", "kind"),
    [
        ("Jane Doe_1234567_assignsubmission_file", "Jane Doe", "", "file"),
        ("Jane Doe_1234567_assignsubmission_file_", "Jane Doe", "", "file"),
        ("Jane Doe_1234567_assignsubmission_file_my_hw_2.ipynb", "Jane Doe", "my_hw_2.ipynb", "file"),
        ("Jane Doe_1234567_assignsubmission_onlinetext", "Jane Doe", "", "text"),
        ("Jane Doe_1234567_assignsubmission_onlinetext_onlinetext.html", "Jane Doe", "onlinetext.html", "text"),
        ("Jane Doe_1234567_assignsubmission_onlinetext_.html", "Jane Doe", "onlinetext.html", "text"),
        ("Participant_123_assignsubmission_file_", "Participant 123", "", "file"),
        ("Teilnehmer_in_123_assignsubmission_file_", "Teilnehmer in 123", "", "file"),
        ("raybob_12346_67892_helper.py", "raybob", "helper.py", "file"),
        ("raybob_LATE_12346_67892_my_data_2.csv", "raybob", "my_data_2.csv", "file"),
        ("raybob_12346_text.html", "raybob", "text.html", "text"),
        ("anon_12346_67892_helper.py", "anonymous 12346", "helper.py", "file"),
        ("12345-67890 - Jane Doe - Nov 1, 2026 1000 AM", "Jane Doe", "", "file"),
        ("12345-67890 - Jane Doe-Smith- Nov 1, 2026 1000 AM - a - b.ipynb", "Jane Doe-Smith", "a - b.ipynb", "file"),
        ("12345-67890 - Group 1 - Jane Doe - 1 November, 2026 1000", "Group 1 - Jane Doe", "", "file"),
        ("Ray, Bob(bray)", "Bob Ray", "", "file"),
        ("von Ray, Bob Lee (bray)_Submission attachment(s)_hw.ipynb", "Bob Lee von Ray", "hw.ipynb", "file"),
        ("Ray, Bob(bray)_submissionText.html", "Bob Ray", "submissionText.html", "text"),
        ("alee+ps1+2026-11-01 10:00:00.123456 UTC+c2x", "alee", "", "file"),
    ],
)
def test_a_name_of_a_platform_contains_the_student_and_the_own_name(
    name: str, student: str, rest: str, kind: str
) -> None:
    person = person_of(name)
    assert person is not None
    assert (person.student, person.rest, person.kind) == (student, rest, kind)


@pytest.mark.parametrize(
    "name",
    [
        "homework.ipynb",
        "Jane Doe",
        "data_2026_v1.csv",
        "hw (1).ipynb",
        "Doe, Jane",
        "12-34 - notes",
        "a+b.ipynb",
    ],
)
def test_other_names_are_no_platform_s(name: str) -> None:
    assert person_of(name) is None


@given(NAME, NUMBER, OWN, st.sampled_from(["", "Gruppe A-"]))
def test_every_moodle_name_is_read(name: str, number: str, own: str, group: str) -> None:
    person = person_of(f"{group}{name}_{number}_assignsubmission_file_{own}")
    assert person is not None
    assert (person.student, person.id, person.rest) == (group + name, f"{group}{name}-{number}", own)


@given(LOGIN, NUMBER, st.integers(100, 10_000_000), OWN, st.sampled_from(["", "_LATE", "_late"]))
def test_every_canvas_name_is_read(login: str, number: str, attachment: int, own: str, late: str) -> None:
    person = person_of(f"x{login}{late}_{number}_{attachment}_{own}")
    assert person is not None
    assert (person.student, person.id, person.rest) == (f"x{login}", f"x{login}-{number}", own)


@given(st.sampled_from(["hw1", "Homework 1", "hw_1_cnn", "Week 3: nets"]), st.sets(LOGIN, min_size=2), TIME, OWN)
def test_every_blackboard_name_is_read(title: str, logins: set[str], time: datetime, own: str) -> None:
    stamp = time.strftime("%Y-%m-%d-%H-%M-%S")
    names = {f"{title}_{login}_attempt_{stamp}_{own}": login for login in logins}
    people = people_of(list(names), [])
    assert {name: person.student for name, person in people.items()} == names
    assert {(person.attempt, person.rest) for person in people.values()} == {(stamp, own)}


@given(students=st.dictionaries(NUMBER, NAME, min_size=2), time=TIME, first=st.booleans())
def test_every_brightspace_name_is_read_whichever_number_is_the_student_s(
    students: dict[str, str], time: datetime, *, first: bool
) -> None:
    stamp = f"{time:%b} {time.day}, {time:%Y} {time.hour % 12 or 12}{time:%M %p}"
    names = {f"{f'{n}-555' if first else f'555-{n}'} - {name} - {stamp}": (n, name) for n, name in students.items()}
    people = people_of([], list(names))
    assert {name: person.student for name, person in people.items()} == {k: v[1] for k, v in names.items()}
    if len(set(students.values())) > 1:
        assert len({person.id for person in people.values()}) == len(students)


@given(st.dictionaries(NUMBER, st.tuples(WORD, WORD, LOGIN), min_size=2))
def test_every_ilias_folder_is_read(students: dict[str, tuple[str, str, str]]) -> None:
    names = {f"{last}_{first}_{login}_{n}": f"{first} {last}" for n, (last, first, login) in students.items()}
    assert {name: person.student for name, person in people_of([], list(names)).items()} == names


def test_folders_of_that_form_are_ilias_s_only_together() -> None:
    assert people_of([], ["deep_learning_hw_2026"]) == {}
    assert people_of([], ["deep_learning_hw_2026", "ann"]) == {}
    assert people_of([], ["Doe_Jane_jdoe_123"], "Abgaben")["Doe_Jane_jdoe_123"].student == "Jane Doe"


def test_a_title_that_several_students_have_is_google_classroom_s() -> None:
    files = ["Jane Doe - hw 1.ipynb", "Bob Ray - hw 1.ipynb", "Bob Ray - data.csv", "Course - syllabus.pdf"]
    people = people_of(files, [])
    assert {name: (p.student, p.rest) for name, p in people.items()} == {
        "Jane Doe - hw 1.ipynb": ("Jane Doe", "hw 1.ipynb"),
        "Bob Ray - hw 1.ipynb": ("Bob Ray", "hw 1.ipynb"),
        "Bob Ray - data.csv": ("Bob Ray", "data.csv"),
    }
    assert people_of(["Jane Doe - hw 1.ipynb", "Bob Ray - other.ipynb"], []) == {}


@given(TIME, st.sampled_from(FORMS))
def test_times_sort_in_every_form(time: datetime, form: str) -> None:
    text = time.strftime(form.format(day=time.day, hour=time.hour % 12 or 12))
    assert sortable_time(text) == time.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1. Dezember 2026 1000", "2026-12-01 10:00:00"),
        ("3 juil. 2026 14 h 05", "2026-07-03 14:05:00"),
        ("Juni 3, 2026", "2026-06-03 00:00:00"),
        ("Nov 1, 2026 1205 AM", "2026-11-01 00:05:00"),
        ("2026-11-01 10:00:00.5 UTC", "2026-11-01 10:00:00"),
        ("11月 1, 2026 1000", ""),
        ("yesterday", ""),
    ],
)
def test_times_in_other_languages_are_read_or_unknown(text: str, time: str) -> None:
    assert sortable_time(text) == time


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_blackboard_s_text_has_the_name_and_the_own_names_of_files(newline: str) -> None:
    lines = [
        "Name: Jane (JD) Doe (user_123)",
        "Assignment: hw1",
        "Submission Field:",
        "Name: Somebody Else (other)",
        "Files:",
        "\tOriginal filename: my hw.ipynb",
        "\tFilename: hw1_user_123_attempt_2026-11-01-10-00-00_my hw.ipynb",
    ]
    note = read_blackboard_note(newline.join(lines))
    assert (note.student, note.login) == ("Jane (JD) Doe", "user_123")
    assert note.originals == {"hw1_user_123_attempt_2026-11-01-10-00-00_my hw.ipynb": "my hw.ipynb"}
    assert read_blackboard_note("no name here").student == ""


@pytest.mark.parametrize("padding", [" ", "\t", "a ", "(", "()"])
@pytest.mark.parametrize("start", ["Name: ", "Name: x (", "\nFiles:\n\tOriginal filename: a\n\tFilename: b"])
def test_a_student_s_long_line_in_blackboard_s_text_costs_no_time(start: str, padding: str) -> None:
    note = read_blackboard_note(f"{start}{padding * 2_000_000}\nName: Jane Doe (jd1)")
    assert (note.student, note.login, note.originals) == ("Jane Doe", "jd1", {})


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("hw1.ipynb", ("hw1.ipynb", 0)),
        ("hw1-1.ipynb", ("hw1.ipynb", 1)),
        ("a-b-12.tar.gz", ("a-b.tar.gz", 12)),
        ("2026-11-01.csv", ("2026-11.csv", 1)),
        ("hw-1", ("hw-1", 0)),
    ],
)
def test_canvas_numbers_later_versions(name: str, version: tuple[str, int]) -> None:
    assert canvas_version(name) == version
