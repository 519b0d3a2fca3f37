"""A small imitation of a runner of GitHub Actions: it executes the `run` steps of a composite action.

It knows what this project's action uses: expressions with inputs, outputs of steps and the two conditions of uploads.
Steps that use other actions are imitated by functions, which the caller names.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ActionRun", "Runner"]

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
Imitation = Callable[["Runner", Mapping[str, str]], Mapping[str, str]]
"""Imitates an action: takes the runner and the values under `with`, returns the outputs of the step."""


@dataclass(frozen=True)
class ActionRun:
    """The result of an action in a job."""

    code: int
    log: str
    summary: str
    outputs: Mapping[str, str]


@dataclass
class Runner:
    """A job on a runner.

    Attributes:
        action: Folder of the action.
        workspace: Folder of the checked out repository.
        temp: The runner's folder for temporary files.
        home: The home of its user.
        imitations: Name of an action without its version → the function that imitates it.
        prefix: Command that runs each step as another user; empty for the user of the test.
        path: Value of PATH.
    """

    action: Path
    workspace: Path
    temp: Path
    home: Path
    imitations: Mapping[str, Imitation]
    prefix: tuple[str, ...] = ()
    path: str = os.environ.get("PATH", "")
    steps: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, inputs: Mapping[str, str]) -> ActionRun:
        """Run the action; a failed step ends it."""
        action = yaml.safe_load((self.action / "action.yml").read_text(encoding="utf-8"))
        missing = {name for name, one in action["inputs"].items() if one.get("required") and name not in inputs}
        assert not missing, missing
        assert not set(inputs) - set(action["inputs"])
        given = {name: str(inputs.get(name, one.get("default", ""))) for name, one in action["inputs"].items()}
        files = {name: self._file(name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        log, code = "", 0
        for step in action["runs"]["steps"]:
            if "if" in step and not self.holds(step["if"], given):
                continue
            files["GITHUB_OUTPUT"].write_text("", encoding="utf-8")
            if "uses" in step:
                values = {name: self._filled(str(value), given) for name, value in step.get("with", {}).items()}
                outputs = dict(self.imitations[step["uses"].partition("@")[0]](self, values))
            else:
                done = self._shell(step, given, files)
                log, code = log + done.stdout, done.returncode
                lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
                outputs = dict(line.split("=", 1) for line in lines)
            if "id" in step:
                self.steps[step["id"]] = outputs
            if code:
                break
        results = {name: self._filled(one["value"], given) for name, one in action.get("outputs", {}).items()}
        return ActionRun(code, log, files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8"), results)

    def _file(self, name: str) -> Path:
        path = self.temp / name.lower()
        path.write_text("", encoding="utf-8")
        path.chmod(0o666)
        return path

    def _shell(
        self, step: Mapping[str, Any], given: Mapping[str, str], files: Mapping[str, Path]
    ) -> subprocess.CompletedProcess[str]:
        script = self.temp / "step.sh"
        script.write_text(self._filled(step["run"], given), encoding="utf-8")
        script.chmod(0o755)
        assert step["shell"] == "bash"
        environment = {
            "PATH": self.path,
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_TEMP": str(self.temp),
            **{name: str(path) for name, path in files.items()},
            **{name: self._filled(str(value), given) for name, value in step.get("env", {}).items()},
        }
        return subprocess.run(
            [*self.prefix, "/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )

    def _filled(self, text: str, given: Mapping[str, str]) -> str:
        return _EXPRESSION.sub(lambda match: self._value(match[1], given), text)

    def _value(self, expression: str, given: Mapping[str, str]) -> str:
        parts = expression.split(".")
        if parts[0] == "inputs":
            return given[parts[1]]
        assert parts[0] == "steps", expression
        assert parts[2] == "outputs", expression
        return self.steps[parts[1]].get(parts[3], "")

    def holds(self, condition: str, given: Mapping[str, str]) -> bool:
        """Whether the values that the condition of a step names are not empty."""
        parts = [part.strip().removesuffix(" != ''") for part in condition.split("&&")]
        return all(self._value(part, given) != "" for part in parts)
