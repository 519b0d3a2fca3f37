"""A secret key is made once and only its owner can read it."""

import stat
from pathlib import Path

import pytest

from grader.schema.errors import StorageError, UsageError
from grader.store.secret_key import secret_key


def test_the_first_call_makes_a_key_and_later_calls_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pseudonyms.key"
    key = secret_key(path)
    assert len(key) == 32
    assert secret_key(path) == key
    assert secret_key(tmp_path / "other.key") != key


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pseudonyms.key"
    secret_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"abc", b"g" * 64, b"\xff" * 64, b"0" * 65])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is no key"):
        secret_key(path)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((StorageError, UsageError)):
        secret_key(tmp_path / "file" / "pseudonyms.key")
