"""Check this machine, and suggest the command that fixes each problem.

`probe_machine` collects facts (it starts `nvidia-smi` and reads files), and `diagnose` judges them. TensorFlow is never
imported.
"""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from grader.cli.echo import echo_json
from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.options import JsonOption

if TYPE_CHECKING:
    from grader.execution.sandbox.device import Device
    from grader.execution.sandbox.filter_trial import FilterState

__all__ = [
    "DoctorLine",
    "Probes",
    "Verdict",
    "describe_gpu",
    "diagnose",
    "doctor_command",
    "probe",
    "probe_machine",
    "site_line",
]

Verdict = Literal["ok", "warn", "fail"]

_KERNEL_PACKAGES = ("ipykernel", "matplotlib", "pandas", "scikit-learn")
_TESTED = {"tensorflow": "2.21", "keras": "3.15", "tf_keras": "2.21"}
_LOWEST_PYTHON = (3, 11)
_SITE_DEFAULTS = {"jobs": "auto", "isolation": "auto", "device": "auto", "engine": "local", "warm": "auto"}
"""Defaults of the options that a site file sets."""
_GIB = 1 << 30
_SOCKET_LIMIT = 107
"""Longest path of a Unix socket: 108 bytes including the final zero."""
_SOCKET_TAIL = 48
"""Bytes after the temporary folder: the run's folder and the kernel's channels."""


