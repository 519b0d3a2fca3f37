"""Autograders for other platforms have the rubric, all that it names, and nothing else."""

import json
import stat
import zipfile
from pathlib import Path

import pytest

from grader.pipeline.packing import Requirement, pack_gradescope, pack_prairielearn, rubric_files
from grader.pipeline.reference import read_reference
from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import UsageError
from tests.support.command import exit_code_of

RUBRIC = """\
version: 1
id: tiny
title: A tiny course
run: {time: 60 s}
files: [{from: ../data, to: data}]
criteria:
  - {id: runs, points: 2, check: runs}
  - {id: explained, points: 1, manual: {guide: Reads well.}}
"""


@pytest.fixture
def rubric(tmp_path: Path) -> Path:
    (tmp_path / "course" / "data").mkdir(parents=True)
    (tmp_path / "course" / "data" / "more.csv").write_text("1,2\n")
    (tmp_path / "course" / "rubrics").mkdir()
    path = tmp_path / "course" / "rubrics" / "tiny.yaml"
    path.write_text(RUBRIC)
    return path


def unpacked(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def test_the_zip_has_its_scripts_at_the_top_and_a_rubric_that_loads(rubric: Path, tmp_path: Path) -> None:
    packed = pack_gradescope(find_rubric(str(rubric)), tmp_path / "autograder.zip")
    with zipfile.ZipFile(packed.path) as archive:
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}
    assert modes["setup.sh"] & stat.S_IXUSR
    assert modes["run_autograder"] & stat.S_IXUSR
    folder = unpacked(packed.path, tmp_path / "source")
    loaded = find_rubric(str(folder / (folder / "rubric.txt").read_text().strip()))
    assert [file.target for file in loaded.files] == ["data/more.csv"]
    assert "set autograder points to 2, and give the other 1 by a rubric" in " ".join(packed.notes)


def test_the_same_rubric_gives_the_same_zip(rubric: Path, tmp_path: Path) -> None:
    loaded = find_rubric(str(rubric))
    one, two = (pack_gradescope(loaded, tmp_path / name).path.read_bytes() for name in ("1.zip", "2.zip"))
    assert one == two


@pytest.mark.parametrize("name", ["mnist-cnn", "fashion-transfer"])
def test_a_shipped_rubric_takes_its_solution_template_and_translations_along(name: str, tmp_path: Path) -> None:
    place, files = rubric_files(find_rubric(name))
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    loaded = find_rubric(str(tmp_path / place))
    assert loaded.rubric == find_rubric(name).rubric
    assert loaded.translations == find_rubric(name).translations
    assert read_reference(loaded) == read_reference(find_rubric(name))


def test_a_wheel_is_packed_and_required_from_its_place(rubric: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "cnn_grader-9-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    packed = pack_gradescope(find_rubric(str(rubric)), tmp_path / "a.zip", Requirement(wheel=wheel))
    folder = unpacked(packed.path, tmp_path / "source")
    assert (folder / wheel.name).read_bytes() == b"wheel"
    assert (folder / "requirements.txt").read_text() == (f"cnn-grader[cpu] @ file:///autograder/source/{wheel.name}\n")


def test_only_data_sets_that_can_be_downloaded_are_downloaded(tmp_path: Path) -> None:
    packed = pack_gradescope(find_rubric("mnist-cnn"), tmp_path / "a.zip")
    # CIFAR-10 has a stand-in in this rubric.
    assert (unpacked(packed.path, tmp_path / "source") / "datasets.txt").read_text() == "mnist\n"


def test_a_question_of_prairielearn_has_its_image_and_its_limits(rubric: Path, tmp_path: Path) -> None:
    out = tmp_path / "pl"
    packed = pack_prairielearn(find_rubric(str(rubric)), out, image="registry.example.org/grader")
    info = json.loads((out / "questions" / "tiny" / "info.json").read_text())
    options = info["externalGradingOptions"]
    assert (info["title"], options["image"], options["timeout"]) == (
        "A tiny course",
        "registry.example.org/grader",
        120,
    )
    assert options["entrypoint"] == f"/grade/{options['serverFilesCourse'][0]}run.sh".replace(
        "/grade/", "/grade/serverFilesCourse/"
    )
    assert (out / "serverFilesCourse" / "cnn_grader" / "run.sh").stat().st_mode & stat.S_IXUSR
    tests = out / "questions" / "tiny" / "tests"
    assert find_rubric(str(tests / (tests / "rubric.txt").read_text().strip())).rubric.id == "tiny"
    assert set(packed.files) == {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_questions_share_script_and_image_and_a_long_run_is_noted(rubric: Path, tmp_path: Path) -> None:
    out = tmp_path / "pl"
    pack_prairielearn(find_rubric(str(rubric)), out)
    second = pack_prairielearn(find_rubric("mnist-cnn"), out)
    assert (out / "image" / "datasets.txt").read_text() == ""
    assert "datasets.txt stayed as it is; this question needs: mnist" in " ".join(second.notes)
    assert "at most 540 s" in " ".join(second.notes)
    ids = [json.loads(path.read_text())["uuid"] for path in out.glob("questions/*/info.json")]
    assert len(set(ids)) == 2


def test_no_file_is_replaced(rubric: Path, tmp_path: Path) -> None:
    loaded = find_rubric(str(rubric))
    (tmp_path / "a.zip").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        pack_gradescope(loaded, tmp_path / "a.zip")
    pack_prairielearn(loaded, tmp_path / "pl")
    with pytest.raises(UsageError, match="exists already"):
        pack_prairielearn(loaded, tmp_path / "pl")


def test_a_file_far_away_is_refused(rubric: Path, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    (tmp_path / "far.csv").write_text("1")
    path = deep / "tiny.yaml"
    path.write_text(rubric.read_text().replace("{from: ../data, to: data}", "{from: ../../../../far.csv, to: far.csv}"))
    with pytest.raises(UsageError, match="too far away"):
        rubric_files(find_rubric(str(path)))


def test_the_commands_say_what_they_wrote(rubric: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("pack", "gradescope", str(rubric), "--out", str(tmp_path / "a.zip")) == 0
    assert exit_code_of("pack", "prairielearn", str(rubric), "--out", str(tmp_path / "pl")) == 0
    out = capsys.readouterr().out
    assert f"written: {tmp_path / 'a.zip'}" in out
    assert "docker build" in out
    assert exit_code_of("pack", "gradescope", str(rubric), "--out", str(tmp_path / "b.zip"), "--install", "x.whl") == 2
