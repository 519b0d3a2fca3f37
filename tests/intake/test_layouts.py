"""A class in the layout of each platform comes out with the right students, files, attempts and times."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from grader.intake.accounting import account_for
from grader.intake.find import Findings, Rejected, find_all
from grader.schema.submission import Submission
from tests.support.layouts import LAYOUTS, Encoding, Layout, Work, packed, written


def outcomes(findings: Findings) -> dict[str, Work]:
    """Describe what was found, as the table of layouts does."""
    works = {}
    for one, origin in zip(findings.found, findings.origins, strict=True):
        assert one.student not in works
        code = ""
        if isinstance(one, Submission):
            code = json.loads(one.notebook.read_text(encoding="utf-8"))["cells"][0]["source"]
        works[one.student] = Work(
            code,
            tuple(name for name in one.files if not name.startswith("earlier/")),
            origin.others,
            tuple(name for name in one.files if name.startswith("earlier/")),
            "" if one.submitted is None else datetime.isoformat(one.submitted.replace(tzinfo=None, microsecond=0)),
            one.submitted_from,
            origin.late,
        )
    return works


def readable(one: Submission) -> set[str]:
    """List the files that the notebook can read."""
    if one.folder is None:
        return {one.files[0]}
    return {path.relative_to(one.folder).as_posix() for path in one.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_class_in_the_layout_of_a_platform_comes_out(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    root = written(tmp_path / layout.top, layout.files)
    findings = find_all([root], unpack_to=tmp_path / "unpacked")
    assert outcomes(findings) == dict(layout.works)
    assert {origin.platform for origin in findings.origins} == {layout.platform}
    account = account_for([root], findings)
    parts = [Path(part).relative_to(root).as_posix() for own in account.parts.values() for part in own]
    skipped = _below(root, [one.path for one in account.skipped], layout)
    assert sorted(skipped) == sorted(layout.skipped)
    assert sorted([*parts, *skipped]) == sorted(layout.files)
    for one in findings.found:
        if isinstance(one, Submission):
            assert readable(one) >= set(layout.works[one.student].files)
        else:
            assert isinstance(one, Rejected)


def _below(root: Path, shown: list[str], layout: Layout) -> list[str]:
    """Replace folders that were skipped by the files in them."""
    names = [Path(path).relative_to(root).as_posix() + ("/" if path.endswith("/") else "") for path in shown]
    return [
        file
        for name in names
        for file in ([name] if not name.endswith("/") else [f for f in layout.files if f.startswith(name)])
    ]


ZIPPED = [(name, "flag") for name, layout in LAYOUTS.items() if layout.zipped]
OTHERS = ("Moodle folders", "Blackboard", "Sakai", "folder of notebooks")


@pytest.mark.parametrize(
    ("name", "encoding"), [*ZIPPED, *((name, encoding) for name in OTHERS for encoding in ("utf-8", "cp437", "extra"))]
)
def test_its_zip_comes_out_the_same_whatever_the_encoding_of_names(
    tmp_path: Path, name: str, encoding: Encoding
) -> None:
    layout = LAYOUTS[name]
    findings = find_all([packed(tmp_path / f"{layout.top}.zip", layout.files, encoding)], unpack_to=tmp_path / "out")
    assert outcomes(findings) == dict(layout.works)


@pytest.mark.parametrize("name", ["Moodle files", "Canvas", "Blackboard", "Brightspace files"])
def test_the_files_of_a_flat_download_may_be_named_one_by_one(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    files = {one: text for one, text in layout.files.items() if not one.startswith("project_team_a")}
    root = written(tmp_path / layout.top, files)
    findings = find_all(sorted(root.iterdir()), unpack_to=tmp_path / "unpacked")
    works = {student: work for student, work in layout.works.items() if student != "project_team_a"}
    assert {student: work.code for student, work in outcomes(findings).items()} == {
        student: work.code for student, work in works.items()
    }
