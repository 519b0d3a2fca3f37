"""Compare the locked packages with the database of known vulnerabilities, by `pip-audit`.

`make audit` calls it. It is not a part of the gate: the database changes without a change of the project, and many
machines cannot reach it. pip-audit itself ends with 0 if it skips every package, so its exit code is not used.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bootstrap import environment_for_uv

__all__ = ["Verdict", "main", "verdict"]

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PACKAGE = "pip-audit>=2.10,<3"
_LISTED = 5
"""Number of packages to name of those about which nothing is known."""


@dataclass(frozen=True)
class Verdict:
    """The result of an audit."""

    code: int
    """Exit code: 0 no known vulnerability, 1 at least one, 2 unknown."""
    lines: tuple[str, ...]
    """Text for the terminal."""


def verdict(output: str, errors: str) -> Verdict:
    """Decide what the output of pip-audit means.

    Args:
        output: Its standard output with `--format json`.
        errors: Its standard error, for the reason if there is no output.
    """
    try:
        packages: list[dict[str, Any]] = [*json.loads(output)["dependencies"]]
    except (ValueError, KeyError, TypeError):
        lines = [line.strip() for line in errors.splitlines() if any(map(str.isalpha, line))]
        reason = lines[-1] if lines else "pip-audit printed no report"
        return Verdict(2, ("UNKNOWN: the database of vulnerabilities could not be asked.", reason[:500]))
    affected = [line for package in packages for line in _vulnerabilities(package)]
    skipped = [str(package.get("name")) for package in packages if "skip_reason" in package]
    if affected:
        return Verdict(1, (f"{len(affected)} known vulnerabilities:", *affected, *_unknown(skipped, packages)))
    if skipped or not packages:
        return Verdict(2, _unknown(skipped, packages))
    return Verdict(0, (f"No known vulnerability in {len(packages)} packages.",))


def _vulnerabilities(package: dict[str, Any]) -> list[str]:
    """Describe the vulnerabilities of a package, one a line."""
    return [
        f"  {package['name']} {package['version']}: {one['id']}, fixed in "
        f"{', '.join(one.get('fix_versions') or []) or 'no version yet'}"
        for one in package.get("vulns") or []
    ]


def _unknown(skipped: Sequence[str], packages: Sequence[object]) -> tuple[str, ...]:
    """Say about how many packages nothing is known; nothing if that is none."""
    if packages and not skipped:
        return ()
    names = f" ({', '.join(skipped[:_LISTED])}{' …' if len(skipped) > _LISTED else ''})" if skipped else ""
    return (
        f"UNKNOWN: the database has no answer about {len(skipped)} of {len(packages)} packages{names}.",
        "It could not be reached, or the package index of this machine does not pass it on. Try another network.",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pip-audit for the lock, and print the verdict; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi", help="the database to ask")
    service: str = parser.parse_args(arguments).service
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "tool", "run", "--from", PACKAGE, "pip-audit", "--requirement", str(LOCK), "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--vulnerability-service", service]
    environment = environment_for_uv(Path(sys.prefix))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    result = verdict(done.stdout, done.stderr)
    print("\n".join(result.lines))
    return result.code


if __name__ == "__main__":
    sys.exit(main())
