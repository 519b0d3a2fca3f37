"""Readers of what a platform exports and students upload: zips, folders, names, metadata, clones."""

import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from grader.intake.accounting import account_for
from grader.intake.companions import companions_of
from grader.intake.find import Findings, Rejected, find_all
from grader.intake.gradescope import METADATA, read_export
from grader.intake.nbgrader.config import parse_config, parse_json_config
from grader.intake.nbgrader.folder import read_nbgrader_course
from grader.intake.nbgrader.gradebook import read_gradebook
from grader.intake.platforms import canvas_version, people_of, read_blackboard_note
from grader.intake.repositories import last_commit
from grader.intake.unpack import skipped_members, unpack_zip
from grader.schema.submission import Submission
from tests.fuzz import seeds
from tests.fuzz.target import target
from tests.support.layouts import BLACKBOARD_NOTE, GRADESCOPE, LAYOUTS
from tests.support.nbgrader_course import write_gradebook

_LONGEST_NAME = 255
_FAILED = "the grader failed to read it"
"""Start of the message for exceptions of the reader itself, which must not happen."""


def _check(findings: Findings, paths: Sequence[Path], inside: Path) -> None:
    """Assert what holds of every class: unique safe ids, files inside the folder, no fault of the grader."""
    ids = [one.id for one in findings.found]
    assert len(set(ids)) == len(ids)
    assert not any("/" in name or name in {".", ".."} for name in ids)
    for one in findings.found:
        if isinstance(one, Rejected):
            assert _FAILED not in str(one.error), str(one.error)
        if isinstance(one, Submission):
            assert one.notebook.resolve().is_relative_to(inside.resolve())
    account_for(paths, findings)


@target(
    "class zip",
    "a zip of a class, or of one student next to another's",
    form="zip",
    seeds=seeds.zips,
    covers=["grader.intake.find", "grader.intake.unpack", "grader.intake.student"],
)
def _class_zip(document: bytes, own: Path) -> None:
    path = own / "class.zip"
    path.write_bytes(document)
    skipped_members(path)
    if seeds.chosen(document, 2):
        (own / "other.ipynb").write_text("{}", encoding="utf-8")
        paths = [path, own / "other.ipynb"]
    else:
        paths = [path]
    findings = find_all(paths, unpack_to=own / "unpacked")
    _check(findings, paths, own)


@target(
    "zip",
    "a zip of a student",
    form="zip",
    seeds=seeds.zips,
    covers=["grader.intake.unpack"],
)
def _zip(document: bytes, own: Path) -> None:
    path = own / "work.zip"
    path.write_bytes(document)
    folder = unpack_zip(path, own / "unpacked")
    for place in folder.rglob("*"):
        assert stat.S_IFMT(place.lstat().st_mode) in {stat.S_IFREG, stat.S_IFDIR}


@target(
    "class folder",
    "a folder of a class: names, layouts and contents",
    form="json",
    seeds=seeds.layouts,
    covers=["grader.intake.find", "grader.intake.companions", "grader.intake.repositories"],
    commands=["git", "prlimit"],
    slow=True,
)
def _class_folder(document: bytes, own: Path) -> None:
    root = _written(document, own)
    if root is None:
        return
    findings = find_all([root], unpack_to=own / "unpacked")
    _check(findings, [root], own)
    for one in findings.found:
        if isinstance(one, Submission):
            companions_of(one)


def _written(document: bytes, own: Path) -> Path | None:
    """Write the files of a JSON document that a disk can hold; None if there is none."""
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return None
    files = value.get("files") if isinstance(value, dict) else None
    if not isinstance(files, dict):
        return None
    top = value.get("top")
    root = own / (top if isinstance(top, str) and top.isalnum() and len(top) < _LONGEST_NAME else "class")
    root.mkdir()
    for name, content in list(files.items())[:100]:
        parts = [part for part in name.split("/") if part and part not in {".", ".."}]
        if not parts or "\0" in name or len(parts) > 40:
            continue
        text = content if isinstance(content, str) else json.dumps(content)
        path = root.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="replace")
        except (OSError, UnicodeError):
            continue
    return root


@target(
    "names",
    "names of files and folders, which platforms make of names that people choose",
    form="text",
    seeds=lambda: ["\n".join(one.files).encode() for one in LAYOUTS.values()],
    covers=["grader.intake.platforms"],
)
def _names(document: bytes, own: Path) -> None:
    names = document.decode("utf-8", "replace").split("\n")[:300]
    parts = [name.rpartition("/")[2] for name in names]
    folders = [name.partition("/")[0] for name in names if "/" in name]
    people_of(parts, folders, own.name)
    for name in parts:
        canvas_version(name)


