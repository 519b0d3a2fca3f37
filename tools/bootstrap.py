"""Build the environment in `.venv` from `requirements.lock`, with nothing but Python's standard library.

What it does, in this order: makes a virtual environment; brings uv into it, by pip, at the version and hashes of
the lock; lets uv install the lock with hashes; installs the project itself in editable form with the build backend
that the lock brought. Where all that is done already, a stamp says so and nothing is started: the second run needs
no network.

uv does not read pip's settings. Where pip is told to use another package index, uv is told the same.
"""

from __future__ import annotations  # so that Pythons from 3.7 on can say which one is needed

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
    # Without the project's settings for uv, which keep the large `tensorflow` wheel out: here it is what is wanted.
    "docker/gpu-runner.lock": _COMPILE
    + "--no-config --extra gpu --extra ray pyproject.toml docker/gpu-runner.in -o docker/gpu-runner.lock",
}
"""Each lock and uv's command that makes it: of `.venv`, and of the image for machines with GPUs."""


def say(text: str) -> None:
    """Tell the person at the terminal what happens."""
    print(f"bootstrap: {text}", flush=True)


def give_up(text: str) -> NoReturn:
    """End with a message and exit code 2."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)
    raise SystemExit(2)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Run a command with its output on the terminal; tell whether it succeeded."""
    return subprocess.run(list(command), cwd=str(ROOT), env=environment, check=False).returncode == 0


def output(command: Sequence[str]) -> str | None:
    """Run a command quietly and return what it printed, or None when it failed."""
    try:
        done = subprocess.run(list(command), cwd=str(ROOT), capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


# --- what is decided, apart from what is done ---------------------------------------------------------------


def environment_stamp(lock: bytes, project: bytes, version: Sequence[int]) -> tuple[str, str]:
    """Name the state of an environment: it is up to date while both texts stay the same.

    Args:
        lock: Bytes of the lock.
        project: Bytes of `pyproject.toml` (entry points are installed from it).
        version: Version of Python.

    Returns:
        One text for the locked packages, one for the project itself, whose new installation needs no network.
    """
    python = ".".join(str(number) for number in version[:2])
    return f"{python} {hashlib.sha256(lock).hexdigest()}", hashlib.sha256(project).hexdigest()


def lock_entry(lock: str, name: str) -> str:
    """Cut one package's lines, with its hashes, out of the lock.

    Args:
        lock: Text of a hashed requirements file.
        name: The package's name as the lock writes it.

    Raises:
        ValueError: The lock does not hold that package.
    """
    match = re.search(rf"^{re.escape(name)}==.*(?:\n[ \t]+--hash=.*)+", lock, re.MULTILINE)
    if match is None:
        message = f"requirements.lock does not hold {name}"
        raise ValueError(message)
    return match.group(0) + "\n"


def stray_hosts(lock: str) -> list[str]:
    """Find lines of the lock that name a host: a lock must work with any index."""
    return [line for line in lock.splitlines() if "://" in line or line.lstrip().startswith("--index")]


def pip_settings(listing: str) -> dict[str, str]:
    """Read what `pip config list` prints.

    Args:
        listing: Lines such as `global.index-url='…'` and `:env:.index-url='…'`.

    Returns:
        Setting → value; the environment wins over `[install]`, which wins over `[global]`.
    """
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section + "."):
                try:
                    found[key[len(section) + 1 :]] = str(ast.literal_eval(value))
                except (ValueError, SyntaxError):
                    found[key[len(section) + 1 :]] = value.strip("'\"")
    return found


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Say to uv what pip was told; what is said to uv directly stays as it is.

    Args:
        settings: pip's settings by their long names.
        environment: The environment to extend.

    Returns:
        A new environment.
    """
    result = dict(environment)

    def offer(name: str, value: str | None) -> None:
        if value:
            result.setdefault(name, value)

    if not result.get("UV_INDEX_URL"):  # uv's older name for the same setting
        offer("UV_DEFAULT_INDEX", settings.get("index-url"))
    if settings.get("extra-index-url"):
        offer("UV_INDEX", " ".join(settings["extra-index-url"].split()))
        # pip looks at all indexes as one; hashes make that safe.
        offer("UV_INDEX_STRATEGY", "unsafe-best-match")
    offer("UV_FIND_LINKS", ",".join(settings.get("find-links", "").split()))
    offer("UV_INSECURE_HOST", " ".join(settings.get("trusted-host", "").split()))
    offer("UV_HTTP_TIMEOUT", settings.get("default-timeout") or settings.get("timeout"))
    offer("SSL_CERT_FILE", settings.get("cert"))
    if settings.get("proxy"):
        offer("ALL_PROXY", settings["proxy"])
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        offer("UV_NO_INDEX", "1")
    # uv must look at this environment, whatever shell it was called from, and may copy where it cannot link.
    result["VIRTUAL_ENV"] = str(ROOT / ".venv")
    offer("UV_LINK_MODE", "copy")
    return result


def missing_venv_advice(debian: bool, administrator: bool) -> tuple[str, list[list[str]]]:  # noqa: FBT001 -- two facts
    """Decide what to do where Python came without `ensurepip`, as Debian and Ubuntu ship it.

    Args:
        debian: This is Debian or a system made from it, with `apt-get`.
        administrator: We may install packages.

    Returns:
        What to tell the person, and the commands to run now (none where they must run them).
    """
    commands = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "python3-venv"]]
    if debian and administrator:
        return "this Python has no venv with pip; installing Debian's python3-venv with apt-get", commands
    if debian:
        order = "sudo apt-get update && sudo apt-get install -y python3-venv"
        return f"this Python has no venv with pip. Run\n\n    {order}\n\nand then the same command again.", []
    text = "this Python can make no virtual environment with pip (module `ensurepip` is missing). Install your system's"
    return f"{text} package for it, or name another Python: make PYTHON=/path/to/python3.11 …", []


# --- what is done -------------------------------------------------------------------------------------------


def check_python() -> None:
    """Refuse a Python that the lock was not made for."""
    if sys.version_info[:2] < LOWEST_PYTHON:
        have = ".".join(str(number) for number in sys.version_info[:3])
        give_up(f"Python 3.11 or newer is needed, this is {have}. Name another one: make PYTHON=/path/to/python3.11 …")


def venv_python(venv: Path) -> Path:
    """The environment's own interpreter."""
    return venv / "bin" / "python"


