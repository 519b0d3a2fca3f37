"""Find the tokens of the service: in the environment, or in a file that is made if it does not exist."""

import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader.schema.errors import UsageError
from grader.service.guard import checked_token
from grader.store.files import writing

__all__ = ["INSTRUCTOR_VARIABLE", "TOKEN_VARIABLE", "TokenSource", "find_tokens"]

TOKEN_VARIABLE: Final = "GRADER_SERVE_TOKEN"  # noqa: S105 - the name of a variable
INSTRUCTOR_VARIABLE: Final = "GRADER_SERVE_INSTRUCTOR_TOKEN"
_LARGEST: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Tokens, and where they are from."""

    tokens: tuple[str, ...]
    where: str
    """The file or the variable."""
    made: bool = False
    """Whether the file was made now."""
    readable: bool = False
    """Whether other users of this machine can read the file."""

    def __repr__(self) -> str:
        """Show everything but the tokens."""
        return f"TokenSource({len(self.tokens)} tokens from {self.where!r})"


def find_tokens(
    file: Path | None, variable: str, environment: Mapping[str, str], *, default: Path | None = None
) -> TokenSource | None:
    """Find the tokens of one kind of caller.

    A file has one token a line, so that a token can be replaced without an interruption. Empty lines and lines with
    `#` are skipped.

    Args:
        file: The file; None to look elsewhere.
        variable: Name of the variable with one token.
        environment: The variables.
        default: The file without another source; None if there are no tokens then.

    Raises:
        UsageError: Both a file and the variable exist, or the file cannot be read, or a token is too short.
        StorageError: The file cannot be made.
    """
    given = environment.get(variable, "")
    if file is not None and given:
        msg = f"there is also the variable {variable}"
        raise UsageError(msg, where=str(file), advice="use one of them")
    if given:
        return TokenSource((checked_token(given, variable),), variable)
    path = file or default
    return None if path is None else _from_file(path)


def _from_file(path: Path) -> TokenSource:
    made = _make(path)
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(_LARGEST + 1)
    except OSError as error:
        msg = f"cannot read the token ({error.strerror or error})"
        raise UsageError(msg, where=str(path)) from error
    if len(content) > _LARGEST:
        msg = f"the file is larger than {_LARGEST >> 10} KiB, so it is no list of tokens"
        raise UsageError(msg, where=str(path), advice="write one token a line")
    lines = [line.strip() for line in content.decode("ascii", "replace").splitlines()]
    tokens = tuple(checked_token(line, str(path)) for line in lines if line and not line.startswith("#"))
    if not tokens:
        msg = "the file has no token"
        raise UsageError(msg, where=str(path), advice="remove the file for a new one")
    return TokenSource(tokens, str(path), made=made, readable=bool(mode & (stat.S_IROTH | stat.S_IRGRP)))


def _make(path: Path) -> bool:
    """Make a file with a random token that only its owner can read; return False if the file exists."""
    if os.path.exists(path):  # noqa: PTH110 - False where a folder cannot be read, unlike Path.exists
        return False
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
    return True
