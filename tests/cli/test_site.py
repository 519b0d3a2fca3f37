"""The site file: defaults of options, and what is wrong with one."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # brought by nbformat, without types
import pytest
import typer
from typer.testing import CliRunner

from grader.cli import app as cli
from grader.cli import data, doctor, grade, rubric, site
from grader.cli import options as options_module
from grader.datasets.store import DatasetStore
from grader.grading.json_schema import site_schema
from grader.pipeline.setup import Options
from grader.schema.errors import UsageError
from grader.schema.site import SiteSettings

FULL = """\
version: 1
jobs: 3
isolation: container
device: cpu
engine: local
warm: false
language: de
data: sets
"""


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for site files; returns the user's file, not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))
    for name in ("GRADER_CONFIG", "GRADER_DATA", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    for place in ("user", "machine"):
        (tmp_path / place / "cnn-grader").mkdir(parents=True)
    return tmp_path / "user" / "cnn-grader" / "config.yaml"


@pytest.fixture
def of_machine(tmp_path: Path) -> Path:
    return tmp_path / "machine" / "cnn-grader" / "config.yaml"


class _Seen(Exception):  # noqa: N818 - ends a command, and is no error
    def __init__(self, **values: Any) -> None:
        super().__init__()
        self.values = values


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands end where they would execute: with the options that they would use."""

    def options(*given: Any, **keys: Any) -> Options:
        raise _Seen(options=real(*given, **keys))

    real = options_module.options_of
    monkeypatch.setattr(grade, "options_of", options)
    monkeypatch.setattr(rubric, "options_of", options)


def options_of(*words: str | Path) -> Options:
    """The options that a command line comes to."""
    with pytest.raises(_Seen) as caught:
        CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)
    found: Options = caught.value.values["options"]
    return found


GRADE = ("grade", "here", "--rubric", "mnist-cnn", "--out", "there")
CHECK = ("check", "here", "--rubric", "mnist-cnn")


@pytest.mark.usefixtures("seen")
def test_without_a_file_the_defaults_are_the_graders_own() -> None:
    assert site.load_site() == site.Site(SiteSettings(version=1), ())
    assert options_of(*GRADE) == Options(jobs=None, warm=None)
    assert site.open_store().root == DatasetStore().root


@pytest.mark.usefixtures("seen")
def test_a_site_file_sets_the_defaults_of_grade(own: Path) -> None:
    own.write_text(FULL)
    assert options_of(*GRADE) == Options(isolation="container", device="cpu", jobs=3, warm=False)


@pytest.mark.usefixtures("seen")
def test_an_option_overrides_the_site_file(own: Path) -> None:
    own.write_text(FULL)
    words = ("--jobs", "auto", "--isolation", "bubblewrap", "--device", "gpu", "--warm")
    assert options_of(*GRADE, *words) == Options(isolation="bubblewrap", device="gpu", jobs=None, warm=True)


@pytest.mark.usefixtures("seen")
def test_a_site_file_sets_the_defaults_of_check_demo_and_rubric_test(own: Path) -> None:
    own.write_text(FULL)
    one = Options(isolation="container", device="cpu", jobs=1, resume=False)
    assert options_of("rubric", "test", "mnist-cnn") == one
    notebook = Path(__file__)
    assert options_of("check", notebook, "--rubric", "mnist-cnn") == Options(
        isolation="container", device="cpu", jobs=1, attempts=1, resume=False
    )
    assert options_of("demo") == Options(isolation="container", device="cpu", jobs=3, warm=False)
    assert options_of("demo", "--jobs", "2", "--isolation", "none").jobs == 2


@pytest.mark.usefixtures("seen")
def test_jobs_may_be_auto(own: Path) -> None:
    own.write_text("version: 1\njobs: auto\n")
    assert options_of(*GRADE).jobs is None


def test_the_help_of_an_option_shows_the_sites_default(own: Path) -> None:
    own.write_text(FULL)
    shown = CliRunner().invoke(cli.app, ["check", "--help"], catch_exceptions=False).output
    assert "[default: container, by the site file]" in " ".join(shown.split())


def test_the_users_file_overrides_the_machines_key_by_key(own: Path, of_machine: Path) -> None:
    of_machine.write_text("version: 1\njobs: 8\ndevice: gpu\ndata: /srv/sets\n")
    own.write_text("version: 1\njobs: 2\n")
    found = site.load_site()
    assert found.files == (of_machine, own)
    assert found.settings == SiteSettings(version=1, jobs=2, device="gpu", data="/srv/sets")
    assert found.data == Path("/srv/sets")