def works(python: Path) -> bool:
    """Tell whether the interpreter runs and is of this Python's version."""
    said = output([str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return said is not None and said.strip() == "{}.{}".format(*sys.version_info[:2])


def has_ensurepip() -> bool:
    """Tell whether `python -m venv` can bring pip along (Debian moves that into a package of its own)."""
    return output([sys.executable, "-c", "import ensurepip, venv"]) is not None


def provide_ensurepip() -> None:
    """Install Debian's python3-venv where we may; otherwise say the command and end."""
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
    """Make the virtual environment, or keep one that works."""
    if works(venv_python(venv)):
        return
    if not has_ensurepip():
        provide_ensurepip()
    say(f"making the environment {venv.name} with {sys.executable}")
    if not run([sys.executable, "-m", "venv", "--clear", str(venv)]):
        give_up("`python -m venv` failed; its messages are above")


def pip_command(venv: Path) -> list[str] | None:
    """Find a pip that installs into the environment: its own, or this Python's."""
    own = [str(venv_python(venv)), "-m", "pip"]
    if output([*own, "--version"]) is not None:
        return own
    if output([str(venv_python(venv)), "-m", "ensurepip", "--default-pip"]) is not None:
        return own
    outer = [sys.executable, "-m", "pip", "--python", str(venv_python(venv))]
    return outer if output([*outer, "--version"]) is not None else None


def bring_uv(venv: Path, lock: str) -> None:
    """Install uv into the environment at the version and hashes of the lock."""
    entry = lock_entry(lock, "uv")
    wanted = re.match(r"uv==([\w.]+)", entry)
    have = output([str(venv / "bin" / "uv"), "--version"]) or ""
    if wanted and have.split()[1:2] == [wanted.group(1)]:
        return
    pip = pip_command(venv)
    if pip is None:
        give_up(f"there is no pip for {venv.name}; run `make clean` and the same command again")
    say("installing uv " + (wanted.group(1) if wanted else ""))
    with tempfile.TemporaryDirectory() as folder:
        wish = Path(folder) / "uv.txt"
        wish.write_text(entry, encoding="utf-8")
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        if not run([*pip, "install", *options, "--only-binary", ":all:", "-r", str(wish)]):
            give_up("pip could not install uv; its messages are above (is there a network, or a package index?)")


def environment_for_uv(venv: Path) -> dict[str, str]:
    """The environment uv runs in, with pip's settings handed on."""
    pip = pip_command(venv)
    listing = (output([*pip, "config", "list"]) if pip else None) or ""
    return uv_environment(pip_settings(listing), os.environ)


def install_packages(venv: Path) -> None:
    """Install the lock with hashes, and nothing else."""
    say("installing the locked packages (the first time takes a few minutes)")
    sync = [str(venv / "bin" / "uv"), "pip", "sync", "--python", str(venv_python(venv))]
    if not run([*sync, "--require-hashes", str(LOCK)], environment_for_uv(venv)):
        give_up("uv could not install the locked packages; its messages are above (is there a network?)")


def install_project(venv: Path) -> None:
    """Install the project itself with the build backend that the lock brought; this needs no network."""
    project = [str(venv / "bin" / "uv"), "pip", "install", "--python", str(venv_python(venv))]
    project += ["--no-deps", "--no-build-isolation", "--offline", "-e", str(ROOT)]
    if not run(project, uv_environment({}, os.environ)):
        give_up("uv could not install the project; its messages are above")


def build() -> None:
    """Bring `.venv` to the state of the lock, doing nothing where it is there."""
    venv = ROOT / ".venv"
    packages, project = environment_stamp(
        LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), tuple(sys.version_info[:3])
    )
    stamp = venv / ".bootstrap-stamp"
    kept = stamp.read_text(encoding="ascii").split("\n") if stamp.is_file() and works(venv_python(venv)) else []
    if kept[:2] == [packages, project]:
        return
    if kept[:1] != [packages]:
        make_venv(venv)
        bring_uv(venv, LOCK.read_text(encoding="utf-8"))
        install_packages(venv)
    install_project(venv)
    stamp.write_text(f"{packages}\n{project}\n", encoding="ascii")
    say(f"the environment {venv.name} is ready")


def relock() -> None:
    """Resolve the locks again and refuse one that names a host."""
    venv = ROOT / ".venv"
    for name, command in LOCKS.items():
        say("running: uv " + command)
        if not run([str(venv / "bin" / "uv"), *command.split()], environment_for_uv(venv)):
            give_up("uv could not resolve the lock; its messages are above")
        stray = stray_hosts((ROOT / name).read_text(encoding="utf-8"))
        if stray:
            give_up(f"{name} names a host:\n" + "\n".join(stray))


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the environment, or with `--lock` make the lock anew."""
    parser = argparse.ArgumentParser(description="Build the environment in .venv from requirements.lock.")
    parser.add_argument("--lock", action="store_true", help="resolve the locks again from pyproject.toml")
    wish = parser.parse_args(arguments)
    check_python()
    if wish.lock:
        relock()
    else:
        build()


if __name__ == "__main__":
    main()
