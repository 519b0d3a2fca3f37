"""The metadata of Gradescope's export: students and times, and nothing else, whatever the file contains."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.intake import gradescope
from grader.intake.find import find_all
from grader.intake.gradescope import Export, read_export
from tests.support.layouts import written
from tests.support.says import says

NOTICE = "{name} could not be read to its end ({reason}): some submissions have the names of their folders"
ENTRY = "submission_1:\n  :submitters:\n  - :name: Ann Lee\n  :created_at: 2026-11-08 17:03:00.0 Z\n"


def export_of(folder: Path, text: str) -> Export:
    (folder / "submission_metadata.yml").write_text(text, encoding="utf-8")
    export = read_export(folder)
    assert export is not None
    return export


def names(export: Export) -> dict[str, str]:
    return {folder: person.student for folder, person in export.people.items()}


def test_names_and_times_are_read(tmp_path: Path) -> None:
    export = export_of(
        tmp_path,
        ENTRY + "  :history:\n  - :created_at: 2026-11-02\n    :submitters: []\n  - :created_at: 2026-11-01\n"
        "submission_2:\n  :submitters:\n  - :name: Bob\n    :sid: '5'\n  - :name: Cy\nother: {a: b}\n",
    )
    assert names(export) == {"submission_1": "Ann Lee", "submission_2": "Bob, Cy"}
    assert export.people["submission_1"].attempt == "2026-11-08 17:03:00.0 Z"
    assert export.history == {"submission_1": ("2026-11-01", "2026-11-02")}
    assert export.damaged == ""
    assert read_export(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    ("text", "known", "damaged"),
    [
        ("submission_9:\n  :created_at: 2001-13-45\n" + ENTRY, True, False),
        ("? [1, {a: b}]\n: x\n" + ENTRY, True, False),
        ("a: &a [x]\nb: &b [*a, *a]\nsubmission_2: {':submitters': [{':name': *a}]}\n" + ENTRY, True, False),
        ("submission_2: !ruby/object:Kernel {a: !!python/object/apply:os.system [x]}\n" + ENTRY, True, False),
        (ENTRY + "submission_2: [\n", True, True),
        (ENTRY + "x: " + "[" * 20_000, True, True),
        ("[" * 20_000, False, True),
        ("{" * 20_000, False, True),
        ("- " * 5_000 + "x", False, True),
        ("\x00", False, True),
        ("", False, False),
        ("submission_1", False, False),
        ("- submission_1\n- :submitters: [{':name': x}]", False, False),
    ],
)
def test_hostile_metadata_costs_only_the_names_after_the_fault(
    tmp_path: Path, text: str, *, known: bool, damaged: bool
) -> None:
    files = {"submission_1/hw.ipynb": "1", "submission_2/hw.ipynb": "2"}
    root = written(tmp_path / "export", files)
    export = export_of(root, text)
    assert names(export).get("submission_1") == ("Ann Lee" if known else None)
    assert bool(export.damaged) is damaged
    findings = find_all([root], unpack_to=tmp_path / "unpacked")
    assert [one.student for one in findings.found] == ["Ann Lee" if known else "submission_1", "submission_2"]
    assert any(says(notice, NOTICE, name="submission_metadata.yml") for notice in findings.notices) is damaged


def test_metadata_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradescope, "_LARGEST", len(ENTRY) - 1)
    export = export_of(tmp_path, ENTRY)
    assert (export.people, bool(export.damaged)) == ({}, True)


def test_a_link_is_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yml").write_text(ENTRY)
    (tmp_path / "submission_metadata.yml").symlink_to("elsewhere.yml")
    assert read_export(tmp_path) is None


TEXT = st.text(max_size=20)
VALUE = st.recursive(
    TEXT | st.none() | st.floats(allow_nan=False) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30)
@given(st.dictionaries(st.integers(1, 99), st.tuples(st.text("abä '\":#-", min_size=1, max_size=9), VALUE), max_size=4))
def test_every_name_that_a_writer_of_yaml_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[int, tuple[str, object]]
) -> None:
    document = {
        f"submission_{number}": {":results": value, ":submitters": [{":name": name, ":sid": value}], ":status": value}
        for number, (name, value) in entries.items()
    }
    export = export_of(tmp_path_factory.getbasetemp(), yaml.safe_dump(document, allow_unicode=True))
    assert export.damaged == ""
    assert names(export) == {f"submission_{n}": name for n, (name, _) in entries.items() if name.strip()}
