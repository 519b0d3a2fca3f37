"""Paths of another machine: detection, redirection of writes, and advice for missing files."""

import os
from pathlib import Path

import pytest

from grader.inside.notebook.paths import Places, _redirected, advise_missing, foreign_parts


class Told:
    """Takes the place of `Notes` where only the forms matter."""

    def __init__(self) -> None:
        self.forms: list[str] = []

    def tell(self, form: str, message: str, *, show: bool = False) -> None:
        assert message
        assert show
        self.forms.append(form)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/content/drive/MyDrive/m.h5", ("content", "drive", "MyDrive", "m.h5")),
        ("C:\\Users\\me\\x.png", ("C", "Users", "me", "x.png")),
        ("d:/data/x.csv", ("d", "data", "x.csv")),
        ("/Users/me/x.csv", ("Users", "me", "x.csv")),
        (Path("/kaggle/working/a.csv"), ("kaggle", "working", "a.csv")),
    ],
)
def test_a_path_of_another_machine_is_taken_apart(path: object, parts: tuple[str, ...]) -> None:
    assert foreign_parts(path) == parts


@pytest.mark.parametrize(
    "path", ["a.csv", "data/a.csv", "/usr/share/x", "/content", "/content/../etc/x", 3, None, b"/content/x"]
)
def test_other_paths_are_left_alone(path: object) -> None:
    assert foreign_parts(path) is None


def test_writing_elsewhere_goes_beside_the_notebook_and_is_found_there_again(tmp_path: Path) -> None:
    told = Told()
    places = Places(tmp_path, told)  # type: ignore[arg-type]  # only `tell` is used
    assert places.local("/content/drive/m.h5", writing=False) is None
    place = places.local("/content/drive/m.h5", writing=True)
    assert place == str(tmp_path / "drive/m.h5")
    assert told.forms == []
    Path(place).write_text("x", encoding="utf-8")
    assert places.here("/content/drive/m.h5") == place
    assert places.here("/kaggle/working/m.h5") == str(tmp_path / "m.h5")
    assert places.here("/kaggle/input/set/m.h5") == str(tmp_path / "kaggle/input/set/m.h5")
    elsewhere = places.local("D:/m.h5", writing=True)
    Path(str(elsewhere)).write_text("x", encoding="utf-8")
    assert elsewhere == places.local("D:/m.h5", writing=False) == str(tmp_path / "D/m.h5")
    assert told.forms == ["path.redirected"]


def test_a_failure_in_an_own_folder_is_not_redirected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/student")
    places = Places(tmp_path, Told())  # type: ignore[arg-type]  # only `tell` is used
    assert places.local("/home/student/.config/x", writing=True) is None
    assert places.local(str(tmp_path / "a"), writing=True) is None


def test_a_folder_that_cannot_be_made_is_made_beside_the_notebook_however_often(tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        raise OSError(30, "Read-only file system", name)

    make = _redirected(refuse, Places(tmp_path, Told()))  # type: ignore[arg-type]  # only `tell` is used
    make("/content/models/best")
    make("/content/models/best")
    assert (tmp_path / "models/best").is_dir()
    with pytest.raises(OSError, match="Read-only"):
        make("/etc/models")


def test_an_existing_folder_is_still_an_error(tmp_path: Path) -> None:
    make = _redirected(os.mkdir, Places(tmp_path, Told()))  # type: ignore[arg-type]  # only `tell` is used
    with pytest.raises(FileExistsError):
        make(str(tmp_path))


def test_a_missing_foreign_file_gets_advice_with_its_name() -> None:
    advice = advise_missing(FileNotFoundError(2, "No such file or directory", "C:\\Users\\me\\digits.csv"))
    assert advice is not None
    assert "'digits.csv'" in advice


def test_an_address_gets_advice_about_the_network() -> None:
    advice = advise_missing(OSError("cannot open https://example.invalid/a.csv"))
    assert advice is not None
    assert "no network" in advice


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file", "own.csv"),
        ValueError("bad value /content/x"),
        KeyError("/content/x"),
        TypeError(),
    ],
)
def test_other_errors_get_no_advice(error: Exception) -> None:
    assert advise_missing(error) is None


def test_an_upload_gets_the_files_that_were_submitted(tmp_path: Path) -> None:
    for name in ("helper.py", "data.csv", "hw.ipynb", ".hidden"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    places = Places(tmp_path, Told())  # type: ignore[arg-type]  # only `tell` is used
    (tmp_path / "made-later.csv").write_text("x", encoding="utf-8")
    assert list(places.submitted_files().items()) == [("data.csv", b"data.csv"), ("helper.py", b"helper.py")]
    (tmp_path / "empty").mkdir()
    assert Places(tmp_path / "empty", Told()).submitted_files() == {}  # type: ignore[arg-type]


class Noted(Told):
    """Notes that need not be shown."""

    def tell(self, form: str, message: str, *, show: bool = False) -> None:
        del show
        assert message
        self.forms.append(form)


@pytest.mark.parametrize(
    ("path", "submitted"),
    [
        ("/content/drive/MyDrive/ml/hw1/data/train.csv", "data/train.csv"),
        ("/kaggle/input/old/train.csv", "old/train.csv"),
        ("/kaggle/input/another/train.csv", "data/train.csv"),
        ("C:\\Users\\ann\\helper.py", "work/helper.py"),
        ("/Users/ann/images", "images"),
        ("/content/drive/MyDrive/test.csv", None),
        ("/content/.secret", None),
        ("data/train.csv", None),
        ("/usr/share/train.csv", None),
    ],
)
def test_a_missing_file_is_replaced_by_the_submitted_one_of_that_name(
    tmp_path: Path, path: str, submitted: str | None
) -> None:
    for name in ("work/helper.py", "data/train.csv", "old/train.csv", "images/1.png", ".secret"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    noted = Noted()
    places = Places(tmp_path / "work", noted, submission=tmp_path)  # type: ignore[arg-type]
    found = places.readable(path)
    assert (None if found is None else Path(found).resolve()) == (submitted and tmp_path / submitted)
    assert bool(noted.forms) is (submitted is not None)


def test_a_shell_command_finds_a_submitted_file(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x", encoding="utf-8")
    places = Places(tmp_path, Noted())  # type: ignore[arg-type]
    command = places.command("cat '/content/drive/My Drive/data.csv'; ls /kaggle/working /contents")
    assert command == f"cat '{tmp_path}/drive/My Drive/data.csv'; ls {tmp_path} /contents"
    assert (tmp_path / "drive/My Drive/data.csv").read_text(encoding="utf-8") == "x"


def test_a_drive_is_an_empty_folder(tmp_path: Path) -> None:
    places = Places(tmp_path, Noted())  # type: ignore[arg-type]
    for _ in range(2):
        places.make_drive("/content/drive")
    assert list((tmp_path / "drive/MyDrive").iterdir()) == []
    assert (tmp_path / "drive/My Drive").samefile(tmp_path / "drive/MyDrive")
