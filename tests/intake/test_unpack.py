"""Unpacking of untrusted zips."""

import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.intake.unpack import Entry, Limits, plan_unpack, unpack_zip
from grader.schema.errors import NotebookError, UnreadableError
from tests.support.says import says, values

BOMB = "the zip unpacks to {ratio:number} times its size, as zips do that are made to fill a disk"


def entry(name: str, size: int = 10, mode: int = 0) -> Entry:
    return Entry(name=name, size=size, compressed=size, mode=mode)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "C:\\x", "\\\\host\\x", "a\\..\\..\\x", "."])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(NotebookError) as caught:
        plan_unpack([entry(name)])
    assert says(caught.value.says, "a name in the zip leads out of its folder: {name}", name=repr(name))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_left_out(kind: int) -> None:
    plan = plan_unpack([entry("a.ipynb"), entry("odd", mode=kind | 0o777)])
    assert plan.files == ((0, PurePosixPath("a.ipynb")),)
    assert plan.skipped == ("odd",)


def test_litter_is_left_out_and_windows_separators_are_understood() -> None:
    names = ["__MACOSX/._a.ipynb", ".ipynb_checkpoints/a.ipynb", "~$a.docx", "work\\a.ipynb", "work/"]
    plan = plan_unpack([entry(name) for name in names])
    assert plan.files == ((3, PurePosixPath("work/a.ipynb")),)


@pytest.mark.parametrize(
    ("entries", "reason", "values"),
    [
        (
            [entry(str(n)) for n in range(4)],
            "the zip has {members:number} members, more than the limit of {limit:number}",
            {"members": 4, "limit": 3},
        ),
        (
            [entry("a", size=2000)],
            "the zip has an unpacked size of {size:size}, more than the limit of {limit:size}",
            {"size": 2000, "limit": 1000},
        ),
        ([Entry(name="a", size=900, compressed=1)], BOMB, {"ratio": 900}),
        (
            [Entry(name="a", size=1, compressed=1, encrypted=True)],
            "the zip is encrypted ({member})",
            {"member": "a"},
        ),
    ],
)
def test_too_much_or_encrypted_is_refused(entries: list[Entry], reason: str, values: dict[str, Any]) -> None:
    with pytest.raises(NotebookError) as caught:
        plan_unpack(entries, Limits(total=1000, count=3, ratio=10, free=100))
    assert says(caught.value.says, reason, **values)


@given(st.lists(st.text(min_size=1, max_size=30), max_size=6))
def test_whatever_the_names_nothing_leads_out(names: list[str]) -> None:
    try:
        plan = plan_unpack([entry(name) for name in names])
    except NotebookError:
        return
    for _, path in plan.files:
        assert not path.is_absolute()
        assert ".." not in path.parts


def test_a_zip_is_unpacked_once_and_whole(tmp_path: Path) -> None:
    archive = tmp_path / "work.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/b.ipynb", "{}")
        file.writestr("data.csv", "1,2")
    folder = unpack_zip(archive, tmp_path / "out")
    assert (folder / "a" / "b.ipynb").read_text() == "{}"
    assert (folder / "data.csv").read_text() == "1,2"
    assert unpack_zip(archive, tmp_path / "out") == folder
    assert [path.name for path in (tmp_path / "out").iterdir()] == [folder.name]