@target(
    "submission_metadata.yml",
    "metadata of a Gradescope export, with names that students choose",
    form="text",
    seeds=lambda: [GRADESCOPE.encode(), b'submission_1:\n  :submitters:\n  - :name: "a\\u00e9"\n? [x]\n: &a {b: *a}\n'],
    covers=["grader.intake.gradescope"],
)
def _gradescope(document: bytes, own: Path) -> None:
    (own / METADATA).write_bytes(document)
    export = read_export(own)
    assert export is not None
    export.of_folders(["submission_71", "submission_72"])


@target(
    "Blackboard note",
    "the text that Blackboard adds to an attempt, with names that students choose",
    form="text",
    seeds=lambda: [BLACKBOARD_NOTE.encode()],
    covers=["grader.intake.platforms"],
)
def _blackboard(document: bytes, own: Path) -> None:
    del own
    read_blackboard_note(document.decode("utf-8", "replace"))


# --- clones ----------------------------------------------------------------------------------------------------------


@cache
def _clone() -> dict[str, bytes]:
    """A repository with one commit: path below `.git` → content."""
    program = shutil.which("git")
    if program is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": folder,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "x")):
            subprocess.run([program, "-C", folder, *words], env=environment, check=True, capture_output=True)
        place = Path(folder, ".git")
        return {
            path.relative_to(place).as_posix(): path.read_bytes()
            for path in place.rglob("*")
            if path.is_file() and "hooks" not in path.parts
        }


def _clones() -> Sequence[bytes]:
    files = {name: content.decode("latin-1") for name, content in _clone().items()}
    return [json.dumps({"files": files}).encode()]


@target(
    "clone",
    "the `.git` folder of a student's clone",
    form="json",
    seeds=_clones,
    covers=["grader.intake.repositories"],
    commands=["git", "prlimit"],
    slow=True,
)
def _read_clone(document: bytes, own: Path) -> None:
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return
    files = value.get("files") if isinstance(value, dict) else None
    place = own / "clone" / ".git"
    place.mkdir(parents=True)
    for name, content in list(files.items() if isinstance(files, dict) else ())[:100]:
        parts = [part for part in str(name).split("/") if part and part not in {".", ".."}]
        if parts and "\0" not in name and isinstance(content, str):
            path = place.joinpath(*parts[:20])
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode("latin-1", "replace"))
            except OSError:
                continue
    last_commit(own / "clone", own / "scratch")
    assert not list((own / "scratch").glob("*"))


# --- courses of nbgrader ---------------------------------------------------------------------------------------------


@target(
    "nbgrader_config",
    "settings of a course of nbgrader, as Python or JSON",
    form="text",
    seeds=lambda: [
        b'c = get_config()\nc.CourseDirectory.course_id = "x"\nc.CourseDirectory.db_assignments = [dict(name="a")]\n',
        b'{"CourseDirectory": {"course_id": "x", "root": "."}}',
        b"if True:\n    c.A.b = 1\nc.A.b += 2\nc.A.c.append(-1)\n",
    ],
    covers=["grader.intake.nbgrader.config"],
)
def _nbgrader_config(document: bytes, own: Path) -> None:
    del own
    text = document.decode("utf-8", "replace")
    for config in (parse_config(text), parse_json_config(text)):
        config.text("root")


@cache
def _gradebooks() -> Sequence[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradebook.db"
        write_gradebook(path)
        return [path.read_bytes()]


@target(
    "gradebook.db",
    "the database of nbgrader",
    form="bytes",
    seeds=_gradebooks,
    covers=["grader.intake.nbgrader.gradebook"],
)
def _gradebook(document: bytes, own: Path) -> None:
    (own / "gradebook.db").write_bytes(document)
    read_gradebook(own / "gradebook.db")


@target(
    "nbgrader course",
    "a course folder of nbgrader",
    form="json",
    seeds=lambda: [
        json.dumps(
            {
                "files": {
                    "nbgrader_config.py": "c = get_config()\n",
                    "source/ps1/p.ipynb": seeds.notebooks()[0].decode(),
                    "submitted/ann/ps1/p.ipynb": "{}",
                    "submitted/ann/ps1/timestamp.txt": "2026-11-08 17:03:00 UTC",
                }
            }
        ).encode()
    ],
    covers=["grader.intake.nbgrader.folder", "grader.intake.nbgrader.cells"],
)
def _nbgrader_course(document: bytes, own: Path) -> None:
    root = _written(document, own)
    if root is not None:
        read_nbgrader_course(root)
