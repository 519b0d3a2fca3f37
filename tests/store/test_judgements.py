"""The file of judgements: whole after any kill and on a full disk, and complete after several people at once."""

import fcntl
import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.schema.errors import StorageError, UsageError
from grader.schema.judgement import Judgement
from grader.store.judgements import JudgementFile, judgement_line, parse_judgements
from tests.support.waiting import DEADLOCK_SECONDS, until

_FORK = multiprocessing.get_context("fork")
_TEXT = st.text(st.characters(codec="utf-8"), max_size=50)


def a_judgement(number: int = 0, by: str = "Nina", **values: Any) -> Judgement:
    return Judgement.model_validate(
        {
            "at": datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=number),
            "by": by,
            "submission": "ada",
            "criterion": "sketch",
            "kind": "points",
            "points": 1.0,
            "comment": f"Comment {number}.",
            **values,
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> JudgementFile:
    return JudgementFile(tmp_path / "judgements.jsonl")


def in_child(work: Callable[[], None]) -> int | None:
    """Run a function in a process of its own; return the exit code."""
    process = _FORK.Process(target=work)
    process.start()
    process.join(DEADLOCK_SECONDS)
    return process.exitcode


@settings(deadline=None)
@given(_TEXT, _TEXT, _TEXT.filter(lambda text: bool(text.strip())))
def test_each_judgement_comes_back(comment: str, why: str, by: str) -> None:
    written = a_judgement(comment=comment, why=why, by=by)
    line = judgement_line(written)
    assert line.count("\n") == 1
    assert parse_judgements(line.encode()).judgements == (written,)


def test_a_file_that_does_not_exist_has_no_judgements(file: JudgementFile) -> None:
    assert file.read().judgements == ()
    file.append([])
    assert not file.path.exists()


def test_all_wrong_lines_are_named_and_a_marker_of_git_is_explained(file: JudgementFile) -> None:
    good = judgement_line(a_judgement())
    file.path.write_text(f"{good}{{}}\n<<<<<<< HEAD\n\n{good}{good.replace('points', 'pints')}", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        file.read()
    assert "line 2: at: Field required" in caught.value.message
    assert "line 3: a conflict of git" in caught.value.message
    assert "line 6: kind: Input should be" in caught.value.message
    assert caught.value.where == str(file.path)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"points": 2.0, "of": 1.0}, "more than the 1 points"),
        ({"points": -1.0}, "greater than or equal to 0"),
        ({"kind": "override"}, "needs a reason"),
        ({"kind": "request", "points": None}, "needs a reason"),
        ({"kind": "comment"}, "has no points"),
        ({"points": None}, "needs points"),
        ({"criterion": "*"}, "needs the id of one criterion"),
        ({"kind": "excuse", "points": None}, "its criterion is '*'"),
        ({"kind": "extension", "points": None, "criterion": "*"}, "needs the new due date"),
        ({"at": "2026-05-01T18:00:00"}, "timezone"),
        ({"grade": 1.0}, "Extra inputs"),
    ],
)
def test_an_inconsistent_judgement_is_refused(values: dict[str, Any], words: str) -> None:
    line = json.dumps({**json.loads(judgement_line(a_judgement())), **values})
    with pytest.raises(UsageError, match=r"line 1: ") as caught:
        parse_judgements(f"{line}\n".encode())
    assert words in caught.value.message


def test_files_are_joined_like_text(file: JudgementFile) -> None:
    mine, theirs = judgement_line(a_judgement(1)), judgement_line(a_judgement(2, by="Omar"))
    file.path.write_text(f"{mine}{theirs}{mine}\r\n{theirs.rstrip()}", encoding="utf-8")
    assert file.read().judgements == (a_judgement(1), a_judgement(2, by="Omar"))
    file.append([a_judgement(3)])
    assert [one.comment for one in file.read().judgements] == ["Comment 1.", "Comment 2.", "Comment 3."]


def test_new_judgements_may_depend_on_those_in_the_file(file: JudgementFile) -> None:
    file.append([a_judgement(1)])
    seen: list[int] = []

    def decide(stored: tuple[Judgement, ...]) -> Iterator[Judgement]:
        seen.append(len(stored))
        yield a_judgement(2)

    assert file.update(decide) == (a_judgement(2),)
    assert (seen, len(file.read().judgements)) == ([1], 2)


# --- killed


def _killed_after(written: int, file: JudgementFile, judgement: Judgement) -> None:
    """Append, but write only some bytes before a kill."""
    real = os.write

    def write(handle: int, content: bytes) -> int:
        real(handle, content[:written])
        os.kill(os.getpid(), signal.SIGKILL)
        return written

    pytest.MonkeyPatch().setattr(os, "write", write)  # in a process of its own
    file.append([judgement])


