"""Keep a secret key in a file that only its owner can read."""

import os
import re
import secrets
from pathlib import Path

from grader.schema.errors import UsageError
from grader.store.files import writing

__all__ = ["secret_key"]

_BYTES = 32
_HEX = re.compile(r"[0-9a-f]{64}\n?")


def secret_key(path: Path) -> bytes:
    """Read a key, or create the file with a random one.

    Args:
        path: Path of the file: 64 hexadecimal digits.

    Raises:
        UsageError: The file is no key, or cannot be read.
        StorageError: The file cannot be written.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        key = secrets.token_bytes(_BYTES)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    return key


def _read(path: Path) -> bytes:
    try:
        text = path.read_bytes()[: 2 * _BYTES + 2].decode("ascii", "replace")
    except FileNotFoundError:
        raise
    except OSError as error:
        msg = f"cannot read the key ({error.strerror or error})"
        raise UsageError(msg, where=str(path)) from error
    if not _HEX.fullmatch(text):
        msg = "the file is no key: it must have 64 hexadecimal digits"
        raise UsageError(msg, where=str(path), advice="name another file, which is created if it does not exist")
    return bytes.fromhex(text.strip())
