"""What the doctor makes of a machine."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from grader.cli.doctor import DoctorLine, Probes, describe_gpu, diagnose, probe_machine
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.gpus import Gpu
from tests.support.command import grader

PACKAGES = {
    "tensorflow-cpu": "2.21.0",
    "tensorflow": None,
    "keras": "3.15.1",
    "tf_keras": "2.21.0",
    "ipykernel": "7.4.0",
    "matplotlib": "3.11.2",
    "pandas": "3.1.1",
    "scikit-learn": "1.9.1",
}
GOOD = Probes(
    python=(3, 11, 2),
    packages=PACKAGES,
    bubblewrap="/usr/bin/bwrap",
    sandbox_problem=None,
    user_namespaces=60_000,
    gpus=(),
    datasets={"mnist": "package"},
    memory=16 << 30,
    disk_free=50 << 30,
    cores=2,
    temp_folder="/tmp",  # noqa: S108 -- a name, nothing is written
    administrator=False,
    installer="apt-get",
)


def line(probes: Probes, name: str) -> DoctorLine:
    return next(found for found in diagnose(probes) if found.name == name)


def test_a_good_machine_has_nothing_to_mend() -> None:
    lines = diagnose(GOOD)
    assert {found.verdict for found in lines} == {"ok"}
    assert all(not found.mend for found in lines)
    assert len({found.name for found in lines}) == len(lines)


@pytest.mark.parametrize(
    ("change", "name", "verdict", "mend"),
    [
        ({"python": (3, 10, 1)}, "Python", "fail", "PYTHON="),
        ({"python": (3, 12, 1)}, "Python", "ok", ""),
        ({"packages": PACKAGES | {"tensorflow-cpu": None}}, "TensorFlow", "fail", "'tensorflow-cpu==2.21.*'"),
        ({"packages": PACKAGES | {"tensorflow-cpu": "2.19.0"}}, "TensorFlow", "warn", "'tensorflow-cpu==2.21.*'"),
        ({"packages": PACKAGES | {"keras": None}}, "Keras 3", "fail", "'keras==3.15.*'"),
        ({"packages": PACKAGES | {"tf_keras": None}}, "Keras 2", "warn", "'tf_keras==2.21.*'"),
        ({"packages": PACKAGES | {"pandas": None}}, "kernel packages", "warn", "install 'pandas'"),
        ({"packages": PACKAGES | {"ipykernel": None}}, "kernel packages", "fail", "install 'ipykernel'"),
        ({"bubblewrap": None}, "sandbox", "fail", "sudo apt-get install -y bubblewrap"),
        ({"bubblewrap": None, "administrator": True}, "sandbox", "fail", "apt-get install -y bubblewrap"),
        ({"bubblewrap": None, "installer": "dnf"}, "sandbox", "fail", "sudo dnf install -y bubblewrap"),
        ({"sandbox_problem": "setting up uid map: Permission denied"}, "sandbox", "fail", "apparmor"),
        ({"sandbox_problem": "No permissions", "user_namespaces": 0}, "sandbox", "fail", "max_user_namespaces"),
        ({"sandbox_problem": "Operation not permitted"}, "sandbox", "fail", "--security-opt"),
        ({"user_namespaces": 0}, "user namespaces", "fail", "sudo sysctl"),
        ({"user_namespaces": 0, "administrator": True}, "user namespaces", "warn", "sysctl"),
        ({"user_namespaces": None}, "user namespaces", "warn", ""),
        ({"call_filter": "unreported"}, "system calls", "warn", "Linux 5.0"),
        ({"call_filter": "missing", "call_filter_reason": "none for riscv64"}, "system calls", "warn", "x86-64 or ARM"),
        ({"call_filter": "open"}, "system calls", "warn", "CONFIG_SECCOMP_FILTER"),
        ({"call_filter": "unknown", "call_filter_reason": "busy"}, "system calls", "warn", "less to do"),
        ({"groups_problem": "G is read-only"}, "limits of sandboxes", "warn", "remount,rw"),
        ({"groups_problem": "it has only version 1"}, "limits of sandboxes", "warn", "unified_cgroup_hierarchy=1"),
        ({"groups_problem": "no", "systemd": True}, "limits of sandboxes", "warn", "--user --scope -p Delegate=yes"),
        (
            {"groups_problem": "no", "systemd": True, "administrator": True},
            "limits of sandboxes",
            "warn",
            "systemd-run --scope",
        ),
        ({"groups_problem": "no", "engine": "docker"}, "limits of sandboxes", "warn", "--cgroupns=private --cap-add"),
        ({"groups_problem": "no", "engine": "podman"}, "limits of sandboxes", "warn", "--systemd=always"),
        ({"gpus": ("NVIDIA T4, 15360 MiB",)}, "GPU", "warn", "cnn-grader[gpu]"),
        ({"datasets": {"mnist": None}}, "data: mnist", "fail", "grader data fetch mnist"),
        ({"datasets": {"cifar10": None}}, "data: cifar10", "warn", "grader data fetch cifar10"),
        ({"memory": 1 << 30}, "memory", "fail", ""),
        ({"memory": 4 << 30}, "memory", "warn", "memory: 3 GiB"),
        ({"disk_free": 1 << 20}, "disk", "fail", "TMPDIR"),
        ({"disk_free": 2 << 30}, "disk", "warn", "TMPDIR"),
        ({"cores": 1}, "cores", "warn", ""),
        ({"recorder": {"keras3": ()}}, "recorder: Keras 3", "ok", ""),
        ({"recorder": {"keras3": ("the hook `Model.fit` …",)}}, "recorder: Keras 3", "fail", "'keras==3.15.*'"),
        ({"recorder": {"keras2": ("x",) * 9}}, "recorder: Keras 2", "fail", "'tf_keras==2.21.*'"),
        ({"temp_folder": "/var/" + "x" * 60}, "socket path", "fail", "export TMPDIR=/tmp"),
    ],
)
def test_each_want_has_its_verdict_and_the_command_that_mends_it(
    change: dict[str, object], name: str, verdict: str, mend: str
) -> None:
    found = line(replace(GOOD, **change), name)  # type: ignore[arg-type]  # the names are Probes' own
    assert found.verdict == verdict
    assert mend in found.mend
    assert bool(mend) == bool(found.mend)
    assert found.found


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (Device("gpu", 0, "GPU 0"), "GPU 0"),
        (Device("gpu", 0, "T4", Gpu(0, "T4", "GPU-1", 0, 15360)), "T4, 15360 MiB, at most 3 at a time"),
        (
            Device("gpu", 0, "A100 MIG 1g.5gb", Gpu(0, "A100 MIG 1g.5gb", "MIG-1", 0, 4864, (7, 0), "GPU-1")),
            "A100 MIG 1g.5gb, 4864 MiB, at most 1 at a time",
        ),
    ],
)
def test_a_gpu_is_described_with_the_notebooks_that_fit_into_it(device: Device, text: str) -> None:
    assert describe_gpu(device) == text


def test_a_gpu_with_its_own_tensorflow_is_good() -> None:
    packages = PACKAGES | {"tensorflow-cpu": None, "tensorflow": "2.21.0"}
    probes = replace(GOOD, packages=packages, gpus=("NVIDIA T4, 15360 MiB",))
    assert line(probes, "GPU").verdict == "ok"
    assert line(probes, "TensorFlow").verdict == "ok"


def test_this_machine_can_be_looked_at_and_the_lines_are_json(tmp_path: Path) -> None:
    asked = []

    def sandbox() -> str | None:
        asked.append(True)
        return "a trial that failed"

    probes = probe_machine(datasets={"mnist": "package"}, sandbox=sandbox, temp_folder=tmp_path)
    assert probes.python == sys.version_info[:3]
    assert probes.memory > 0
    assert probes.cores >= 1
    assert probes.packages["ipykernel"]
    assert bool(asked) == (probes.bubblewrap is not None)
    lines = json.loads(json.dumps([asdict(found) for found in diagnose(probes)]))
    assert {"name", "verdict", "found", "mend"} == set(lines[0])


def test_the_doctor_does_not_import_tensorflow() -> None:
    program = (
        "import sys; from grader.cli.doctor import probe_machine, diagnose\n"
        "diagnose(probe_machine(datasets={}, sandbox=lambda: None))\n"
        "print(any(name.split('.')[0] in {'tensorflow', 'keras', 'tf_keras'} for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_doctor_says_what_there_is_and_the_command_that_mends_what_is_not(tmp_path: Path) -> None:
    done = grader("doctor", "--json")
    told = {line["name"]: line for line in json.loads(done.out)}
    expected = {"Python", "TensorFlow", "Keras 3", "Keras 2", "sandbox", "GPU", "memory", "disk", "data: mnist"}
    assert expected <= set(told)
    if told["sandbox"]["verdict"] == "ok":
        # A real trial of both dialects.
        for name in ("recorder: Keras 3", "recorder: Keras 2"):
            assert told[name]["verdict"] == "ok", told[name]["found"]
    assert done.code == (3 if any(line["verdict"] == "fail" for line in told.values()) else 0)
    assert all(line["mend"] or line["name"] == "cores" for line in told.values() if line["verdict"] != "ok")
    for name in ("dpkg", "apt-get"):
        (tmp_path / name).touch(mode=0o755)
    done = grader("doctor", env={"PATH": str(tmp_path), "COLUMNS": "60"})
    assert done.code == 3
    assert "bubblewrap is not installed" in " ".join(done.out.split())
    assert any(line.endswith("apt-get install -y bubblewrap") for line in done.out.splitlines())
