"""Build the environment in `.venv` from `requirements.lock`, using only Python's standard library.

The steps are: create a virtual environment; install uv with pip, at the version and hashes of the lock; install the
lock's packages with uv; install the project itself in editable form, with the build backend from the lock. If a stamp
file shows that all this is done already, nothing runs, so a second call needs no network.

uv does not read pip's settings, so the index and network settings of pip are passed on to uv.
"""

from __future__ import annotations  # so that Python 3.7 and later can report the required version

import argparse
import ast
import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "environment_for_uv",
    "environment_stamp",
    "lock_entry",
    "main",
    "missing_venv_advice",
    "pip_settings",
    "stray_hosts",
    "uv_environment",
]

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
LOWEST_PYTHON = (3, 11)
_COMPILE = "pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate "
LOCKS = {
    "requirements.lock": _COMPILE + "--extra cpu --group dev pyproject.toml -o requirements.lock",
    # Ignore the project's uv settings, which exclude the large `tensorflow` wheel: this image needs it.
    "docker/gpu-runner.lock": _COMPILE
    + "--no-config --extra gpu --extra ray pyproject.toml docker/gpu-runner.in -o docker/gpu-runner.lock",
}
"""Each lock file and the uv arguments that create it: for `.venv`, and for the image of machines with GPUs."""


def say(text: str) -> None:
    """Print a progress message."""
    print(f"bootstrap: {text}", flush=True)


def give_up(text: str) -> NoReturn:
    """Print an error and exit with code 2."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)
    raise SystemExit(2)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Run a command with its output on the terminal; return whether it succeeded."""
    return subprocess.run(list(command), cwd=str(ROOT), env=environment, check=False).returncode == 0


def output(command: Sequence[str]) -> str | None:
    """Run a command quietly; return its output, or None if it failed."""
    try:
        process = subprocess.run(list(command), cwd=str(ROOT), capture_output=True, text=True, check=False)
    except OSError:
        return None
    return process.stdout if process.returncode == 0 else None


# --- decisions ----------------------------------------------------------------------------------------------


def environment_stamp(lock: bytes, project: bytes, version: Sequence[int]) -> tuple[str, str]:
    """Compute the stamp of an environment, which is up to date as long as both parts stay the same.

    Args:
        lock: Bytes of the lock.
        project: Bytes of `pyproject.toml`, which defines the entry points.
        version: Version of Python.

    Returns:
        One string for the locked packages, and one for the project, which can be reinstalled without a network.
    """
    python = ".".join(str(number) for number in version[:2])
    return f"{python} {hashlib.sha256(lock).hexdigest()}", hashlib.sha256(project).hexdigest()


def lock_entry(lock: str, name: str) -> str:
    """Extract one package's lines, including its hashes, from the lock.

    Args:
        lock: Text of a requirements file with hashes.
        name: The package's name in the lock.

    Raises:
        ValueError: The lock does not contain that package.
    """
    match = re.search(rf"^{re.escape(name)}==.*(?:\n[ \t]+--hash=.*)+", lock, re.MULTILINE)
    if match is None:
        message = f"requirements.lock does not hold {name}"
        raise ValueError(message)
    return match.group(0) + "\n"


def stray_hosts(lock: str) -> list[str]:
    """List the lines of the lock that name a host, since a lock must work with any index."""
    return [line for line in lock.splitlines() if "://" in line or line.lstrip().startswith("--index")]


