"""Clones of repositories: whose they are, and when the last commit was made, without running anything of the clone."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from grader.intake.find import find_all
from grader.intake.repositories import last_commit, owners
from tests.support.layouts import written

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="Git is not installed")
MOMENT = datetime(2026, 11, 8, 17, 3, tzinfo=UTC)
IDENTITY = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder: Path, *arguments: str, at: str = "2026-11-08T18:03:00+01:00") -> None:
    environment = {**os.environ, **IDENTITY, "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": at}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    command: list[str | Path] = [shutil.which("git") or "", "-C", folder, *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def repository(folder: Path, *options: str, text: str = "work\n\ncommitter x <x@y> 1 +0000") -> Path:
    written(folder, {"hw.ipynb": "x"})
    git(folder, "init", "--quiet", "--initial-branch", "main", *options)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first", at="2026-10-01T00:00:00Z")
    (folder / "more.txt").write_text("more")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", text)
    return folder


@needs_git
@pytest.mark.parametrize("form", ["loose", "packed", "clone", "detached", "sha256"])
def test_the_time_of_the_last_commit_is_read_in_every_form_of_a_repository(tmp_path: Path, form: str) -> None:
    place = repository(tmp_path / "hw1-ann", *(["--object-format", "sha256"] if form == "sha256" else []))
    if form == "packed":
        git(place, "gc", "--quiet")
    if form == "detached":
        git(place, "checkout", "--quiet", "--detach")
    if form == "clone":
        git(tmp_path, "clone", "--quiet", f"file://{place}", "clone")
        place = tmp_path / "clone"
    assert last_commit(place, tmp_path / "scratch") == MOMENT
    assert list((tmp_path / "scratch").iterdir()) == []


@needs_git
def test_nothing_of_a_hostile_clone_is_run(tmp_path: Path) -> None:
    place, trap = repository(tmp_path / "hw1-eve"), tmp_path / "trap"
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (place / ".git" / "hooks").mkdir(exist_ok=True)
        script = place / ".git" / "hooks" / hook
        script.write_text(f"#!/bin/sh\ntouch {trap}\n")
        script.chmod(0o755)
    (place / ".git" / "config").write_text(
        f"[core]\n\trepositoryformatversion = 0\n\tfsmonitor = touch {trap}\n\tpager = touch {trap}\n"
        f"\tsshCommand = touch {trap}\n[gpg]\n\tprogram = touch {trap}\n[log]\n\tshowSignature = true\n"
        f'[alias]\n\tcat-file = "!touch {trap}"\n[extensions]\n\tworktreeConfig = true\n\tpartialClone = origin\n'
        "[include]\n\tpath = ../../other\n"
    )
    (place / ".git" / "objects" / "info").mkdir(exist_ok=True)
    assert last_commit(place, tmp_path / "scratch") == MOMENT
    assert not trap.exists()


@needs_git
@pytest.mark.parametrize(
    "harm",
    ["no head", "head is a link", "head is a pipe", "ref leads out", "objects are a link", "file", "no commit", "huge"],
)
def test_the_time_of_a_damaged_or_hostile_clone_is_unknown(tmp_path: Path, harm: str) -> None:
    place = repository(tmp_path / "hw1-eve")
    inner, other = place / ".git", repository(tmp_path / "other")
    head = inner / "HEAD"
    head.unlink()
    match harm:
        case "head is a link":
            head.symlink_to(other / ".git" / "HEAD")
        case "head is a pipe":
            os.mkfifo(head)
        case "ref leads out":
            head.write_text("ref: refs/heads/../../../../other/.git/refs/heads/main\n")
        case "objects are a link":
            head.write_text("ref: refs/heads/main\n")
            (inner / "objects").rename(tmp_path / "objects")
            (inner / "objects").symlink_to(tmp_path / "objects")
        case "file":
            shutil.rmtree(inner)
            inner.write_text(f"gitdir: {other / '.git'}\n")
        case "no commit":
            head.write_text("0" * 40)
        case "huge":
            head.write_text("x" * 10_000)
    assert last_commit(place, tmp_path / "scratch") is None


@needs_git
def test_the_time_of_a_clone_counts_and_the_clone_stays_as_it_is(tmp_path: Path) -> None:
    root = tmp_path / "hw1-submissions"
    for name in ("hw1-ann", "hw1-bob"):
        repository(root / name)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    found = find_all([root], unpack_to=tmp_path / "unpacked").found
    assert [(one.id, one.student, one.submitted, one.submitted_from) for one in found] == [
        ("hw1-ann", "ann", MOMENT, "commit"),
        ("hw1-bob", "bob", MOMENT, "commit"),
    ]
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_without_git_the_time_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = written(tmp_path, {"hw1-ann/.git/HEAD": "0" * 40, "hw1-ann/.git/objects/x": ""}) / "hw1-ann"
    monkeypatch.setenv("PATH", "")
    assert last_commit(place, tmp_path / "scratch") is None


@pytest.mark.parametrize(
    ("folder", "names", "students"),
    [
        ("hw1-submissions", ["hw1-ann", "hw1-ann-b"], ["ann", "ann-b"]),
        ("hw1-submissions", ["hw1-ann"], ["ann"]),
        ("HW1-submissions (1)", ["hw1-Ann"], ["Ann"]),
        ("cs1-hw1_submissions_2026_11_08_T_18_03_00", ["cs1-hw1-ann", "cs1-hw1-bob"], ["ann", "bob"]),
        ("clones", ["hw1-ann", "hw1-bob", "hw1-bo"], ["ann", "bob", "bo"]),
        ("clones", ["ann", "bob"], ["ann", "bob"]),
        ("clones", ["hw1", "hw1-ann"], ["hw1", "hw1-ann"]),
        ("hw1-submissions", ["other", "hw1-ann"], ["other", "ann"]),
    ],
)
def test_the_student_is_the_end_of_the_repository_s_name(
    tmp_path: Path, folder: str, names: list[str], students: list[str]
) -> None:
    root = written(tmp_path / folder, {f"{name}/.git/HEAD": "" for name in names})
    people = owners(root, [root / name for name in names])
    assert [(people[name].student, people[name].id) for name in names] == list(zip(students, names, strict=True))


def test_a_folder_of_one_clone_and_a_clone_with_a_submodule_are_no_classes(tmp_path: Path) -> None:
    root = written(tmp_path / "ann", {"hw1/.git/HEAD": "", "hw1/hw.ipynb": "x"})
    assert owners(root, [root / "hw1"]) == {}
    root = written(tmp_path / "clone", {".git/HEAD": "", "a/.git": "", "b/.git": "", "hw.ipynb": "x"})
    assert owners(root, [root / "a", root / "b"]) == {}
    (one,) = find_all([root], unpack_to=tmp_path / "unpacked").found
    assert one.student == "clone"
