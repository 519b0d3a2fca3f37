"""An answer is held by one person at a time, across processes, and never for long after a page was closed."""

import subprocess
import sys
from pathlib import Path

import pytest

from grader.desk.holds import LEASE, Holds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "holds.json"


def test_the_second_person_learns_who_holds_it(path: Path) -> None:
    holds = Holds(path, lambda: 0.0)
    assert holds.take("critique/1", "mara-id", "Mara") is None
    assert holds.take("critique/1", "theo-id", "Theo") == "Mara"
    assert holds.take("critique/1", "mara-id", "Mara") is None
    assert holds.others("theo-id") == {"critique/1": "Mara"}
    assert holds.others("mara-id") == {}


def test_it_can_be_taken_over(path: Path) -> None:
    holds = Holds(path, lambda: 0.0)
    holds.take("critique/1", "mara-id", "Mara")
    assert holds.take("critique/1", "theo-id", "Theo", force=True) is None
    assert holds.take("critique/1", "mara-id", "Mara") == "Theo"


def test_a_person_holds_one_answer(path: Path) -> None:
    holds = Holds(path, lambda: 0.0)
    holds.take("critique/1", "mara-id", "Mara")
    holds.take("critique/2", "mara-id", "Mara")
    assert holds.others("theo-id") == {"critique/2": "Mara"}
    holds.release("mara-id")
    assert holds.others("theo-id") == {}


def test_the_same_name_in_another_browser_continues(path: Path) -> None:
    holds = Holds(path, lambda: 0.0)
    holds.take("critique/1", "mara-id", "Mara")
    assert holds.others("mara-later", "Mara") == {}
    assert holds.take("critique/1", "mara-later", "Mara") is None
    assert holds.take("critique/2", "mara-later", "Mara") is None
    assert holds.others("theo-id", "Theo") == {"critique/2": "Mara"}


def test_a_hold_ends_by_itself(path: Path) -> None:
    now = 0.0
    holds = Holds(path, lambda: now)
    holds.take("critique/1", "mara-id", "Mara")
    now = LEASE - 1
    assert holds.take("critique/1", "theo-id", "Theo") == "Mara"
    now = LEASE + 1
    assert holds.others("theo-id") == {}
    assert holds.take("critique/1", "theo-id", "Theo") is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": ["x", "y"]}', b'{"a": ["x", "y", 1e99]}', b"\xff\x00"]
)
def test_a_damaged_file_holds_nothing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    holds = Holds(path, lambda: 0.0)
    assert holds.others("theo-id") == {}
    assert holds.take("a", "theo-id", "Theo") is None
    assert holds.others("mara-id") == {"a": "Theo"}


def test_of_many_processes_exactly_one_gets_it(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from grader.desk.holds import Holds;"
        "print(Holds(Path(sys.argv[1]), lambda: 0.0).take('a', sys.argv[2], sys.argv[2]))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path), f"p{n}"], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    answers = [process.communicate()[0].strip() for process in processes]
    (winner,) = (f"p{n}" for n, answer in enumerate(answers) if answer == "None")
    assert {answer for answer in answers if answer != "None"} == {winner}