def pip_settings(listing: str) -> dict[str, str]:
    """Parse the output of `pip config list`.

    Args:
        listing: Lines such as `global.index-url='…'` and `:env:.index-url='…'`.

    Returns:
        Setting → value; the environment overrides `[install]`, which overrides `[global]`.
    """
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section + "."):
                try:
                    settings[key[len(section) + 1 :]] = str(ast.literal_eval(value))
                except (ValueError, SyntaxError):
                    settings[key[len(section) + 1 :]] = value.strip("'\"")
    return settings


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Translate pip's settings to environment variables of uv; existing uv variables are not changed.

    Args:
        settings: pip's settings by their long names.
        environment: The environment to extend.

    Returns:
        The extended environment.
    """
    result = dict(environment)

    def offer(name: str, value: str | None) -> None:
        if value:
            result.setdefault(name, value)

    if not result.get("UV_INDEX_URL"):  # uv's older name for the same setting
        offer("UV_DEFAULT_INDEX", settings.get("index-url"))
    if settings.get("extra-index-url"):
        offer("UV_INDEX", " ".join(settings["extra-index-url"].split()))
        # pip treats all indexes as one; hashes make that safe for uv as well.
        offer("UV_INDEX_STRATEGY", "unsafe-best-match")
    offer("UV_FIND_LINKS", ",".join(settings.get("find-links", "").split()))
    offer("UV_INSECURE_HOST", " ".join(settings.get("trusted-host", "").split()))
    offer("UV_HTTP_TIMEOUT", settings.get("default-timeout") or settings.get("timeout"))
    offer("SSL_CERT_FILE", settings.get("cert"))
    if settings.get("proxy"):
        offer("ALL_PROXY", settings["proxy"])
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        offer("UV_NO_INDEX", "1")
    # uv must use this environment, whatever shell called it, and may copy files if it cannot link them.
    result["VIRTUAL_ENV"] = str(ROOT / ".venv")
    offer("UV_LINK_MODE", "copy")
    return result


def missing_venv_advice(debian: bool, administrator: bool) -> tuple[str, list[list[str]]]:  # noqa: FBT001 -- two facts
    """Decide what to do if Python lacks `ensurepip`, as on Debian and Ubuntu.

    Args:
        debian: Whether this is Debian or a derived system with `apt-get`.
        administrator: Whether the user may install packages.

    Returns:
        A message for the user, and the commands to run now; no commands if the user must run them.
    """
    commands = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "python3-venv"]]
    if debian and administrator:
        return "this Python has no venv with pip; installing Debian's python3-venv with apt-get", commands
    if debian:
        order = "sudo apt-get update && sudo apt-get install -y python3-venv"
        return f"this Python has no venv with pip. Run\n\n    {order}\n\nand then the same command again.", []
    text = "this Python can make no virtual environment with pip (module `ensurepip` is missing). Install your system's"
    return f"{text} package for it, or name another Python: make PYTHON=/path/to/python3.11 …", []


# --- actions ------------------------------------------------------------------------------------------------


def check_python() -> None:
    """Refuse a Python version that the lock does not support."""
    if sys.version_info[:2] < LOWEST_PYTHON:
        have = ".".join(str(number) for number in sys.version_info[:3])
        give_up(f"Python 3.11 or newer is needed, this is {have}. Name another one: make PYTHON=/path/to/python3.11 …")


def venv_python(venv: Path) -> Path:
    """Return the environment's interpreter."""
    return venv / "bin" / "python"