def test_a_link_in_a_real_zip_does_not_appear(tmp_path: Path) -> None:
    archive = tmp_path / "work.zip"
    link = zipfile.ZipInfo("secret")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(link, "/etc/passwd")
        file.writestr("a.ipynb", "{}")
    folder = unpack_zip(archive, tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["a.ipynb"]


def test_a_damaged_zip_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "work.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.ipynb", "x" * 5000)
        file.writestr("b.ipynb", "y" * 5000)
    content = bytearray(archive.read_bytes())
    content[45:55] = b"\xff" * 10
    archive.write_bytes(bytes(content))
    with pytest.raises(NotebookError, match="damaged"):
        unpack_zip(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_wherever_a_zip_is_damaged_it_is_told_or_unpacked(tmp_path: Path, kind: int) -> None:
    archive = tmp_path / "work.zip"
    with zipfile.ZipFile(archive, "w", kind) as file:
        file.writestr("a.ipynb", "x" * 500)
    content = archive.read_bytes()
    errors = 0
    for place in range(0, len(content), 2):
        archive.write_bytes(content[:place] + b"\xff\xfe" + content[place + 2 :])
        try:
            unpack_zip(archive, tmp_path / "out")
        except NotebookError:
            errors += 1
    assert errors > 20


def test_a_zip_that_cannot_be_read_is_not_its_author_s_fault(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cannot be read"):
        unpack_zip(tmp_path / "vanished.zip", tmp_path / "out")


def test_a_file_that_is_no_zip_is_told(tmp_path: Path) -> None:
    archive = tmp_path / "work.zip"
    archive.write_bytes(b"not a zip at all")
    with pytest.raises(NotebookError, match="damaged"):
        unpack_zip(archive, tmp_path / "out")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", b"\0" * (70 << 20))
    with pytest.raises(NotebookError) as caught:
        unpack_zip(archive, tmp_path / "out")
    assert values(caught.value.says, BOMB)["ratio"] > 150


def test_a_file_and_a_folder_of_one_name_are_told(tmp_path: Path) -> None:
    archive = tmp_path / "work.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "file")
        file.writestr("a/b.ipynb", "{}")
    with pytest.raises(NotebookError, match="is not a valid file name"):
        unpack_zip(archive, tmp_path / "out")


def with_raw_name(path: Path, name: bytes, *, extra: bytes = b"") -> Path:
    """Write a zip as Info-ZIP does: the bytes of the name without a declared encoding."""
    placeholder = "x" * len(name)
    member = zipfile.ZipInfo(placeholder)
    member.extra = extra
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "{}")
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), name))
    return path


def unicode_path(name: str, raw: bytes) -> bytes:
    content = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Müller.ipynb".encode(), "Müller.ipynb"),
        ("Łukasz Żak/hw.ipynb".encode(), "Łukasz Żak/hw.ipynb"),
        ("李雷.ipynb".encode(), "李雷.ipynb"),
        ("Müller.ipynb".encode("cp437"), "Müller.ipynb"),
        (unicodedata.normalize("NFD", "Bände.csv").encode(), "Bände.csv"),
        (b"plain.ipynb", "plain.ipynb"),
    ],
)
def test_names_without_a_declared_encoding_are_utf8_or_else_cp437(tmp_path: Path, raw: bytes, name: str) -> None:
    folder = unpack_zip(with_raw_name(tmp_path / "hw.zip", raw), tmp_path / "out")
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == [name]


def test_the_extra_field_with_the_name_in_utf8_counts_if_it_belongs_to_the_stored_name(tmp_path: Path) -> None:
    raw = b"M?ller.ipynb"
    good = with_raw_name(tmp_path / "good.zip", raw, extra=b"UT\x01\x00\x00" + unicode_path("Müller.ipynb", raw))
    assert [path.name for path in unpack_zip(good, tmp_path / "out").iterdir()] == ["Müller.ipynb"]
    other = with_raw_name(tmp_path / "other.zip", raw, extra=unicode_path("../evil.ipynb", b"another name"))
    assert [path.name for path in unpack_zip(other, tmp_path / "out").iterdir()] == ["M?ller.ipynb"]


def test_a_name_in_the_extra_field_is_checked_like_any_other(tmp_path: Path) -> None:
    raw = b"harmless.ipynb"
    path = with_raw_name(tmp_path / "hw.zip", raw, extra=unicode_path("../../evil.ipynb", raw))
    with pytest.raises(NotebookError, match="leads out of its folder"):
        unpack_zip(path, tmp_path / "out")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='/\\:."'), min_size=1, max_size=20))
def test_every_name_that_info_zip_stores_as_utf8_is_read(name: str) -> None:
    own = unicodedata.normalize("NFC", f"{name}.ipynb")
    if own.startswith(("~", ".")):
        own = "a" + own
    with tempfile.TemporaryDirectory() as place:
        folder = unpack_zip(with_raw_name(Path(place) / "hw.zip", own.encode()), Path(place) / "out")
        assert [path.name for path in folder.iterdir()] == [own]
