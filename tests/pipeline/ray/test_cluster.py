"""The files that start a cluster: no engine for them is at hand, so what can be read is read with care."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from grader.cli.app import app

ROOT = Path(__file__).parents[3]
TOOLS = Path(sys.executable).parent
DOCKERFILE = ROOT / "docker" / "gpu-runner.Dockerfile"
SCRIPT = ROOT / "cluster" / "slurm.sbatch"
MANIFEST = ROOT / "cluster" / "kuberay.yaml"
LOCKED = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "docker" / "gpu-runner.lock").read_text(), re.MULTILINE))


def lint(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def options() -> set[str]:
    """Options of `grader grade`."""
    whole: Any = get_command(app)
    grade = whole.commands["grade"]
    return {name for param in grade.params for name in (*param.opts, *param.secondary_opts)}


def manifest() -> dict[str, Any]:
    return {part["kind"]: part for part in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))}


def groups() -> list[Any]:
    cluster = manifest()["RayJob"]["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_the_dockerfile_has_nothing_that_its_linter_minds() -> None:
    assert lint(TOOLS / "hadolint", "--failure-threshold", "style", DOCKERFILE) == ""


def test_what_the_dockerfile_copies_is_there_and_its_image_is_pinned() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    assert copied
    assert [name for words in copied for name in words if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {path.split("/")[0] for path in packed} <= {name for words in copied for name in words}
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", image) for image in images)
    assert re.search(r"^USER [1-9]\d*:", text, re.MULTILINE)


def test_the_image_has_what_was_tried_together_and_cuda() -> None:
    tried = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert LOCKED["tensorflow"] == tried["tensorflow-cpu"]
    assert "nvidia-cudnn-cu12" in LOCKED
    assert "tensorflow-cpu" not in LOCKED
    assert {name: LOCKED.get(name) for name in ("keras", "tf-keras", "ray")} == {
        name: tried[name] for name in ("keras", "tf-keras", "ray")
    }
    assert manifest()["RayJob"]["spec"]["rayClusterSpec"]["rayVersion"] == LOCKED["ray"]


@pytest.mark.parametrize(
    "command", [["bash", "-n"], [str(TOOLS / "shellcheck"), "--severity=style"]], ids=lambda c: c[0]
)
def test_the_script_for_slurm_has_nothing_that_a_shell_or_its_linter_minds(command: list[str]) -> None:
    assert lint(*command, SCRIPT) == ""


def test_the_settings_for_slurm_come_before_the_first_command() -> None:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    settings = [n for n, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert settings
    assert max(settings) < first


@pytest.mark.parametrize("path", [SCRIPT, MANIFEST], ids=lambda path: path.name)
def test_options_of_the_grader_are_ones_that_it_has(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    calls = re.findall(r"\bgrader grade .*(?:\n +--.*)*", text, re.MULTILINE)
    assert calls
    used = {word for call in calls for word in re.findall(r"(?<=\s)--[a-z-]+", call)}
    assert {"--engine", "--address", "--out"} <= used <= options()


def test_the_manifest_s_names_fit_each_other() -> None:
    parts = manifest()
    claim = parts["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    chosen = parts["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    entry = parts["RayJob"]["spec"]["entrypoint"]
    for group in groups():
        pod = group["template"]
        assert chosen.items() <= pod["metadata"]["labels"].items()
        claims = {
            v["name"]: v["persistentVolumeClaim"]["claimName"]
            for v in pod["spec"]["volumes"]
            if "persistentVolumeClaim" in v
        }
        assert set(claims.values()) == {claim["metadata"]["name"]}
        (container,) = pod["spec"]["containers"]
        places = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
        assert set(places) == {v["name"] for v in pod["spec"]["volumes"]}
        (shared,) = (places[name] for name in claims)
        assert f"--out {shared}/" in entry
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"]


def test_only_pods_that_execute_student_code_have_a_gpu_and_what_the_sandbox_needs() -> None:
    head, worker = (group["template"]["spec"] for group in groups())
    assert groups()[0]["rayStartParams"]["num-cpus"] == "0"
    assert "nvidia.com/gpu" not in head["containers"][0]["resources"]["limits"]
    assert worker["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "procMount" not in head["containers"][0]["securityContext"]
    assert worker["containers"][0]["securityContext"]["procMount"] == "Unmasked"
    assert worker["hostUsers"] is False
    assert "privileged" not in MANIFEST.read_text(encoding="utf-8")