@dataclass(frozen=True, slots=True)
class DoctorLine:
    """The result of one check."""

    name: str
    verdict: Verdict
    """`ok`; `warn`: works with a limitation; `fail`: grading does not work."""
    found: str
    """Description of the result."""
    mend: str = ""
    """Command that fixes the problem; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Facts about a machine."""

    python: tuple[int, int, int]
    packages: Mapping[str, str | None]
    """Distribution → version, None if it is not installed."""
    bubblewrap: str | None
    """Path of `bwrap`."""
    sandbox_problem: str | None
    """Reason why a trial sandbox did not start; None if it did, or if bubblewrap is missing."""
    user_namespaces: int | None
    """Number of user namespaces that the kernel allows; None if unknown."""
    gpus: tuple[str, ...]
    datasets: Mapping[str, str | None]
    """Data set → its source, None if it is missing."""
    memory: int
    """Bytes that processes may use, including a container's limit."""
    disk_free: int
    """Free bytes in the temporary folder."""
    cores: int
    """Cores that this process may use."""
    temp_folder: str
    administrator: bool
    installer: str | None
    """`apt-get`, `dnf`, `pacman`, `zypper` or `apk`; None if none is installed."""
    recorder: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Dialect → facts that are missing from the record of a trial notebook; only for tested dialects."""
    groups_problem: str = ""
    """Reason why Linux cannot limit sandboxes by control groups; empty if it can."""
    systemd: bool = False
    """Whether systemd manages this machine."""
    engine: Literal["", "docker", "podman"] = ""
    """The engine of the container that this is; empty outside of one."""
    call_filter: "FilterState" = "works"
    """Result of a trial of the filter of system calls."""
    call_filter_reason: str = ""
    """Reason for `missing` and `unknown`."""


def diagnose(probes: Probes) -> tuple[DoctorLine, ...]:
    """Judge the facts about a machine.

    Args:
        probes: The facts.

    Returns:
        One line per check, in the order in which a person should fix them.
    """
    return (
        _python(probes),
        *_tensorflow(probes),
        _kernel_packages(probes),
        _bubblewrap(probes),
        _namespaces(probes),
        *_call_filter(probes),
        _limits(probes),
        *_recorder(probes),
        _gpu(probes),
        *_datasets(probes),
        _memory(probes),
        _disk(probes),
        _cores(probes),
        _sockets(probes),
    )


# --- judging -------------------------------------------------------------------------------------------------


def _python(probes: Probes) -> DoctorLine:
    version = ".".join(map(str, probes.python))
    if probes.python[:2] < _LOWEST_PYTHON:
        return DoctorLine("Python", "fail", f"{version}; required: 3.11 or newer", "make clean demo PYTHON=python3.11")
    if probes.python[:2] > _LOWEST_PYTHON:
        return DoctorLine("Python", "ok", f"{version} (tested with 3.11)")
    return DoctorLine("Python", "ok", version)


def _tensorflow(probes: Probes) -> tuple[DoctorLine, ...]:
    """Check TensorFlow, which has two distributions, and the Keras of each dialect."""
    name = "tensorflow" if probes.packages.get("tensorflow") else "tensorflow-cpu"
    return (
        _version(probes, "TensorFlow", name, _TESTED["tensorflow"]),
        _version(probes, "Keras 3", "keras", _TESTED["keras"]),
        _version(probes, "Keras 2", "tf_keras", _TESTED["tf_keras"]),
    )


def _version(probes: Probes, title: str, package: str, tested: str) -> DoctorLine:
    version = probes.packages.get(package)
    if version is None and title == "Keras 2":
        return DoctorLine(title, "warn", "not installed; Keras 2 notebooks cannot run", _pip(f"{package}=={tested}.*"))
    if version is None:
        return DoctorLine(title, "fail", "not installed; no notebook can run", _pip(f"{package}=={tested}.*"))
    if version.split(".")[:2] != tested.split("."):
        found = f"{package} {version}; the recorder is tested with {tested}"
        return DoctorLine(title, "warn", found, _pip(f"{package}=={tested}.*"))
    return DoctorLine(title, "ok", f"{package} {version}")


def _pip(*packages: str) -> str:
    return "python -m pip install " + " ".join(f"'{package}'" for package in packages)


def _kernel_packages(probes: Probes) -> DoctorLine:
    missing = [package for package in _KERNEL_PACKAGES if not probes.packages.get(package)]
    if not missing:
        return DoctorLine("kernel packages", "ok", ", ".join(f"{p} {probes.packages[p]}" for p in _KERNEL_PACKAGES))
    verdict: Verdict = "fail" if "ipykernel" in missing else "warn"
    return DoctorLine("kernel packages", verdict, f"missing: {', '.join(missing)}", _pip(*missing))


_INSTALL = {
    "apt-get": "apt-get install -y",
    "dnf": "dnf install -y",
    "pacman": "pacman -S --noconfirm",
    "zypper": "zypper install -y",
    "apk": "apk add",
}


def _bubblewrap(probes: Probes) -> DoctorLine:
    sudo = "" if probes.administrator else "sudo "
    if probes.bubblewrap is None:
        command = sudo + _INSTALL.get(probes.installer or "apt-get", _INSTALL["apt-get"]) + " bubblewrap"
        return DoctorLine("sandbox", "fail", "bubblewrap is not installed; untrusted notebooks are refused", command)
    if probes.sandbox_problem is not None:
        found = f"{probes.bubblewrap} is installed, but no sandbox starts: {probes.sandbox_problem}"
        return DoctorLine("sandbox", "fail", found, _namespace_command(probes, sudo))
    return DoctorLine("sandbox", "ok", f"{probes.bubblewrap}, and a trial sandbox started")


def _namespace_command(probes: Probes, sudo: str) -> str:
    """Find the command that enables bubblewrap where namespaces are disabled, by AppArmor or in a container."""
    if probes.user_namespaces == 0:
        return f"{sudo}sysctl -w user.max_user_namespaces=15000"
    if "apparmor" in (probes.sandbox_problem or "").lower() or "uid map" in (probes.sandbox_problem or "").lower():
        return f"{sudo}sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    return "in a container: start it with `--security-opt seccomp=unconfined --cap-add SYS_ADMIN`"


def _namespaces(probes: Probes) -> DoctorLine:
    title = "user namespaces"
    if probes.user_namespaces is None:
        return DoctorLine(title, "warn", "unknown; see the trial sandbox above")
    if probes.user_namespaces == 0:
        # As root, bubblewrap does not need user namespaces.
        verdict: Verdict = "warn" if probes.administrator else "fail"
        sudo = "" if probes.administrator else "sudo "
        return DoctorLine(title, verdict, "disabled", f"{sudo}sysctl -w user.max_user_namespaces=15000")
    return DoctorLine(title, "ok", f"up to {probes.user_namespaces:,}")


def _call_filter(probes: Probes) -> tuple[DoctorLine, ...]:
    """Judge the trial of the filter of system calls; without a sandbox there was none."""
    if probes.bubblewrap is None or probes.sandbox_problem is not None:
        return ()
    title, walls = "system calls", "sandboxes rely on namespaces and missing rights alone"
    if probes.call_filter == "works":
        found = "a call that is not allowed was refused and reported"
        return (DoctorLine(title, "ok", found),)
    if probes.call_filter == "unreported":
        found = "a call that is not allowed was refused, but Linux did not report it; no report names refused calls"
        mend = "use Linux 5.0 or newer, outside of a container whose engine listens to system calls itself"
    elif probes.call_filter == "missing":
        found = f"no filter: {probes.call_filter_reason}; {walls}"
        mend = "grade on a machine with an x86-64 or ARM 64 processor"
    elif probes.call_filter == "open":
        found = f"a call that is not allowed was not refused; {walls}"
        mend = "use bubblewrap 0.1 or newer, and a Linux with CONFIG_SECCOMP_FILTER"
    else:
        found, mend = f"not known: {probes.call_filter_reason}", "grader doctor, when this machine has less to do"
    return (DoctorLine(title, "warn", found, mend),)


def _limits(probes: Probes) -> DoctorLine:
    title = "limits of sandboxes"
    if not probes.groups_problem:
        found = "Linux limits memory, processes and processor time of each sandbox (control groups)"
        return DoctorLine(title, "ok", found)
    found = (
        f"{probes.groups_problem}; so memory and processes are measured five times per second, memory that belongs to "
        "no process is estimated, and shares of processor time rest on cores and priorities"
    )
    return DoctorLine(title, "warn", found, _delegating_command(probes))


def _delegating_command(probes: Probes) -> str:
    """Find the command that lets the grader make control groups."""
    if "version 1" in probes.groups_problem:
        return "start Linux with the parameters `systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all`"
    if probes.engine == "podman":
        return "start the container with `podman run --cgroupns=private --systemd=always …`"
    if probes.engine == "docker":
        return (
            "start the container with `docker run --cgroupns=private --cap-add SYS_ADMIN --security-opt "
            "seccomp=unconfined --security-opt apparmor=unconfined …`, then run `mount -o remount,rw /sys/fs/cgroup`"
        )
    if probes.systemd:
        user = "" if probes.administrator else "--user "
        return f"systemd-run {user}--scope -p Delegate=yes grader grade …; in a service: `Delegate=yes`"
    return "as root: `mount -o remount,rw /sys/fs/cgroup`"


_KERAS = {"keras3": ("Keras 3", "keras"), "keras2": ("Keras 2", "tf_keras")}
_MOST_LACKS = 5


def _recorder(probes: Probes) -> tuple[DoctorLine, ...]:
    """Judge the trial notebooks, because a Keras release may change functions that the recorder hooks."""
    lines = []
    for dialect, problems in probes.recorder.items():
        title, package = _KERAS[dialect]
        name = f"recorder: {title}"
        if problems:
            more = f"; and {len(problems) - _MOST_LACKS} more" if len(problems) > _MOST_LACKS else ""
            found = f"nothing can be graded: {'; '.join(problems[:_MOST_LACKS])}{more}"
            lines.append(DoctorLine(name, "fail", found, _pip(f"{package}=={_TESTED[package]}.*")))
        else:
            lines.append(DoctorLine(name, "ok", "the record of a trial notebook has all facts that the checks read"))
    return tuple(lines)


def _gpu(probes: Probes) -> DoctorLine:
    if not probes.gpus:
        return DoctorLine("GPU", "ok", "none; notebooks run on the CPU")
    if probes.packages.get("tensorflow-cpu"):
        found = f"{', '.join(probes.gpus)}, but this TensorFlow is for the CPU only"
        return DoctorLine("GPU", "warn", found, _pip("cnn-grader[gpu]"))
    return DoctorLine("GPU", "ok", ", ".join(probes.gpus))


def _datasets(probes: Probes) -> tuple[DoctorLine, ...]:
    """Check data sets: a missing one affects only rubrics that use it; MNIST is distributed with the grader."""
    lines = []
    for name, source in probes.datasets.items():
        if source is not None:
            lines.append(DoctorLine(f"data: {name}", "ok", f"from {source}"))
        else:
            verdict: Verdict = "fail" if name == "mnist" else "warn"
            found = "not on this machine; rubrics that use it cannot be graded, unless they allow a stand-in"
            lines.append(DoctorLine(f"data: {name}", verdict, found, f"grader data fetch {name}"))
    return tuple(lines)


def _memory(probes: Probes) -> DoctorLine:
    found = f"{probes.memory / _GIB:.1f} GiB"
    if probes.memory < 2 * _GIB:
        return DoctorLine("memory", "fail", f"{found}; one training needs about 2 GiB")
    if probes.memory < 6 * _GIB:
        hint = "set `run: {memory: 3 GiB}` in the rubric"
        return DoctorLine("memory", "warn", f"{found}; by default a notebook may use 6 GiB", hint)
    return DoctorLine("memory", "ok", found)


def _disk(probes: Probes) -> DoctorLine:
    found = f"{probes.disk_free / _GIB:.1f} GiB free in {probes.temp_folder}"
    if probes.disk_free < _GIB:
        return DoctorLine("disk", "fail", found, "export TMPDIR=/a/folder/with/space")
    if probes.disk_free < 5 * _GIB:
        return DoctorLine("disk", "warn", found, "export TMPDIR=/a/folder/with/space")
    return DoctorLine("disk", "ok", found)


def _cores(probes: Probes) -> DoctorLine:
    if probes.cores < 2:  # noqa: PLR2004 -- one for the notebook, one for the grader
        return DoctorLine("cores", "warn", f"{probes.cores}; trainings will be slow")
    return DoctorLine("cores", "ok", str(probes.cores))


def _sockets(probes: Probes) -> DoctorLine:
    """Check the length of socket paths in the temporary folder, which the system limits."""
    length = len(os.fsencode(probes.temp_folder))
    found = f"{probes.temp_folder} ({length} bytes)"
    if length + _SOCKET_TAIL > _SOCKET_LIMIT:
        return DoctorLine("socket path", "fail", f"{found} is too long for a socket's path", "export TMPDIR=/tmp")
    return DoctorLine("socket path", "ok", found)


# --- looking -------------------------------------------------------------------------------------------------


def probe_machine(
    *,
    datasets: Mapping[str, str | None],
    sandbox: Callable[[], str | None],
    recorder: Callable[[], Mapping[str, tuple[str, ...]]] = dict,
    call_filter: "Callable[[], tuple[FilterState, str]]" = lambda: ("works", ""),
    temp_folder: Path | None = None,
) -> Probes:
    """Collect facts about this machine.

    Args:
        datasets: Data set → its source, None if it is missing.
        sandbox: Starts a trial sandbox; returns None if it worked, else the reason.
        recorder: Executes the trial notebooks; called if a sandbox starts.
        call_filter: Tries the filter of system calls; called if a sandbox starts. Returns the state and a reason.
        temp_folder: Temporary folder; by default the system's.
    """
    temp = temp_folder or Path(tempfile.gettempdir())
    bubblewrap = shutil.which("bwrap")
    sandbox_problem = sandbox() if bubblewrap else None
    starts = bubblewrap is not None and sandbox_problem is None
    filter_state, filter_reason = call_filter() if starts else ("works", "")
    return Probes(
        python=(sys.version_info.major, sys.version_info.minor, sys.version_info.micro),
        packages={name: _installed(name) for name in ("tensorflow-cpu", "tensorflow", *_TESTED, *_KERNEL_PACKAGES)},
        bubblewrap=bubblewrap,
        sandbox_problem=sandbox_problem,
        user_namespaces=_user_namespaces(),
        gpus=_gpus(),
        datasets=datasets,
        memory=_memory_limit(),
        disk_free=shutil.disk_usage(temp).free,
        cores=len(os.sched_getaffinity(0)) if platform.system() == "Linux" else (os.cpu_count() or 1),
        temp_folder=str(temp),
        administrator=os.geteuid() == 0,
        installer=next((name for name in _INSTALL if shutil.which(name)), None),
        recorder=recorder() if starts else {},
        groups_problem=_groups_problem(),
        systemd=Path("/run/systemd/system").is_dir(),
        engine=_engine(),
        call_filter=filter_state,
        call_filter_reason=filter_reason,
    )


def _groups_problem() -> str:
    from grader.execution.sandbox.cgroups import find_delegation

    found = find_delegation(take=False)
    return found if isinstance(found, str) else ""


def _engine() -> Literal["", "docker", "podman"]:
    if Path("/run/.containerenv").exists():
        return "podman"
    return "docker" if Path("/.dockerenv").exists() else ""


def _installed(name: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read_number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _user_namespaces() -> int | None:
    """Read the kernel's limit; 0 if Debian's own switch is off."""
    if _read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0:
        return 0
    return _read_number("/proc/sys/user/max_user_namespaces")


def _memory_limit() -> int:
    """Read the machine's memory, or the limit of the container (control groups version 2 or 1)."""
    import psutil

    limits = [psutil.virtual_memory().total]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = _read_number(path)
        if limit:
            limits.append(limit)
    return min(limits)


