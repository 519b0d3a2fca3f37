"""`grader desk`: what it needs, and what it refuses before it serves anything."""

import sys
from pathlib import Path

import pytest

from grader.cli.desk import desk_command
from grader.schema.errors import GraderError, UsageError


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_the_error_has_the_command_that_installs_it(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as error:
        desk_command(tmp_path, no_open=True)
    assert package in error.value.message
    assert "pip install 'cnn-grader[desk]'" in error.value.advice
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    "url", ["desk.example.org", "ftp://desk.example.org", "https://", "https://a.example/desk", "https://a.example?x"]
)
def test_the_address_at_a_proxy_is_a_scheme_and_a_host(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an address such as"):
        desk_command(tmp_path, no_open=True, behind_proxy=url)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraderError, match="the folder has no results"):
        desk_command(tmp_path, no_open=True)
