"""Every file at the given paths is a part of one submission, or is skipped with a reason."""

import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grader.facts.language import english
from grader.intake.accounting import Account, account_for
from grader.intake.candidates import walk
from grader.intake.find import Findings, find_all
from grader.schema.errors import SubmissionPathError
from tests.support.says import says

NOTEBOOK = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'


@contextmanager
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def make(root: Path, names: list[str]) -> Path:
    """Write files. A name with `!/` is that of a member of a zip; one that ends with `@` is a link."""
    packed: dict[str, list[str]] = {}
    root.mkdir(exist_ok=True)
    for name in names:
        if "!/" in name:
            archive, _, member = name.partition("!/")
            packed.setdefault(archive, []).append(member)
            continue
        path = root / name
        if any(parent.is_file() for parent in path.parents) or os.path.lexists(path):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("@"):
            path.symlink_to("elsewhere")
        else:
            path.write_text(NOTEBOOK if name.endswith(".ipynb") else name)
    for archive, members in packed.items():
        path = root / archive
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as file:
            for member in dict.fromkeys(members):
                file.writestr(member, NOTEBOOK if member.endswith(".ipynb") else member)
    return root


def on_disk(root: Path) -> list[str]:
    """List all files and links, without those in zips."""
    every = sorted(root.rglob("*"))
    return [path.relative_to(root).as_posix() for path in every if path.is_symlink() or not path.is_dir()]


def account(root: Path, *paths: Path) -> tuple[Findings, Account]:
    findings = find_all(paths or [root], unpack_to=root.parent / "unpacked")
    return findings, account_for(paths or [root], findings)


def assert_complete(root: Path, findings: Findings, one: Account) -> None:
    ids = [found.id.casefold() for found in findings.found]
    assert len(set(ids)) == len(ids)
    parts = [name for names in one.parts.values() for name in names]
    assert len(parts) == len(set(parts)), "no file belongs to two students"
    assert set(one.parts) <= {found.id for found in findings.found}
    folders = tuple(skipped.path for skipped in one.skipped if skipped.path.endswith("/"))
    skipped = {skipped.path for skipped in one.skipped}
    assert all(english(one.reason) for one in one.skipped)
    for name in on_disk(root):
        shown = f"{root}/{name}"
        is_part, is_skipped = shown in parts, shown in skipped or shown.startswith(folders or ("\0",))
        # A zip of a whole class is neither; its content is.
        is_class = any(other.startswith(f"{shown}/") for other in (*parts, *skipped))
        assert is_part + is_skipped == 1 or (is_class and not is_skipped), name


PART = st.sampled_from(
    [
        *("ann", "bob", "Ann Lee", "data", "notebooks", "hw1", "hw2", "old", "s123", "s456", "letters", "submitted"),
        *(".hidden", "__MACOSX", "node_modules", "Version 1", "Version 2", "Submitted files", "submission_71"),
        *("Ann Lee_11_assignsubmission_file", "Ray, Bob(bray)", "Submission attachment(s)", "Doe_Jane_jdoe_77"),
        *(
            "12345-67890 - Jane Doe - Nov 1, 2026 1000 AM",
            "a@b.edu",
            "hw1-ann",
            "hw1-bob",
            "alee+hw1+2026-11-01 10:00:00",
        ),
    ]
)
FILE = st.sampled_from(
    [
        *("hw.ipynb", "hw-Copy1.ipynb", "ann.ipynb", "x.csv", "net.py", "report.pdf", "grades.csv", "timestamp.txt"),
        *("leeann_4711_90001_hw.ipynb", "leeann_4711_90002_hw-1.ipynb", "ta_m_LATE_4712_90003_hw.ipynb", "~$hw.docx"),
        *("Ann Lee_11_assignsubmission_file_hw.ipynb", "Ann Lee - hw.ipynb", "Bob Ray - hw.ipynb", "grader.sqlite"),
        *("hw_ann_attempt_2026-11-01-10-00-00_hw.ipynb", "hw_ann_attempt_2026-11-02-10-00-00_hw.ipynb", "link@"),
        *("pyvenv.cfg", "submission_metadata.yml", ".git/HEAD", "work.zip!/hw.ipynb", "work.zip!/in/x.csv"),
        *("work.zip!/.hidden", "ann.zip!/Ann Lee_11_assignsubmission_file/hw.ipynb", "ann.zip!/__MACOSX/._hw.ipynb"),
        *("ann.zip!/Bob Ray_12_assignsubmission_file/hw.ipynb", "Late Submission - hw.ipynb", "cem.rar"),
    ]
)
TREE = st.lists(
    st.builds(lambda parts, name: "/".join([*parts, name]), st.lists(PART, max_size=3), FILE), min_size=1, max_size=9
)


