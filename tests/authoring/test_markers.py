"""The text of a cell that students get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.authoring.markers import CODE_STUB, TEXT_STUB, clear_text

STUB = CODE_STUB.split("\n")


def code(*lines: str) -> str:
    return clear_text("\n".join(lines), code=True).text


def problems(*lines: str, code: bool = True) -> list[tuple[int, str]]:
    return [(one.line, one.message) for one in clear_text("\n".join(lines), code=code).problems]


def test_a_solution_becomes_a_stub_at_the_place_of_its_marker() -> None:
    lines = code("def f(x):", "    ### BEGIN SOLUTION", "    return 2 * x", "    ### END SOLUTION", "f(1)")
    assert lines.split("\n") == ["def f(x):", *(f"    {line}" for line in STUB), "f(1)"]


def test_hidden_tests_and_mark_schemes_leave_nothing() -> None:
    cleared = clear_text(
        "assert f(1)\n### BEGIN HIDDEN TESTS\nassert f(2)\n### END HIDDEN TESTS\nassert f(3)", code=True
    )
    assert (cleared.text, cleared.removed) == ("assert f(1)\nassert f(3)", ((2, "hidden tests", "assert f(2)"),))
    scheme = "Why?\n=== BEGIN MARK SCHEME ===\nBecause.\n=== END MARK SCHEME ===\n![a](b)"
    assert clear_text(scheme, code=False).text == "Why?\n![a](b)"


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("### BEGIN SOLUTION", "### END SOLUTION"),
        ("<!-- BEGIN SOLUTION -->", "<!-- END SOLUTION -->"),
        ("BEGIN SOLUTION", "END SOLUTION"),
    ],
)
def test_an_answer_becomes_a_placeholder(begin: str, end: str) -> None:
    assert clear_text(f"Why?\n{begin}\nBecause.\n{end}", code=False).text == f"Why?\n{TEXT_STUB}"


@pytest.mark.parametrize(
    ("line", "students"),
    [
        ("nine = square(3)  # SOLUTION", "nine = ..."),
        ("a = b = (1 + 2)  # SOLUTION", "a = b = ..."),
        ("x['größe'] = 1 # SOLUTION", "x['größe'] = ..."),
        ("rate: float = 0.1 #SOLUTION", "rate: float = ..."),
        ("    return y  # SOLUTION", "    ..."),
        ("f(x)  # SOLUTION", "..."),
        ("y = x  # SOLUTION NO PROMPT", ""),
        ("print('# SOLUTION')", "print('# SOLUTION')"),
        ("# the solution of the equation", "# the solution of the equation"),
    ],
)
def test_a_marked_line_loses_its_value(line: str, students: str) -> None:
    cleared = clear_text(line, code=True)
    assert (cleared.text, cleared.problems) == (students, ())


def test_a_prompt_replaces_a_solution_without_one() -> None:
    lines = code(
        "def f(r):",
        "    # BEGIN SOLUTION NO PROMPT",
        "    return 2 * r",
        "    # END SOLUTION",
        '    """ # BEGIN PROMPT',
        "    # Next, define f.",
        "    pass",
        '    """; # END PROMPT',
    )
    assert lines == "def f(r):\n    # Next, define f.\n    pass"


@pytest.mark.parametrize(
    ("lines", "line", "words"),
    [
        (["x", "### BEGIN SOLUTION", "y"], 2, "has no `END SOLUTION`"),
        (["### END SOLUTION"], 1, "has no `BEGIN SOLUTION` before it"),
        (["### BEGIN SOLUTION", "### BEGIN SOLUTION", "### END SOLUTION"], 2, "is inside the region"),
        (["### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS", "### END SOLUTION"], 2, "is inside the region"),
        (["### BEGIN SOLUTION", "### END HIDDEN TESTS", "### END SOLUTION"], 2, "is inside the region"),
        (["x = 1 ### BEGIN SOLUTION", "y"], 1, "must be the only thing in its line"),
        (["# begin solution"], 1, "capital letters"),
        (["#### Begin_Solution ####"], 1, "capital letters"),
        (["# START SOLUTION"], 1, "capital letters"),
        (["x = 1  # solution"], 1, "capital letters"),
        (["# SOLUTION"], 1, "must follow code"),
        (['""" # BEGIN PROMPT', "x"], 1, "has no `END PROMPT`"),
        (['""" # END PROMPT'], 1, "has no `BEGIN PROMPT`"),
        (['""" # BEGIN PROMPT', '""" # BEGIN PROMPT', '""" # END PROMPT'], 2, "is inside the prompt"),
        (['""" # BEGIN PROMPT', "# BEGIN SOLUTION", '""" # END PROMPT'], 2, "is inside the prompt"),
        (["# BEGIN PROMPT"], 1, "must be"),
    ],
)
def test_a_wrong_marker_is_a_problem_of_its_line(lines: list[str], line: int, words: str) -> None:
    found = problems(*lines)
    assert (line, True) in [(number, words in message) for number, message in found], found


def test_text_after_a_marker_is_not_lost_silently() -> None:
    assert problems("### BEGIN SOLUTION 2 points", "x", "### END SOLUTION") == []
    assert problems("<!-- BEGIN SOLUTION --> Why?", "x", "<!-- END SOLUTION -->", code=False)


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12).map("p{}".format)
SECRET = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12).map("secret{}".format)
REGION = st.tuples(st.sampled_from(["SOLUTION", "HIDDEN TESTS", "MARK SCHEME"]), st.lists(SECRET, max_size=3))
INDENT = st.sampled_from(["", "  ", "\t", "        "])


@given(parts=st.lists(PLAIN | st.tuples(INDENT, REGION), max_size=8), code=st.booleans())
def test_nothing_between_markers_survives_and_everything_outside_does(
    parts: list[str | tuple[str, tuple[str, list[str]]]], *, code: bool
) -> None:
    lines: list[str] = []
    expected: list[str] = []
    removed: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(part)
            expected.append(part)
            continue
        indent, (kind, secrets) = part
        lines += [f"{indent}### BEGIN {kind}", *secrets, f"{indent}### END {kind}"]
        removed.append("\n".join(secrets))
        expected += [indent + stub for stub in (STUB if code else [TEXT_STUB])] if kind == "SOLUTION" else []
    cleared = clear_text("\n".join(lines), code=code)
    assert cleared.problems == ()
    assert cleared.text.split("\n") == (expected or [""])
    assert [text for _, _, text in cleared.removed] == removed