def test_a_named_file_takes_the_place_of_the_users(
    own: Path, of_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text("version: 1\njobs: 2\n")
    of_machine.write_text("version: 1\ndevice: cpu\n")
    named = tmp_path / "course.yaml"
    named.write_text("version: 1\njobs: 5\n")
    monkeypatch.setenv("GRADER_CONFIG", str(named))
    assert site.load_site().settings == SiteSettings(version=1, jobs=5, device="cpu")
    named.unlink()
    with pytest.raises(UsageError, match="the site file cannot be read: No such file"):
        site.load_site()


def test_data_sets_are_found_where_the_site_file_says(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text(FULL)
    assert site.open_store().root == own.parent / "sets"
    assert data._store().root == own.parent / "sets"
    monkeypatch.setenv("GRADER_DATA", "/elsewhere")
    assert site.open_store().root == Path("/elsewhere")
    monkeypatch.delenv("GRADER_DATA")
    own.write_text("version: 1\ndata: ~/sets\n")
    assert site.open_store().root == Path.home() / "sets"


def test_the_address_is_that_of_the_site_unless_the_environment_has_one(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text("version: 1\nengine: ray\naddress: first:6379\n")
    assert site.ray_address() == "first:6379"
    assert site.option_defaults(site.load_site())["grade"] == {"engine": "ray"}
    monkeypatch.setenv("RAY_ADDRESS", "second:6379")
    assert site.ray_address() is None


@pytest.mark.usefixtures("seen")
def test_an_address_of_the_site_does_not_hinder_the_local_engine(own: Path) -> None:
    own.write_text("version: 1\nengine: ray\naddress: first:6379\n")
    assert options_of(*GRADE, "--engine", "local").jobs is None


# --- wrong files ----------------------------------------------------------------------------------------------

WRONG = [
    ("version: 1\njob: 3\n", "2:1: unknown key 'job'; did you mean 'jobs'?"),
    ("version: 2\n", "1:10: unknown version 2; this grader reads version 1"),
    ("jobs: 3\n", "1:1: the key 'version' is missing"),
    ("version: 1\nisolation: bubblwrap\n", "2:12: `isolation` is 'bubblwrap', but must be"),
    ("version: 1\njobs: 0\n", "2:7: `jobs` must be greater than or equal to 1"),
    ("version: 1\nwarm: perhaps\n", "2:7: `warm` must be a valid boolean"),
    ("version: 1\ndata: ''\n", "2:7: `data` must have at least 1 character"),
    ("[1]\n", "1:1: a site file must be a mapping of keys to values"),
    ("version: [\n", "not YAML"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_an_error_has_its_line_and_the_nearest_key(own: Path, text: str, expected: str) -> None:
    own.write_text(text)
    with pytest.raises(UsageError) as caught:
        site.load_site()
    assert expected in f"{caught.value.where.removeprefix(f'{own}:')}: {caught.value.message}"
    assert "--of site" in caught.value.advice
    assert caught.value.exit_code == 2


def test_a_wrong_file_ends_a_command_and_not_the_one_that_explains_it(own: Path) -> None:
    own.write_text("version: 1\njob: 3\n")
    for words in (GRADE, CHECK, ("demo",), ("rubric", "test", "mnist-cnn"), ("data", "list")):
        assert isinstance(CliRunner().invoke(cli.app, list(words)).exception, UsageError)
    for words in (("rubric", "schema", "--of", "site"), ("rubric", "list"), ("--help",)):
        assert CliRunner().invoke(cli.app, list(words)).exit_code == 0


# --- the doctor and the schema --------------------------------------------------------------------------------


def test_the_doctor_shows_the_file_and_what_is_in_effect(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = doctor.site_line()
    assert (line.verdict, "no file" in line.found, str(own) in line.found) == ("ok", True, True)
    assert "jobs auto, isolation auto, device auto, engine local, warm auto, data /" in line.found
    own.write_text(FULL)
    line = doctor.site_line()
    expected = "jobs 3, isolation container, device cpu, engine local, warm off"
    assert line.found == f"{own}: {expected}, language de, data {own.parent / 'sets'}"
    monkeypatch.setenv("GRADER_DATA", "/elsewhere")
    monkeypatch.setenv("RAY_ADDRESS", "first:6379")
    found = doctor.site_line().found
    assert found.endswith("address first:6379 (from RAY_ADDRESS), data /elsewhere (from GRADER_DATA)")


def test_the_doctor_names_what_is_wrong_with_the_file(own: Path) -> None:
    own.write_text("version: 1\njob: 3\n")
    line = doctor.site_line()
    assert (line.verdict, line.mend != "") == ("fail", True)
    assert f"{own}:2:1: unknown key 'job'" in line.found


def test_the_schema_takes_what_the_loader_takes(own: Path) -> None:
    printed = CliRunner().invoke(cli.app, ["rubric", "schema", "--of", "site"]).output
    schema = json.loads(printed)
    assert schema == site_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(schema)
    assert valid.is_valid({"version": 1, "jobs": 3, "warm": True, "data": "sets"})
    assert not valid.is_valid({"version": 1, "job": 3})
    assert all(schema["properties"][name]["description"] for name in SiteSettings.model_fields)
    del own


def test_the_mail_settings_of_two_files_are_merged_key_by_key(own: Path, of_machine: Path) -> None:
    of_machine.write_text("version: 1\nmail: {server: smtp.example.org, rate: 30}\n", encoding="utf-8")
    own.write_text("version: 1\nmail: {sender: a@example.org, rate: 10}\n", encoding="utf-8")
    mail = site.load_site().settings.mail
    assert mail is not None
    assert (mail.server, mail.sender, mail.rate) == ("smtp.example.org", "a@example.org", 10)


def test_every_option_of_the_site_is_one_of_its_command() -> None:
    group: Any = typer.main.get_command(cli.app)
    for words, names in site._OPTIONS.items():
        command = group
        for word in words.split():
            command = command.commands[word]
        assert set(names) <= {param.name for param in command.params}
    used = {name for names in site._OPTIONS.values() for name in names}
    assert set(SiteSettings.model_fields) == {"version", "address", "data", "language", "mail"} | used