def test_a_kill_at_any_byte_loses_at_most_the_judgement_that_was_written(tmp_path: Path) -> None:
    length = len(judgement_line(a_judgement(2)).encode())
    for written in (*range(0, length - 2, 7), length - 2, length - 1, length):
        file = JudgementFile(tmp_path / f"{written}.jsonl")
        file.append([a_judgement(1)])
        assert in_child(lambda w=written, f=file: _killed_after(w, f, a_judgement(2))) == -signal.SIGKILL  # type: ignore[misc]
        whole = written >= length - 1  # only the line end is missing
        assert file.read().judgements == (a_judgement(1), a_judgement(2))[: 2 if whole else 1]
        assert bool(file.read().torn) is (0 < written < length - 1)
        file.append([a_judgement(3)])
        lines = file.read()
        assert (lines.judgements[-1], len(lines.judgements), lines.torn) == (a_judgement(3), 3 if whole else 2, "")


def _append_and_report(file: JudgementFile, pipe: int) -> None:
    for number in range(100_000):
        file.append([a_judgement(number)])
        os.write(pipe, b".")


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_a_killed_process_loses_nothing_that_was_acknowledged(file: JudgementFile, acknowledged: int) -> None:
    read_end, write_end = os.pipe()
    process = _FORK.Process(target=_append_and_report, args=(file, write_end))
    process.start()
    count = 0
    while count < acknowledged:
        count += len(os.read(read_end, 1))
    process.kill()
    process.join(DEADLOCK_SECONDS)
    os.close(write_end)
    count += len(os.read(read_end, 100_000))
    os.close(read_end)
    judgements = file.read().judgements
    assert judgements == tuple(map(a_judgement, range(len(judgements))))
    assert count <= len(judgements) <= count + 1


# --- several at once

_APPENDS, _TOGETHER = 400, 5


def _append_many(file: JudgementFile, by: str) -> None:
    for start in range(0, _APPENDS * _TOGETHER, _TOGETHER):
        file.append([a_judgement(start + number, by=by) for number in range(_TOGETHER)])


def test_two_graders_at_once_lose_and_mix_nothing(file: JudgementFile) -> None:
    processes: list[BaseProcess] = [_FORK.Process(target=_append_many, args=(file, by)) for by in ("Nina", "Omar")]
    for process in processes:
        process.start()
    seen = 0
    while any(process.is_alive() for process in processes):
        count = len(file.read().judgements)  # a reader never sees a part of an append
        assert count % _TOGETHER == 0
        assert count >= seen
        seen = count
    for process in processes:
        process.join(DEADLOCK_SECONDS)
        assert process.exitcode == 0
    judgements = file.read().judgements
    total = _APPENDS * _TOGETHER
    for by in ("Nina", "Omar"):
        mine = [one for one in judgements if one.by == by]
        assert mine == [a_judgement(number, by=by) for number in range(total)]
    blocks = [judgements[start : start + _TOGETHER] for start in range(0, 2 * total, _TOGETHER)]
    assert all(len({one.by for one in block}) == 1 for block in blocks)


def test_an_append_waits_for_a_lock_and_uses_the_file_that_replaced_its_own(file: JudgementFile) -> None:
    file.append([a_judgement(1)])
    with file.path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = _FORK.Process(target=file.append, args=([a_judgement(2)],))
        waiting.start()
        until(lambda: _open_files(waiting.pid).count(str(file.path)) > 1)  # one is inherited
        new = file.path.with_suffix(".new")
        new.write_bytes(file.path.read_bytes())
        new.replace(file.path)  # as git and editors do
        fcntl.flock(held, fcntl.LOCK_UN)
    waiting.join(DEADLOCK_SECONDS)
    assert file.read().judgements == (a_judgement(1), a_judgement(2))


def _open_files(process: int | None) -> list[str]:
    try:
        return [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
    except OSError:
        return []


# --- a full disk


def _append_with_limit(file: JudgementFile, size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    with pytest.raises(StorageError, match="the judgements cannot be stored"):
        file.append([a_judgement(2), a_judgement(3)])


@pytest.mark.parametrize("more", [0, 1, 60, 250])
def test_a_full_disk_leaves_the_file_whole(file: JudgementFile, more: int) -> None:
    file.append([a_judgement(1)])
    before = file.path.read_bytes()
    assert in_child(lambda: _append_with_limit(file, len(before) + more)) == 0
    assert file.path.read_bytes() == before
    file.append([a_judgement(2)])
    assert file.read().judgements == (a_judgement(1), a_judgement(2))
