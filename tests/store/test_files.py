"""Files that appear whole or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.schema.errors import StorageError
from grader.store.files import encoded, encoded_pieces, write_atomically


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_really_full_device_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_full_device(**options: Any) -> tuple[int, str]:
        staging = Path(options["dir"]) / "staging"
        staging.touch()
        return os.open("/dev/full", os.O_WRONLY), str(staging)

    monkeypatch.setattr("tempfile.mkstemp", on_full_device)
    with pytest.raises(StorageError, match="disk is full"):
        write_atomically(tmp_path / "x", b"content")
    assert list(tmp_path.iterdir()) == []


@given(pieces=st.lists(st.text(alphabet=st.characters(categories=None), max_size=5)))
def test_pieces_are_encoded_like_the_whole_text(pieces: list[str]) -> None:
    assert encoded_pieces(pieces) == encoded("".join(pieces))