def _gpus() -> tuple[str, ...]:
    from grader.execution.sandbox.device import choose_devices

    return tuple(describe_gpu(device) for device in choose_devices("auto") if device.kind == "gpu")


def describe_gpu(device: "Device") -> str:
    """Describe a GPU or MIG instance with its memory and the number of notebooks that fit into it."""
    from grader.execution.sandbox.capacity import gpu_slots

    slots = gpu_slots(device)
    if device.gpu is None or slots is None:
        return device.label
    return f"{device.label}, {device.gpu.memory_mib} MiB, at most {slots} at a time"


def probe() -> Probes:
    """Collect facts about this machine, with a trial sandbox."""
    from grader.cli.site import open_store
    from grader.datasets.store import DatasetStore
    from grader.schema.errors import UsageError

    try:
        store = open_store()
    except UsageError:  # site_line reports it
        store = DatasetStore()
    found = {status.name: status.source for status in store.available()}
    return probe_machine(
        datasets=found, sandbox=_sandbox_problem, recorder=_recorder_problems, call_filter=_filter_trial
    )


def _sandbox_problem() -> str | None:
    from grader.execution.sandbox.choice import choose_isolation
    from grader.schema.errors import IsolationRefusedError

    try:
        choose_isolation("bubblewrap")
    except IsolationRefusedError as error:
        return error.message
    return None


