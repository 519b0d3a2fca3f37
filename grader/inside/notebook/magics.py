"""Handle line magics of other environments and versions: skip unknown ones, so that the rest of the cell runs."""

import ast
import builtins
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..record.notes import Notes
from .commands import NetworkCommand, find_network_command, tell_command, without_network_lines

__all__ = ["install_shell"]

INLINE_BACKENDS = {"inline", "agg", "module://matplotlib_inline.backend_inline"}
INSTALLERS = ("pip", "conda", "mamba", "uv")
_HELPER = "_grader_unknown_cell_magic"
_CELL_MAGIC = re.compile(r"%%(\w[\w.-]*)")
SHELL_CELLS = {"bash": "bash", "sh": "sh", "shell": "bash"}
"""Cell magic → the magic that runs it here."""


def install_shell(notes: Notes, shell: Any, prepare: Callable[[str], str] = str) -> None:
    """Register the magics that notebooks from other environments use.

    Args:
        notes: Receives a note for each skipped magic.
        shell: The IPython shell.
        prepare: Function that prepares the paths of a shell script before it runs.
    """
    _pass_over_unknown(notes, shell)
    _unwrap_unknown_cells(notes, shell)
    _filter_shell_cells(notes, shell, prepare)
    replaced: dict[str, Callable[[str], Any]] = {
        "matplotlib": _matplotlib(notes, shell.find_line_magic("matplotlib")),
        "pylab": _matplotlib(notes, shell.find_line_magic("pylab")),
        "load_ext": _extension(notes, shell.find_line_magic("load_ext")),
        "reload_ext": _extension(notes, shell.find_line_magic("reload_ext")),
        "cd": _cd(notes, shell.find_line_magic("cd")),
        "tensorboard": partial(_tensorboard, notes),
        "tensorflow_version": partial(_tensorflow_version, notes),
    }
    for tool in INSTALLERS:
        replaced[tool] = _installer(notes, tool, shell.find_line_magic(tool))
    for name, action in replaced.items():
        shell.register_magic_function(_named(action, name), magic_kind="line", magic_name=name)


def _named(action: Callable[[str], Any], name: str) -> Callable[[str], Any]:
    def magic(line: str) -> Any:
        return action(line)

    magic.__name__ = name
    magic.__doc__ = f"`%{name}` during grading."
    return magic


def _pass_over_unknown(notes: Notes, shell: Any) -> None:
    run = shell.run_line_magic

    def run_line_magic(magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        name, arguments = magic_name, line
        if not name:
            # `% matplotlib inline`: IPython 9 takes the empty text before the first blank as the name.
            name, _, arguments = line.strip().partition(" ")
        if shell.find_line_magic(name) or name in shell.magics_manager.lazy_magics:
            return run(name, arguments, _stack_depth=_stack_depth + 1)
        hint = " A line that starts with %% must be the first line of its cell." if name.startswith("%") else ""
        command = f"%{name} {arguments}".strip()
        notes.tell("magic.unknown", f"`{command}` is unknown here and was skipped.{hint}", show=True)
        return None

    shell.run_line_magic = run_line_magic


def _unwrap_unknown_cells(notes: Notes, shell: Any) -> None:
    """Run the body of a cell with an unknown `%%magic` as Python."""

    def tell(command: str, what: str) -> None:
        notes.tell("magic.unknown", f"`{command}` is unknown here, so {what}.", show=True)

    def unwrap(lines: list[str]) -> list[str]:
        start = next((number for number, line in enumerate(lines) if line.strip()), 0)
        match = _CELL_MAGIC.match(lines[start]) if lines else None
        if match is None or _is_known(shell, match[1]):
            return lines
        command, body = lines[start].strip(), lines[start + 1 :]
        # Cells are transformed several times, so the note is made when the cell runs.
        if not _is_python(shell, body):
            return [f"{_HELPER}({command!r}, 'its cell was skipped')\n"]
        # Keep the number of lines, so that tracebacks name the right ones.
        return [*lines[:start], f"{_HELPER}({command!r}, 'its cell ran without it')\n", *body]

    setattr(builtins, _HELPER, tell)
    shell.input_transformers_cleanup.append(unwrap)


def _is_known(shell: Any, name: str) -> bool:
    known = name in SHELL_CELLS or shell.find_cell_magic(name) is not None
    return known or shell.find_line_magic(name) is not None or name in shell.magics_manager.lazy_magics


def _is_python(shell: Any, body: list[str]) -> bool:
    try:
        ast.parse(shell.transform_cell("".join(body)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _filter_shell_cells(notes: Notes, shell: Any, prepare: Callable[[str], str]) -> None:
    run = shell.run_cell_magic

    def run_cell_magic(magic_name: str, line: str, cell: str) -> Any:
        if magic_name not in SHELL_CELLS:
            return run(magic_name, line, cell)
        script = without_network_lines(cell, partial(tell_command, notes))
        return run(SHELL_CELLS[magic_name], line, prepare(script)) if script.strip() else None

    shell.run_cell_magic = run_cell_magic


def _matplotlib(notes: Notes, original: Callable[[str], Any]) -> Callable[[str], Any]:
    def choose(line: str) -> Any:
        words = line.partition("#")[0].split()
        flags = [word for word in words if word.startswith("-")]
        backend = next((word for word in words if not word.startswith("-")), "")
        if backend.strip("\"'").lower() in INLINE_BACKENDS or "-l" in flags or "--list" in flags:
            return original(" ".join(words))
        command = f"%matplotlib {backend}".strip()
        notes.tell(
            "magic.matplotlib", f"`{command}` needs a window or a browser; figures are shown under their cells instead."
        )
        return original(" ".join([*flags, "inline"]))

    return choose


def _extension(notes: Notes, original: Callable[[str], Any]) -> Callable[[str], Any]:
    def load(line: str) -> Any:
        name = line.strip()
        if name.startswith("tensorboard"):
            notes.tell(
                "magic.tensorboard",
                "The TensorBoard page is not shown during grading; its logs are written.",
            )
            return None
        try:
            return original(line)
        except (ImportError, AttributeError) as error:
            notes.tell("magic.load_ext", f"The extension {name!r} cannot be loaded here ({error}).", show=True)
            return None

    return load


def _cd(notes: Notes, original: Callable[[str], Any]) -> Callable[[str], Any]:
    def change(line: str) -> Any:
        target = line.strip().strip("\"'")
        if target.startswith(("-", "~")) or not target or Path(target).is_dir():
            return original(line)
        notes.tell(
            "magic.cd",
            f"There is no folder {target} here; the notebook stays in its own folder. Use relative paths.",
            show=True,
        )
        return None

    return change


def _tensorboard(notes: Notes, line: str) -> None:
    del line
    notes.tell(
        "magic.tensorboard",
        "The TensorBoard page is not shown during grading. Plot `history.history` in the notebook.",
        show=True,
    )


def _tensorflow_version(notes: Notes, line: str) -> None:
    version = line.strip()
    old = " TensorFlow 1 is not available." if version.startswith("1") else ""
    notes.tell(
        "magic.tensorflow_version", f"`%tensorflow_version {version}` exists only in Colab and was skipped.{old}"
    )


def _installer(notes: Notes, tool: str, original: Callable[[str], Any] | None) -> Callable[[str], Any]:
    def run(line: str) -> Any:
        command = find_network_command(f"{tool} {line}")
        if command is None and original is not None:
            return original(line)
        tell_command(notes, command or NetworkCommand(tool, ()))
        return None

    return run
