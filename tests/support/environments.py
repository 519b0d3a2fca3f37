"""Environments of Python, with packages from the index that pip uses: uv does not read pip's settings."""

import os
import subprocess
import sys
from pathlib import Path

from tools.bootstrap import output, pip_settings, uv_environment

__all__ = ["new_environment", "uv_variables"]


def uv_variables() -> dict[str, str]:
    """Return the environment variables for uv."""
    listing = output([sys.executable, "-m", "pip", "config", "list"]) or ""
    return uv_environment(pip_settings(listing), dict(os.environ))


def new_environment(place: Path, *packages: str) -> Path:
    """Make an environment with some packages, and return the folder of its commands."""
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", place / "bin" / "python", *packages]
    subprocess.run(install, env=uv_variables(), check=True)
    return place / "bin"
