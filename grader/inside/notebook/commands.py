"""Skip shell commands that need a network, with a note; all other commands run unchanged."""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import PurePosixPath
from typing import Any

from ..record.notes import Notes

__all__ = [
    "NetworkCommand",
    "advise",
    "commands_of",
    "find_network_command",
    "install_shell",
    "without_network_lines",
]

INSTALLERS = {"pip", "conda", "mamba", "uv", "apt", "apt-get", "npm"}
_PIP_WORDS = {"install", "download", "uninstall", "wheel", "search", "index", "update", "upgrade", "remove"}
_DOWNLOADERS = {"wget", "curl", "gdown", "gsutil", "gcloud", "kaggle", "aria2c", "scp", "rsync", "ssh", "ngrok"}
_GIT_WORDS = {"clone", "pull", "fetch", "push", "submodule"}
_PREFIXES = {"sudo", "time", "nohup", "yes", "env"}
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n]")
_ASSIGNMENT = re.compile(r"\w+=\S*")


@dataclass(frozen=True, slots=True)
class NetworkCommand:
    """A shell command that needs the network."""

    tool: str
    """Name of the program: `pip`, `wget`, `git` …"""
    words: tuple[str, ...]
    """Words after the program's name."""


def find_network_command(line: str) -> NetworkCommand | None:
    """Find the first command in a shell line that needs a network.

    Args:
        line: The text after `!`; it may chain several commands.
    """
    for words in commands_of(line):
        command = _network_command(words)
        if command:
            return command
    return None


def commands_of(line: str) -> list[list[str]]:
    """Split a shell line into the words of its commands, without `sudo` and assignments of variables.

    Args:
        line: The text after `!`; it may chain several commands.
    """
    return [_words(piece) for piece in _SEPARATORS.split(line)]


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
    arguments = words[1:]
    if tool.startswith("python") and arguments[:1] == ["-m"] and arguments[1:]:
        tool, arguments = arguments[1], arguments[2:]
    if re.fullmatch(r"pip[\d.]*", tool):
        tool = "pip"
    needs_network = (
        tool in _DOWNLOADERS
        or (tool == "git" and any(word in _GIT_WORDS for word in arguments[:3]))
        or (tool in INSTALLERS and any(word in _PIP_WORDS for word in arguments))
    )
    return NetworkCommand(tool, tuple(arguments)) if needs_network else None


def advise(command: NetworkCommand) -> str:
    """Describe what was skipped, with advice.

    Args:
        command: The skipped command.
    """
    if command.tool == "pip":
        return _advise_packages(command.words)
    if command.tool in INSTALLERS:
        return f"`{command.tool}` was skipped: nothing is installed during grading."
    return (
        f"`{command.tool}` was skipped: there is no network during grading. "
        "Submit the files together with the notebook, or load the data set with `keras.datasets`."
    )


def _advise_packages(words: Iterable[str]) -> str:
    packages = [
        re.split(r"[\s<>=!~\[;@]", word)[0] for word in words if not word.startswith("-") and word not in _PIP_WORDS
    ]
    names = [name for name in packages if re.fullmatch(r"[A-Za-z][\w.-]*", name) and not name.endswith(".txt")]
    missing = [name for name in names if not _is_installed(name)]
    message = "`pip` was skipped: there is no network during grading."
    if not names:
        return message
    if not missing:
        return f"{message} Already installed: {', '.join(names)}."
    return f"{message} Not installed: {', '.join(missing)}. Ask the instructor whether the course provides it."


def _is_installed(name: str) -> bool:
    # The package `tensorflow` may be installed under the name of one of its builds.
    for candidate in (name, f"{name}-cpu", name.removesuffix("-gpu"), f"{name.removesuffix('-gpu')}-cpu"):
        try:
            metadata.distribution(candidate)
        except (metadata.PackageNotFoundError, ValueError):
            continue
        return True
    return False


def without_network_lines(script: str, tell: Callable[[NetworkCommand], None]) -> str:
    """Remove the lines that need a network from a shell script.

    Args:
        script: The body of a `%%bash` cell.
        tell: Callback for each removed command.
    """
    lines = []
    for line in script.splitlines(keepends=True):
        command = find_network_command(line)
        if command:
            tell(command)
        else:
            lines.append(line)
    return "".join(lines)


def tell_command(notes: Notes, command: NetworkCommand) -> None:
    """Record that a command was skipped.

    Args:
        notes: Receives the note.
        command: The skipped command.
    """
    notes.tell(f"shell.{command.tool}", advise(command), show=True)


def install_shell(
    notes: Notes, shell: Any, check_line: Callable[[str], None], prepare: Callable[[str], str] = str
) -> None:
    """Skip network commands in `!command` and `x = !command`.

    Args:
        notes: Receives a note for each skipped command.
        shell: The IPython shell.
        check_line: Called with each shell line; it raises if the line would end the kernel.
        prepare: Function that prepares the paths of a command before it runs.
    """
    tell = partial(tell_command, notes)
    run, capture = shell.system, shell.getoutput

    def system(cmd: str) -> None:
        # The student's variables are one frame up; the original method would look for them in this frame.
        expanded = shell.var_expand(cmd, depth=1)
        check_line(expanded)
        command = find_network_command(expanded)
        if command is None:
            run(prepare(expanded))
            return
        tell(command)
        shell.user_ns["_exit_code"] = 0

    def getoutput(cmd: str, split: bool = True, depth: int = 0) -> Any:  # noqa: FBT001, FBT002 - IPython's signature
        from IPython.utils.text import LSString, SList

        command = find_network_command(cmd)
        if command is None:
            expanded = shell.var_expand(cmd, depth=depth + 1)
            prepared = prepare(expanded)
            # The original expands the command itself; a second expansion could change it.
            return capture(cmd if prepared == expanded else prepared, split=split, depth=depth + 1)
        tell(command)
        return SList([]) if split else LSString("")

    shell.system = system
    shell.getoutput = getoutput
