"""Shell commands that need a network: said, not tried. All others run as they are."""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import PurePosixPath
from typing import Any

from ..record.notes import Notes

__all__ = ["NetworkCommand", "advise", "find_network_command", "install_shell", "without_network_lines"]

INSTALLERS = {"pip", "conda", "mamba", "uv", "apt", "apt-get", "npm"}
_PIP_WORDS = {"install", "download", "uninstall", "wheel", "search", "index", "update", "upgrade", "remove"}
_DOWNLOADERS = {"wget", "curl", "gdown", "gsutil", "gcloud", "kaggle", "aria2c", "scp", "rsync", "ssh", "ngrok"}
_GIT_WORDS = {"clone", "pull", "fetch", "push", "submodule"}
_PREFIXES = {"sudo", "time", "nohup", "yes", "env"}
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n]")
_ASSIGNMENT = re.compile(r"\w+=\S*")


@dataclass(frozen=True, slots=True)
class NetworkCommand:
    """A command that would reach for the network."""

    tool: str
    """`pip`, `wget`, `git` …"""
    words: tuple[str, ...]
    """What follows the tool's name."""


def find_network_command(line: str) -> NetworkCommand | None:
    """Find the first command of a shell line that cannot work without a network.

    Args:
        line: As it stands after `!`; several commands may be chained.
    """
    for piece in _SEPARATORS.split(line):
        found = _network_command(_words(piece))
        if found:
            return found
    return None


def _words(piece: str) -> list[str]:
    try:
        words = shlex.split(piece, comments=True)
    except ValueError:
        words = piece.split()
    while words and (words[0] in _PREFIXES or _ASSIGNMENT.fullmatch(words[0])):
        words.pop(0)
    return words


def _network_command(words: list[str]) -> NetworkCommand | None:
    if not words:
        return None
    tool = PurePosixPath(words[0]).name
    rest = words[1:]
    if tool.startswith("python") and rest[:1] == ["-m"] and rest[1:]:
        tool, rest = rest[1], rest[2:]
    if re.fullmatch(r"pip[\d.]*", tool):
        tool = "pip"
    needs_network = (
        tool in _DOWNLOADERS
        or (tool == "git" and any(word in _GIT_WORDS for word in rest[:3]))
        or (tool in INSTALLERS and any(word in _PIP_WORDS for word in rest))
    )
    return NetworkCommand(tool, tuple(rest)) if needs_network else None


def advise(command: NetworkCommand) -> str:
    """Say what was not done, and what to do instead.

    Args:
        command: What the notebook asked for.
    """
    if command.tool == "pip":
        return _advise_packages(command.words)
    if command.tool in INSTALLERS:
        return f"`{command.tool}` was passed over: nothing is installed while a notebook is graded."
    return (
        f"`{command.tool}` was passed over: there is no network while a notebook is graded. "
        "Hand the files in beside the notebook, or load the data set with `keras.datasets`."
    )


def _advise_packages(words: Iterable[str]) -> str:
    asked = [
        re.split(r"[\s<>=!~\[;@]", word)[0] for word in words if not word.startswith("-") and word not in _PIP_WORDS
    ]
    names = [name for name in asked if re.fullmatch(r"[A-Za-z][\w.-]*", name) and not name.endswith(".txt")]
    missing = [name for name in names if not _is_installed(name)]
    said = "`pip` was passed over: there is no network while a notebook is graded."
    if not names:
        return said
    if not missing:
        return f"{said} {', '.join(names)}: already here."
    return f"{said} Not available here: {', '.join(missing)}; ask the instructor whether the course provides it."


def _is_installed(name: str) -> bool:
    # `tensorflow` may be installed as one of its builds.
    for candidate in (name, f"{name}-cpu", name.removesuffix("-gpu"), f"{name.removesuffix('-gpu')}-cpu"):
        try:
            metadata.distribution(candidate)
        except (metadata.PackageNotFoundError, ValueError):
            continue
        return True
    return False


def without_network_lines(script: str, tell: Callable[[NetworkCommand], None]) -> str:
    """Take the lines out of a shell script that need a network.

    Args:
        script: The body of a `%%bash` cell.
        tell: Is told each command that was taken out.
    """
    kept = []
    for line in script.splitlines(keepends=True):
        found = find_network_command(line)
        if found:
            tell(found)
        else:
            kept.append(line)
    return "".join(kept)


def tell_command(notes: Notes, command: NetworkCommand) -> None:
    """Note that a command was passed over.

    Args:
        notes: Where to.
        command: Which one.
    """
    notes.tell(f"shell.{command.tool}", advise(command), show=True)


def install_shell(notes: Notes, shell: Any) -> None:
    """Pass over network commands in `!command` and `x = !command`.

    Args:
        notes: Where it is said.
        shell: The IPython shell.
    """
    tell = partial(tell_command, notes)
    run, read = shell.system, shell.getoutput

    def system(cmd: str) -> None:
        # The student's variables are one frame up; the original would look for them in this one.
        expanded = shell.var_expand(cmd, depth=1)
        found = find_network_command(expanded)
        if found is None:
            run(expanded)
            return
        tell(found)
        shell.user_ns["_exit_code"] = 0

    def getoutput(cmd: str, split: bool = True, depth: int = 0) -> Any:  # noqa: FBT001, FBT002 - IPython's signature
        from IPython.utils.text import LSString, SList

        found = find_network_command(cmd)
        if found is None:
            return read(cmd, split=split, depth=depth + 1)
        tell(found)
        return SList([]) if split else LSString("")

    shell.system = system
    shell.getoutput = getoutput
