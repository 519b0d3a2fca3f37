"""Help texts and usage errors: complete in every width, in plain words, with the nearest name."""

import re

import pytest
import typer

from grader.cli.app import app
from tests.support.command import exit_code_of, grader

WIDTHS = (60, 80, 100, 120)
INTERNAL = re.compile(r"<\w|list\[|Path\]|int range|[{}]|\d<=x")
"""Names of types and ranges as Typer writes them."""


def walk(name: str, command: object) -> dict[str, object]:
    """Commands and groups by their full name."""
    found = {name: command}
    for key, inner in getattr(command, "commands", {}).items():
        found |= walk(f"{name} {key}", inner)
    return found


COMMANDS = walk("grader", typer.main.get_command(app))


def help_of(name: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    assert exit_code_of(*name.split()[1:], "-h") == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_complete_and_fits_in_every_width(
    name: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(name, width, capsys, monkeypatch)
    assert all(len(line) <= width for line in text.splitlines())
    words = " ".join(text.split())
    command = COMMANDS[name]
    for parameter in vars(command)["params"]:
        assert " ".join((parameter.help or "no help").split()) in words
    for inner in getattr(command, "commands", {}).values():
        assert " ".join(inner.help.partition("\n\n")[0].split()) in words
    assert "..." not in text.partition("\n\n")[2].replace("PATH...", "").replace("FILE...", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_nothing_of_the_library_and_each_default_in_words(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(name, 120, capsys, monkeypatch)
    assert INTERNAL.search(text) is None
    for parameter in vars(COMMANDS[name])["params"]:
        needs_default = parameter.param_type_name == "option" and not (parameter.required or parameter.is_flag)
        if needs_default:
            entry = re.search(rf"  {parameter.opts[0]} .*?(?=\n  -|\n\n|\Z)", text, re.DOTALL)
            assert entry is not None
            assert "[default: " in entry[0]


def test_the_many_options_of_grade_are_in_groups(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    headings = re.findall(r"^(\S.*):$", help_of("grader grade", 80, capsys, monkeypatch), re.MULTILINE)
    assert headings[:2] == ["Arguments", "Options"]
    assert len(headings) >= 5


def test_a_default_of_the_site_file_is_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("site") / "site.yaml"
    file.write_text("version: 1\njobs: 3\n", encoding="utf-8")
    done = grader("grade", "--help", env={"GRADER_CONFIG": str(file)})
    assert "[default: 3, by the site file]" in done.out


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("chek", "'check'"),
        ("check n.ipynb --rubrik mnist-cnn", "'--rubric'"),
        ("check n.ipynb --rubric mnist-cn", "'mnist-cnn'"),
        ("check n.ipynb --rubric mnist-cnn --format jsn", "'json'"),
        ("grade n.ipynb --rubric mnist-cnn --out o --isolation bublewrap", "'bubblewrap'"),
        ("rubric shw mnist-cnn", "'show'"),
        ("rubric show MNIST-CN", "'mnist-cnn'"),
        ("data path mnits", "'mnist'"),
        ("completion bsh", "'bash'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_one(words: str, near: str) -> None:
    done = grader(*words.split())
    assert done.code in {2, 3}
    assert f"id you mean {near}?" in done.err


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("grade homewrk --rubric mnist-cnn --out o", "homework"),
        ("check homework/an.ipynb --rubric mnist-cnn", "homework/ann.ipynb"),
        ("regrade homewrk", "homework"),
        ("report homewrk", "homework"),
        ("data import mine homework/ann.ipyn", "homework/ann.ipynb"),
        ("rubric validate curse.yaml", "course.yaml"),
    ],
)
def test_a_wrong_path_is_answered_with_the_nearest_one(
    words: str, near: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("paths")
    (folder / "homework").mkdir()
    (folder / "homework" / "ann.ipynb").touch()
    (folder / "course.yaml").touch()
    done = grader(*words.split(), cwd=folder)
    assert done.code == 2
    assert f"did you mean '{near}'?" in " ".join(done.err.split())