@settings(max_examples=50)
@given(TREE)
@example(["ann/work.zip!/hw.ipynb", "bob/work.zip!/hw.ipynb"])
@example(["ann/node_modules/x.csv", "ann/hw.ipynb", "bob/hw.ipynb", "bob/.hidden/x.csv", "link@"])
def test_every_file_of_a_folder_is_a_part_or_skipped_and_no_two_students_share_an_id(names: list[str]) -> None:
    with room() as folder:
        root = make(folder / "class", names)
        try:
            findings, one = account(root)
        except SubmissionPathError:
            assert not any(path.suffix == ".ipynb" for path in walk(root))
            return
        assert_complete(root, findings, one)


@settings(max_examples=25)
@given(TREE)
@example(["ann/x.csv", "ann/hw.ipynb", "bob/hw.ipynb", ".hidden/x.csv"])
def test_every_member_of_a_class_s_zip_is_a_part_or_skipped(names: list[str]) -> None:
    plain = [name for name in dict.fromkeys(names) if "!/" not in name and "@" not in name]
    with room() as folder:
        # A name may be that of a file and a folder; a file system cannot have both.
        tree = make(folder / "tree", plain)
        archive = folder / "class.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for name in on_disk(tree):
                file.write(tree / name, name)
        try:
            findings, one = account(tree, archive)
        except SubmissionPathError:
            return
        parts = {name for own in one.parts.values() for name in own}
        skipped = {skipped.path for skipped in one.skipped}
        folders = tuple(name for name in skipped if name.endswith("/"))
        for name in on_disk(tree):
            shown = f"{archive}/{name}"
            assert shown in parts or shown in skipped or shown.startswith(folders or ("\0",)), name
        assert len({found.id.casefold() for found in findings.found}) == len(findings.found)


def test_each_reason_is_named(tmp_path: Path) -> None:
    deep = "/".join("abcdefghijklmnop")
    names = ["ann/hw.ipynb", "ann/.env", "ann/venv/pyvenv.cfg", "ann/venv/lib/x.py", f"ann/{deep}/x.csv", "ann/link@"]
    root = make(tmp_path / "class", [*names, "bob/hw.ipynb", "notes.txt", "grades.csv", "old/grader.sqlite"])
    os.mkfifo(root / "ann" / "pipe")
    _, one = account(root)
    reasons = {skipped.path.removeprefix(f"{root}/"): skipped.reason for skipped in one.skipped}
    deepest = "/".join(deep.split("/")[:13])
    assert {name: reason.id for name, reason in reasons.items()} == {
        "ann/.env": "a hidden or temporary file, or one of the system",
        "ann/venv/": "installed packages",
        "ann/link@": "a link, which is not followed",
        "ann/pipe": "neither a file nor a folder",
        f"ann/{deepest}/n/": "in more than {limit:number} folders",
        "notes.txt": "it belongs to no submission",
        "grades.csv": "a file of the platform or of the system",
        "old/": "results of the grader",
    }
    assert one.parts == {"ann": (f"{root}/ann/hw.ipynb",), "bob": (f"{root}/bob/hw.ipynb",)}


def test_members_that_are_not_unpacked_are_named(tmp_path: Path) -> None:
    root = tmp_path / "class"
    root.mkdir()
    with zipfile.ZipFile(root / "ann.zip", "w") as file:
        for name, text in {"hw.ipynb": NOTEBOOK, "__MACOSX/._hw.ipynb": "", "in\\x.csv": "1"}.items():
            file.writestr(name, text)
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("hw.ipynb", NOTEBOOK)
    make(root, ["bob/hw.ipynb"])
    _, one = account(root)
    assert says(one.skipped[0].reason, "a link, or a hidden or temporary file, or one of the system")
    assert [skipped.path.removeprefix(f"{root}/") for skipped in one.skipped] == [
        "ann.zip/__MACOSX/._hw.ipynb",
        "ann.zip/hw.ipynb",
    ]
    assert says(one.skipped[1].reason, "a later file in the zip has the same name")
    own = [name.removeprefix(f"{root}/") for name in one.parts["ann"]]
    assert own == ["ann.zip", "ann.zip/hw.ipynb", "ann.zip/in/x.csv"]


def test_two_students_with_equal_zips_are_two_submissions(tmp_path: Path) -> None:
    root = make(tmp_path / "class", ["ann/work.zip!/hw.ipynb", "bob/work.zip!/hw.ipynb"])
    findings, one = account(root)
    assert [found.id for found in findings.found] == ["ann", "bob"]
    assert one.skipped == ()
