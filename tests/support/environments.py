"""Environments of Python, with packages from the index that pip uses: uv does not read pip's settings."""

import subprocess
import sys
from pathlib import Path

from tools.bootstrap import environment_for_uv

__all__ = ["new_environment"]


def new_environment(place: Path, *packages: str) -> Path:
    """Make an environment with some packages, and return the folder of its commands."""
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", place / "bin" / "python", *packages]
    subprocess.run(install, env=environment_for_uv(Path(sys.prefix)), check=True)
    return place / "bin"
