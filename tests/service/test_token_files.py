"""Tokens come from a file or the environment, and are never printed."""

from pathlib import Path

import pytest

from grader.schema.errors import UsageError
from grader.service.token_files import TOKEN_VARIABLE, find_tokens

TOKEN = "t" * 32


def test_a_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    made = find_tokens(tmp_path / "new" / "token", TOKEN_VARIABLE, {})
    assert made is not None
    assert made.made
    assert (tmp_path / "new" / "token").stat().st_mode & 0o777 == 0o600
    assert len(made.tokens[0]) == 64
    again = find_tokens(tmp_path / "new" / "token", TOKEN_VARIABLE, {})
    assert again is not None
    assert (again.tokens, again.made, again.readable) == (made.tokens, False, False)


def test_a_file_has_one_token_a_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# of the platform\n{TOKEN}\n\n{'u' * 40}\n", encoding="utf-8")
    file.chmod(0o644)
    source = find_tokens(file, TOKEN_VARIABLE, {})
    assert source is not None
    assert source.tokens == (TOKEN, "u" * 40)
    assert source.readable
    assert TOKEN not in repr(source)


def test_the_environment_comes_before_the_default(tmp_path: Path) -> None:
    source = find_tokens(None, TOKEN_VARIABLE, {TOKEN_VARIABLE: TOKEN}, default=tmp_path / "default")
    assert source is not None
    assert (source.tokens, source.where) == ((TOKEN,), TOKEN_VARIABLE)
    assert not (tmp_path / "default").exists()
    assert find_tokens(None, TOKEN_VARIABLE, {}) is None


@pytest.mark.parametrize("content", ["", "# nothing\n", "short\n", f"{TOKEN} {TOKEN}\n"])
def test_a_file_without_a_good_token_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        find_tokens(tmp_path / "token", TOKEN_VARIABLE, {})
    assert TOKEN not in str(error.value)


def test_two_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=TOKEN_VARIABLE):
        find_tokens(tmp_path / "token", TOKEN_VARIABLE, {TOKEN_VARIABLE: TOKEN})


def test_a_file_that_is_too_large_for_tokens_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n" * 1000, encoding="ascii")
    with pytest.raises(UsageError, match="larger than 16 KiB"):
        find_tokens(tmp_path / "token", TOKEN_VARIABLE, {})