def works(python: Path) -> bool:
    """Return whether the interpreter runs and has this Python's version."""
    version = output([str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return version is not None and version.strip() == "{}.{}".format(*sys.version_info[:2])


def has_ensurepip() -> bool:
    """Return whether `python -m venv` can install pip; Debian has a separate package for that."""
    return output([sys.executable, "-c", "import ensurepip, venv"]) is not None


def provide_ensurepip() -> None:
    """Install Debian's python3-venv if allowed; otherwise print the command and exit."""
    debian = Path("/etc/debian_version").exists() and output(["apt-get", "--version"]) is not None
    text, commands = missing_venv_advice(debian, os.geteuid() == 0)
    if not commands:
        give_up(text)
    say(text)
    for command in commands:
        say("running: " + shlex.join(command))
        run(command, dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    if not has_ensurepip():
        give_up("apt-get could not install python3-venv; its messages are above")


def make_venv(venv: Path) -> None:
    """Create the virtual environment, or keep a working one."""
    if works(venv_python(venv)):
        return
    if not has_ensurepip():
        provide_ensurepip()
    say(f"making the environment {venv.name} with {sys.executable}")
    if not run([sys.executable, "-m", "venv", "--clear", str(venv)]):
        give_up("`python -m venv` failed; its messages are above")


def pip_command(venv: Path) -> list[str] | None:
    """Find a pip that installs into the environment: its own, or this Python's."""
    inner = [str(venv_python(venv)), "-m", "pip"]
    if output([*inner, "--version"]) is not None:
        return inner
    if output([str(venv_python(venv)), "-m", "ensurepip", "--default-pip"]) is not None:
        return inner
    outer = [sys.executable, "-m", "pip", "--python", str(venv_python(venv))]
    return outer if output([*outer, "--version"]) is not None else None


def bring_uv(venv: Path, lock: str) -> None:
    """Install uv into the environment at the version and hashes of the lock."""
    entry = lock_entry(lock, "uv")
    locked_version = re.match(r"uv==([\w.]+)", entry)
    have = output([str(venv / "bin" / "uv"), "--version"]) or ""
    if locked_version and have.split()[1:2] == [locked_version.group(1)]:
        return
    pip = pip_command(venv)
    if pip is None:
        give_up(f"there is no pip for {venv.name}; run `make clean` and the same command again")
    say("installing uv " + (locked_version.group(1) if locked_version else ""))
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder) / "uv.txt"
        requirement.write_text(entry, encoding="utf-8")
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        if not run([*pip, "install", *options, "--only-binary", ":all:", "-r", str(requirement)]):
            give_up("pip could not install uv; its messages are above (is there a network, or a package index?)")


def environment_for_uv(venv: Path) -> dict[str, str]:
    """Return the environment variables for uv, including pip's settings for the package index and the network.

    Args:
        venv: The virtual environment whose pip has the settings.
    """
    pip = pip_command(venv)
    listing = (output([*pip, "config", "list"]) if pip else None) or ""
    return uv_environment(pip_settings(listing), os.environ)


def install_packages(venv: Path) -> None:
    """Install exactly the lock's packages, with hashes.

    They are compiled: a sandbox cannot write bytecode, so Python would compile TensorFlow there at each start.
    """
    say("installing the locked packages (the first time takes a few minutes)")
    sync = [str(venv / "bin" / "uv"), "pip", "sync", "--compile-bytecode", "--python", str(venv_python(venv))]
    if not run([*sync, "--require-hashes", str(LOCK)], environment_for_uv(venv)):
        give_up("uv could not install the locked packages; its messages are above (is there a network?)")


def install_project(venv: Path) -> None:
    """Install the project with the build backend from the lock, without a network."""
    project = [str(venv / "bin" / "uv"), "pip", "install", "--python", str(venv_python(venv))]
    project += ["--no-deps", "--no-build-isolation", "--offline", "-e", str(ROOT)]
    if not run(project, uv_environment({}, os.environ)):
        give_up("uv could not install the project; its messages are above")


def build() -> None:
    """Bring `.venv` up to date with the lock; do nothing if it is."""
    venv = ROOT / ".venv"
    packages, project = environment_stamp(
        LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), tuple(sys.version_info[:3])
    )
    stamp = venv / ".bootstrap-stamp"
    old_stamp = stamp.read_text(encoding="ascii").split("\n") if stamp.is_file() and works(venv_python(venv)) else []
    if old_stamp[:2] == [packages, project]:
        return
    if old_stamp[:1] != [packages]:
        make_venv(venv)
        bring_uv(venv, LOCK.read_text(encoding="utf-8"))
        install_packages(venv)
    install_project(venv)
    stamp.write_text(f"{packages}\n{project}\n", encoding="ascii")
    say(f"the environment {venv.name} is ready")


def relock() -> None:
    """Resolve the locks again and refuse a lock that names a host."""
    venv = ROOT / ".venv"
    for name, command in LOCKS.items():
        say("running: uv " + command)
        if not run([str(venv / "bin" / "uv"), *command.split()], environment_for_uv(venv)):
            give_up("uv could not resolve the lock; its messages are above")
        stray = stray_hosts((ROOT / name).read_text(encoding="utf-8"))
        if stray:
            give_up(f"{name} names a host:\n" + "\n".join(stray))


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the environment, or resolve the locks with `--lock`."""
    parser = argparse.ArgumentParser(description="Build the environment in .venv from requirements.lock.")
    parser.add_argument("--lock", action="store_true", help="resolve the locks again from pyproject.toml")
    options = parser.parse_args(arguments)
    check_python()
    if options.lock:
        relock()
    else:
        build()


if __name__ == "__main__":
    main()
