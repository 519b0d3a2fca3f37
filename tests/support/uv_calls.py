"""The calls of uv, which are noted instead of run."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

__all__ = ["note_uv_calls"]


def note_uv_calls(monkeypatch: pytest.MonkeyPatch, output: str = "") -> list[tuple[list[str], Mapping[str, str]]]:
    """Let no command of uv run.

    Args:
        monkeypatch: Undoes it.
        output: The text that each command prints.

    Returns:
        A list that receives the arguments and the environment variables of each call.
    """
    calls: list[tuple[list[str], Mapping[str, str]]] = []
    run = subprocess.run

    def note(command: Sequence[str | Path], **options: Any) -> Any:
        if Path(command[0]).name != "uv":
            return run(command, **options)
        words = [str(word) for word in command]
        calls.append((words[1:], options.get("env") or {}))
        return subprocess.CompletedProcess(words, 0, output, "")

    monkeypatch.setattr(subprocess, "run", note)
    return calls
