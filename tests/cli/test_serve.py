"""`grader serve`: what it refuses before it serves anything, and what it logs."""

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from grader.cli.serve import ServeLog, serve_command
from grader.schema.errors import HarnessError, UsageError
from grader.service.token_files import TokenSource
from grader.service.workshop import Event
from tests.support.command import exit_code_of


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "python_multipart"])
def test_without_the_extra_the_error_has_the_command_that_installs_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as error:
        serve_command(tmp_path / "out", ["mnist-cnn"])
    assert package in error.value.message
    assert "pip install 'cnn-grader[serve]'" in error.value.advice


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - refused
def test_an_address_that_others_reach_needs_a_chosen_token(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRADER_SERVE_TOKEN", raising=False)
    with pytest.raises(UsageError, match="no token was chosen") as error:
        serve_command(tmp_path / "out", ["mnist-cnn"], host=host, port=0)
    assert "--token-file" in error.value.advice
    assert list(tmp_path.iterdir()) == []


def test_a_token_is_not_among_the_results(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must not be inside"):
        serve_command(tmp_path / "out", ["mnist-cnn"], port=0, token_file=tmp_path / "out" / "token")
    assert list(tmp_path.iterdir()) == []


def test_clients_and_instructors_have_different_tokens(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("t" * 32, encoding="utf-8")
    with pytest.raises(UsageError, match="both"):
        serve_command(
            tmp_path / "out",
            ["mnist-cnn"],
            port=0,
            token_file=tmp_path / "one",
            instructor_token_file=tmp_path / "two",
        )


@pytest.mark.parametrize("size", ["20", "0 MiB", "3 GiB", "201 MiB", "many"])
def test_a_wrong_size_is_a_usage_error(size: str, tmp_path: Path) -> None:
    words = ("serve", "--rubric", "mnist-cnn", "--out", str(tmp_path / "out"), "--max-size", size)
    assert exit_code_of(*words) == 2
    assert list(tmp_path.iterdir()) == []


def a_log(*, as_json: bool) -> tuple[ServeLog, io.StringIO]:
    file = io.StringIO()
    log = ServeLog(Console(file=file, width=60), as_json=as_json, clock=lambda: 1000.0)
    log.count = lambda: {"queued": 2, "running": 1, "done": 3}
    log.source("token", TokenSource(("the-secret-token-of-32-characters",), "/a/token", made=True, readable=True))
    log.event(Event("done", "0" * 32, "tiny", "3 of 3"))
    log.error(HarnessError("cannot write: the disk is full"))
    log.error(ZeroDivisionError("division"))
    return log, file


def test_a_log_for_people_names_the_file_of_the_token_and_the_state_of_the_queue() -> None:
    _, file = a_log(as_json=False)
    text = file.getvalue()
    assert "/a/token" in text
    assert "chmod 600" in text
    assert "3 of 3 (1 running, 2 waiting)" in text
    assert "disk is full" in text
    assert "secret" not in text


def test_a_log_for_programs_is_a_document_a_line() -> None:
    _, file = a_log(as_json=True)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["token", "warning", "done", "error", "error"]
    assert (lines[2]["submission"], lines[2]["queued"], lines[2]["time"]) == ("0" * 32, 2, 1000.0)
    assert "secret" not in file.getvalue()
