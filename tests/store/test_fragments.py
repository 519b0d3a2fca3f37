"""Rendered parts: a file that may be missing or damaged at any byte, and never gives another part than was stored."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.store.fragments import FragmentFile

KEYS = tuple(f"{number:032x}" for number in range(4))
PARTS = {key: f"<p>{key[-1]}\n</p>".encode() * (number * 7) for number, key in enumerate(KEYS)}


def _stored(path: Path) -> FragmentFile:
    FragmentFile(path).store(KEYS[:2], {key: PARTS[key] for key in KEYS[:2]})
    FragmentFile(path).store(KEYS, {key: PARTS[key] for key in KEYS[2:]})
    return FragmentFile(path)


def test_parts_come_back_from_several_writes(tmp_path: Path) -> None:
    file = _stored(tmp_path / "parts")
    assert {key: file.get(key) for key in KEYS} == PARTS
    assert file.get("f" * 32) is None
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]


def test_the_last_part_of_a_key_counts(tmp_path: Path) -> None:
    _stored(tmp_path / "parts").store(KEYS, {KEYS[0]: b"newer"})
    assert FragmentFile(tmp_path / "parts").get(KEYS[0]) == b"newer"


def test_unused_parts_are_removed_once_they_take_much_space(tmp_path: Path) -> None:
    path = tmp_path / "parts"
    FragmentFile(path).store(KEYS, {KEYS[0]: b"x" * (300 << 10), KEYS[1]: b"kept"})
    FragmentFile(path).store((KEYS[1], KEYS[2]), {KEYS[2]: b"new"})
    file = FragmentFile(path)
    assert [file.get(key) for key in KEYS[:3]] == [None, b"kept", b"new"]
    assert path.stat().st_size < 1000


def test_many_small_parts_take_no_unused_space(tmp_path: Path) -> None:
    path = tmp_path / "parts"
    many = {f"{number:032x}": b"x" for number in range(1400)}
    FragmentFile(path).store(many, many)
    place = path.stat().st_ino
    FragmentFile(path).store(many, {"f" * 32: b"new"})
    assert path.stat().st_ino == place
    FragmentFile(path).store(list(many)[:700], {"e" * 32: b"new"})
    assert path.stat().st_ino == place
    FragmentFile(path, spare=1000).store(list(many)[:700], {"d" * 32: b"new"})
    assert path.stat().st_ino != place
    assert len(path.read_bytes().splitlines()) == 1 + 2 * 701


@given(at=st.floats(0, 1, exclude_max=True), damage=st.binary(max_size=40), cut=st.booleans())
def test_damage_anywhere_loses_parts_and_never_changes_one(
    tmp_path_factory: pytest.TempPathFactory, at: float, damage: bytes, *, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("damage") / "parts"
    _stored(path)
    content = path.read_bytes()
    place = int(at * len(content))
    path.write_bytes(content[:place] + damage + (b"" if cut else content[place + len(damage) :]))
    file = FragmentFile(path)
    assert all(file.get(key) in {None, part} for key, part in PARTS.items())
    file.store(KEYS, PARTS)
    FragmentFile(path).store(KEYS, PARTS)
    assert all(FragmentFile(path).get(key) in {None, part} for key, part in PARTS.items())


def test_a_link_or_a_folder_in_its_place_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    _stored(elsewhere)
    before = elsewhere.read_bytes()
    (tmp_path / "link").symlink_to(elsewhere)
    link = FragmentFile(tmp_path / "link")
    assert link.get(KEYS[1]) is None
    link.store(KEYS[:1], {KEYS[1]: b"other"})
    assert elsewhere.read_bytes() == before
    (tmp_path / "folder").mkdir()
    FragmentFile(tmp_path / "folder").store(KEYS[:1], {KEYS[1]: b"other"})
    assert (tmp_path / "folder").is_dir()


def test_without_the_folder_nothing_is_stored(tmp_path: Path) -> None:
    FragmentFile(tmp_path / "gone" / "parts").store(KEYS[:1], {KEYS[1]: b"part"})
    assert not list(tmp_path.iterdir())
