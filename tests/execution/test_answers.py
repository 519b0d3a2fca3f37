"""The socket that the answers of a sandbox come through."""

import os
import struct
from pathlib import Path

import pytest

from grader.execution.answers import AnswerSocket


def frame(line: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">II", len(line), len(content)) + line + content


def received(tmp_path: Path, sent: bytes, most: int = 1000, longest: int = 100) -> list[tuple[bytes, bytes]]:
    channel = AnswerSocket(tmp_path / "answers", most)
    with channel:
        left = memoryview(sent)
        try:
            while left:
                left = left[os.write(channel.descriptor, left) :]
        except BrokenPipeError:
            pass
    return [(answer.line, answer.predictions(most)) for answer in channel.answers(longest)]


def test_answers_come_in_order(tmp_path: Path) -> None:
    sent = frame(b"one", b"12345") + frame(b"two") + frame(b"three", b"6")
    assert received(tmp_path, sent) == [(b"one", b"12345"), (b"two", b""), (b"three", b"6")]


@pytest.mark.parametrize(
    "damaged",
    [b"\0\0", struct.pack(">II", 1 << 31, 0), struct.pack(">II", 1, 1 << 31) + b"x", frame(b"x" * 101)],
    ids=["no header", "a giant line", "missing predictions", "a long line"],
)
def test_a_damaged_answer_ends_them(tmp_path: Path, damaged: bytes) -> None:
    assert received(tmp_path, frame(b"one") + damaged) == [(b"one", b"")]


def test_a_flood_is_cut_off(tmp_path: Path) -> None:
    assert received(tmp_path, frame(b"one") + bytes(10_000_000), most=500) == [(b"one", b"")]
    assert (tmp_path / "answers").stat().st_size <= 500


def test_predictions_beyond_the_limit_are_not_read(tmp_path: Path) -> None:
    channel = AnswerSocket(tmp_path / "answers", 1000)
    with channel:
        os.write(channel.descriptor, frame(b"one", bytes(200)))
    (answer,) = channel.answers(100)
    with pytest.raises(ValueError, match="200 bytes"):
        answer.predictions(199)


def test_no_file_operation_opens_the_socket(tmp_path: Path) -> None:
    channel = AnswerSocket(tmp_path / "answers", 1000)
    with channel, pytest.raises(OSError):  # noqa: PT011 - any error of the operating system
        Path(f"/proc/self/fd/{channel.descriptor}").write_bytes(b"forged")
    assert list(channel.answers(100)) == []