def _filter_trial() -> "tuple[FilterState, str]":
    from grader.execution.sandbox.choice import choose_isolation
    from grader.execution.sandbox.filter_trial import try_filter

    trial = try_filter(choose_isolation("bubblewrap"), Path(sys.executable))
    return trial.state, trial.reason


def _recorder_problems() -> Mapping[str, tuple[str, ...]]:
    """Execute the trial notebook of each installed dialect, without the cache of passed trials."""
    from grader.execution.sandbox.choice import choose_isolation
    from grader.execution.sandbox.device import Device
    from grader.pipeline.canary import DIALECTS, Place, missing_in
    from grader.schema.errors import HarnessError

    place = Place(isolation=choose_isolation("bubblewrap"), device=Device("cpu"), python=Path(sys.executable))

    def problems(dialect: Literal["keras3", "keras2"]) -> tuple[str, ...]:
        try:
            return missing_in(place, dialect)
        except HarnessError as error:
            return (str(error),)

    dialects = [dialect for dialect in DIALECTS if place.has(dialect)]
    with ThreadPoolExecutor(len(DIALECTS)) as pool:
        return dict(zip(dialects, pool.map(problems, dialects), strict=True))


def site_line() -> DoctorLine:
    """Check the site files, and list the defaults in effect."""
    from grader.cli.site import load_site, open_store, site_files
    from grader.schema.errors import UsageError

    try:
        site = load_site()
        data = open_store().root
    except UsageError as error:
        return DoctorLine("site settings", "fail", f"{error.where}: {error.message}", error.advice)
    settings = site.settings.model_dump(exclude={"version", "data"}, exclude_none=True)
    if address := os.environ.get("RAY_ADDRESS"):
        settings["address"] = f"{address} (from RAY_ADDRESS)"
    source = " (from GRADER_DATA)" if os.environ.get("GRADER_DATA") else ""
    values = {**_SITE_DEFAULTS, **settings, "data": f"{data}{source}"}
    shown = ", ".join(f"{name} {_text(value)}" for name, value in values.items())
    files = ", ".join(map(str, site.files)) or f"no file ({' or '.join(map(str, site_files()))})"
    return DoctorLine("site settings", "ok", f"{files}: {shown}")


def _text(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


# --- the command -----------------------------------------------------------------------------------------------


def doctor_command(*, as_json: JsonOption = False) -> None:
    """Check this machine, and print the commands that fix its problems."""
    from grader.cli.terminal import pairs_table, terminal

    lines = (*diagnose(probe()), site_line())
    if as_json:
        echo_json(json.dumps([asdict(line) for line in lines], indent=1))
    else:
        console = terminal()
        rows = [[line.verdict, line.name, line.found] for line in lines]
        styles = {"ok": "green", "warn": "yellow", "fail": "red"}
        console.print(pairs_table(rows, ("", "check", "result"), styles))
        for line in lines:
            if line.mend:
                # Print commands outside the table: a wrapped command cannot be copied.
                console.print(f"{line.name}: {line.mend}", markup=False, soft_wrap=True)
    raise typer.Exit(HARNESS if any(line.verdict == "fail" for line in lines) else DONE)
