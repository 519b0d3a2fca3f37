"""The documentation is whole: nothing a reader can use is missing from it, and nothing in it is out of date."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
import yaml

from grader.checks.registry import all_checks, all_diagnostics
from grader.grading.course_settings import read_course_settings
from grader.grading.loader import read_rubric
from grader.inside.record import events
from grader.inside.record.events import KINDS
from grader.pipeline.rubrics import shipped_rubrics
from grader.schema.base import Document
from grader.schema.course import AssignmentSettings, CourseSettings, LateRules
from grader.schema.described import field_notes
from grader.schema.mail import MailSettings
from grader.schema.rubric import DiagnosticSettings, OutputSettings, Rubric, RunSettings
from grader.schema.site import SiteSettings
from tests.support.record_uses import DECLARED

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
COURSE = (CourseSettings, AssignmentSettings, LateRules)


def _load() -> Any:
    """The tool is a script beside the package, so it is loaded from its file."""
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_docs"] = module
    spec.loader.exec_module(module)
    return module


make_docs = _load()
COMMANDS = make_docs.commands()
EVENTS_PAGE = (DOCS / "events.md").read_text(encoding="utf-8")


def _unexplained(outermost: Any) -> list[str]:
    return [
        f"{document.__name__}.{name}"
        for document in make_docs.documents(outermost)
        for name in document.model_fields
        if not field_notes(document).get(name)
    ]


def _unhelped(command: Any) -> list[str]:
    """Options and arguments of a command that `--help` says nothing about."""
    return [param.name for param in command.params if not getattr(param, "hidden", False) and not param.help]


def test_every_generated_page_is_what_the_code_says_now() -> None:
    assert make_docs.stale(make_docs.pages()) == [], "run `make docs`"


def test_the_same_code_gives_the_same_pages() -> None:
    field_notes.cache_clear()
    assert make_docs.pages() == make_docs.pages()


def test_a_page_that_was_changed_by_hand_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_docs, "DOCS", tmp_path)
    made = make_docs.pages()
    assert make_docs.main([]) == 0
    assert make_docs.stale(made) == []
    (tmp_path / "rubric.md").write_text("by hand", encoding="utf-8")
    (tmp_path / "checks" / "gone.md").write_text("of a check that is gone", encoding="utf-8")
    assert make_docs.stale(made) == [Path("checks/gone.md"), Path("rubric.md")]
    assert make_docs.main(["--check"]) == 1
    assert make_docs.main([]) == 0
    assert make_docs.stale(made) == []


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_every_check_says_what_it_does_why_and_how_it_is_used(name: str) -> None:
    head, parts = make_docs.sections(all_checks()[name].doc)
    assert head
    assert {"What it does", "Why it matters", "Example"} <= {title for title, text in parts.items() if text}


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_the_example_of_every_check_is_one_that_a_rubric_may_hold(name: str) -> None:
    _, parts = make_docs.sections(all_checks()[name].doc)
    example = yaml.safe_load(parts["Example"].strip("` \n"))
    assert example["check"] == name
    all_checks()[name].parameters.model_validate(example.get("with", {}))


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_every_parameter_of_a_check_is_explained(name: str) -> None:
    assert _unexplained(all_checks()[name].parameters) == []


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_every_diagnostic_says_what_it_looks_at_and_why(name: str) -> None:
    head, parts = make_docs.sections(all_diagnostics()[name].doc)
    assert head
    assert {"What it does", "Why it matters"} <= {title for title, text in parts.items() if text}


def test_every_key_of_a_rubric_and_of_a_site_file_is_explained() -> None:
    assert _unexplained(Rubric) == []
    assert _unexplained(SiteSettings) == []
    assert _unexplained(MailSettings) == []
    assert [one for document in COURSE for one in _unexplained(document)] == []


def test_every_key_of_a_course_is_on_its_page_and_the_example_is_valid() -> None:
    text = (DOCS / "course-folder.md").read_text(encoding="utf-8")
    assert [key for document in COURSE for key in document.model_fields if f"| `{key}` |" not in text] == []
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    course = read_course_settings(example.encode())
    unused = [key for key in AssignmentSettings.model_fields if key not in example]
    assert (course.assignments["mnist-cnn"].groups, unused) == (True, [])


@pytest.mark.parametrize("name", sorted(n for n, spec in all_diagnostics().items() if spec.parameters is not None))
def test_every_parameter_of_a_diagnostic_is_explained_on_its_page(name: str) -> None:
    parameters = all_diagnostics()[name].parameters
    assert parameters is not None
    assert _unexplained(parameters) == []
    text = (DOCS / "diagnostics.md").read_text(encoding="utf-8").partition(f"## `{name}`")[2].partition("\n## ")[0]
    assert [key for key in parameters.model_fields if f"| `{key}` |" not in text] == []


def test_every_setting_is_on_the_page_of_settings() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    settings = (RunSettings, OutputSettings, DiagnosticSettings, SiteSettings, MailSettings)
    assert [key for document in settings for key in document.model_fields if f"| `{key}` |" not in text] == []


def test_the_examples_of_the_page_of_settings_are_valid() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    run, diagnostics, site, mail = (
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    )
    rubric = {"version": 1, "id": "r", "title": "R", "dataset": "mnist", "roles": {"cnn": {}}, **run, **diagnostics}
    rubric["criteria"] = [{"id": "runs", "points": 1, "check": "runs"}]
    assert read_rubric(yaml.safe_dump(rubric).encode(), all_checks(), all_diagnostics()).run.processes == 200
    assert SiteSettings.model_validate(site).jobs == 4
    mail_settings = SiteSettings.model_validate(mail).mail
    assert mail_settings is not None
    assert mail_settings.server == "smtp.example.org"


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_event_and_every_field_of_the_record_is_explained(name: str) -> None:
    declared = DECLARED[name]
    notes = make_docs.record_notes(declared)
    assert declared.__doc__
    assert [key for key in declared.__annotations__ if key != "kind" and not notes.get(key)] == []


def test_every_kind_of_event_and_every_limit_stands_on_its_page() -> None:
    assert [kind for kind in KINDS if f"### `{kind}`" not in EVENTS_PAGE] == []
    assert [name for name in vars(events) if name.startswith("MAX_") and f"| `{name}` |" not in EVENTS_PAGE] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does_and_what_its_options_mean(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert _unhelped(command) == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_stands_on_the_page_of_commands(name: str) -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    section = text.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
    flags = [flag for param in COMMANDS[name].params if param.param_type_name == "option" for flag in param.opts]
    assert section
    assert [flag for flag in flags if flag not in section] == []


@pytest.mark.parametrize("name", sorted(all_checks()))
def test_every_check_has_a_page_with_all_its_parameters(name: str) -> None:
    text = (DOCS / "checks" / f"{name}.md").read_text(encoding="utf-8")
    missing = [key for key in all_checks()[name].parameters.model_fields if f"| `{key}` |" not in text]
    assert missing == []
    assert f"[`{name}`]({name}.md)" in (DOCS / "checks" / "README.md").read_text(encoding="utf-8")


def test_every_diagnostic_and_every_key_of_a_rubric_stands_on_its_page() -> None:
    notes = (DOCS / "diagnostics.md").read_text(encoding="utf-8")
    assert [name for name in all_diagnostics() if f"## `{name}`" not in notes] == []
    keys = (DOCS / "rubric.md").read_text(encoding="utf-8")
    fields = [
        (field.alias or name)
        for document in make_docs.documents(Rubric)
        for name, field in document.model_fields.items()
    ]
    assert [key for key in fields if f"| `{key}` |" not in keys] == []


def test_what_is_not_documented_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()

    @app.command()
    def bare(notebook: str, told: Annotated[str, typer.Option(help="What it is.")] = "", quiet: bool = False) -> None:  # noqa: FBT001, FBT002 - as commands have them
        del notebook, told, quiet

    assert _unhelped(typer.main.get_command(app)) == ["notebook", "quiet"]
    assert _unexplained(_Bare) == ["_Bare.silent"]
    made = make_docs.pages()
    for page in (
        Path("commands.md"),
        Path("rubric.md"),
        Path("diagnostics.md"),
        Path("events.md"),
        Path("checks/accuracy.md"),
    ):
        monkeypatch.setattr(make_docs, "_same", lambda path, _, page=page: path != DOCS / page)
        assert make_docs.stale(made) == [page]


class _Bare(Document):
    told: int = 1
    """What it is."""
    silent: int = 2


@pytest.mark.parametrize("path", shipped_rubrics(), ids=lambda path: path.stem)
def test_every_shipped_assignment_has_its_section(path: Path) -> None:
    assert f"## `{path.stem}`" in (DOCS / "assignments.md").read_text(encoding="utf-8")


def test_the_rubric_of_the_walk_is_one() -> None:
    text = (DOCS / "writing-an-assignment.md").read_text(encoding="utf-8")
    rubrics = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if block.startswith("version:")]
    assert rubrics
    for block in rubrics:
        assert read_rubric(block.encode(), all_checks()).criteria


def test_every_command_of_the_walk_exists() -> None:
    text = (DOCS / "writing-an-assignment.md").read_text(encoding="utf-8")
    used = set(re.findall(r"^grader .*$", text, re.MULTILINE))
    assert used
    for line in used:
        assert any(line == name or line.startswith(f"{name} ") for name in COMMANDS), line


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
