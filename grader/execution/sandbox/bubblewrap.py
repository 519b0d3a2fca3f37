"""Isolates a process with bubblewrap: Linux namespaces, and a filter of system calls.

There are two ways to make the process unprivileged, because a user namespace is unsafe for root. It maps the inner
user to the user who started it, and a process that is root outside can write most of `/proc/sys` (such as
`core_pattern`) even without capabilities. So root starts bubblewrap without a user namespace and changes to an unused
user id (`setpriv`); every other user uses the user namespace.
"""

import os
import random
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import psutil

from grader.execution.sandbox.isolation import (
    PROBE_SECONDS,
    TRANSIENT_IDS,
    Binds,
    IsolationName,
    Mount,
    ProcessLimits,
    chown_tree,
)
from grader.execution.sandbox.scratch import held_folder
from grader.execution.sandbox.seccomp import Form, can_report, filter_path, filter_program, kernel_filters
from grader.schema.errors import SandboxError

__all__ = ["Bubblewrap", "BubblewrapFeatures", "explain_failure", "free_user_id", "host_settings", "working_bubblewrap"]

INNER_ID = 1000
"""User and group inside a user namespace."""
_recent_ids: deque[int] = deque(maxlen=len(TRANSIENT_IDS) // 2)
_ids_lock = threading.Lock()
_ARGUMENTS_DESCRIPTOR, _FILTER_DESCRIPTOR = "8", "9"
_OPEN_ARGUMENTS = f'exec {_ARGUMENTS_DESCRIPTOR}<"$0" && exec "$@"'
_OPEN_BOTH = f'exec {_ARGUMENTS_DESCRIPTOR}<"$0" {_FILTER_DESCRIPTOR}<"$1" && shift && exec "$@"'
"""Shell code: open the files for bubblewrap, then execute bubblewrap."""
_MOST_ARGUMENT_FILES = 128
_argument_files: deque[int] = deque()
"""Descriptors of the latest files with arguments. A sandbox opens its own one right after its start."""
_argument_files_lock = threading.Lock()

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC_FILES = (
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
)
"""Files in /etc that programs need; they contain no passwords, host names or keys."""

_HOST_SETTINGS = {
    "kernel.unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns": "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "user.max_user_namespaces": "/proc/sys/user/max_user_namespaces",
}


@dataclass(frozen=True, slots=True)
class BubblewrapFeatures:
    """Options that depend on the version of bubblewrap."""

    sized_tmpfs: bool
    """`--size` (0.7) and `--perms` (0.5)."""
    disable_userns: bool
    """`--disable-userns` (0.8)."""
    seccomp: bool = True
    """`--seccomp` (0.1)."""


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """Isolation by Linux namespaces through `bwrap`, which need not be installed set-uid."""

    program: str = "bwrap"
    user: Literal["namespace", "transient"] = "namespace"
    """`namespace`: a user namespace; `transient`: root changes to a user id that only this sandbox uses."""
    user_id: int = TRANSIENT_IDS.start
    """User id for `transient`."""
    features: BubblewrapFeatures = BubblewrapFeatures(sized_tmpfs=True, disable_userns=True)
    role: Literal["sandbox", "warm"] = "sandbox"
    """`warm`: for the process that forks kernels and runs no student code; see `for_warm`."""
    started_by: tuple[str, ...] = ()
    """Command in front of bubblewrap, such as `nsenter` with its options."""
    allowed_calls: tuple[str, ...] = ()
    """System calls to allow in addition to those that are always allowed."""
    reports_calls: bool = False
    """Whether the started program installs a filter of its own, and reports refused calls."""
    name: IsolationName = field(default="bubblewrap", init=False)
    moves_paths: bool = field(default=True, init=False)
    kernel_depth: int = field(default=2, init=False)

    def for_run(self) -> "Bubblewrap":
        """Return an isolation with a new user id, so that sandboxes share neither files nor process counts."""
        return self if self.user == "namespace" else replace(self, user_id=free_user_id())

    def for_notebook(self, allowed: Sequence[str]) -> "Bubblewrap":
        """Return an isolation for a notebook's kernel; see `Isolation.for_notebook`."""
        return replace(self, allowed_calls=tuple(allowed), reports_calls=self.features.seccomp and can_report())

    @property
    def call_filters(self) -> tuple[bytes, bytes] | None:
        """The filters that the started program installs; see `Isolation.call_filters`."""
        return kernel_filters(self.allowed_calls) if self.reports_calls else None

    def for_warm(self) -> "Bubblewrap":
        """Return the isolation of a warm process, whose forks enter the namespaces of sandboxes made by `wrap`.

        The warm process stays in the machine's pid namespace, since a process can only enter a pid namespace below its
        own. With a user namespace it has no capabilities: it owns the sandboxes' user namespaces, which are children
        of its own, and that is enough. As root it keeps the capabilities to enter namespaces and to change the user.
        """
        return replace(self, role="warm")

    @property
    def fork_user(self) -> int | None:
        """User id that a fork changes to; None with a user namespace."""
        return self.user_id if self.user == "transient" else None

    @property
    def syscall_filter(self) -> bytes | None:
        """The filter of system calls for a sandbox's processes; None if there is none for this machine."""
        filters = self.features.seccomp and self.role == "sandbox"
        return filter_program(os.uname().machine, self.allowed_calls) if filters else None

    @property
    def counts_alone(self) -> bool:
        """Whether the operating system counts the processes of this sandbox separately."""
        # Since Linux 5.14 a user namespace counts only its own processes; before, the user's other processes count too.
        return self.role == "sandbox" and (self.user == "transient" or _kernel_version() >= (5, 14))

    def own(self, path: Path) -> None:
        """Change a folder's owner to the transient user; with a user namespace the owner is right already."""
        if self.user == "transient":
            chown_tree(path, self.user_id)

    def wrap(
        self,
        command: Sequence[str],
        *,
        binds: Binds,
        env: Mapping[str, str],
        cwd: Path,
        limits: ProcessLimits,
    ) -> list[str]:
        """Make the `bwrap` command line; see `Isolation.wrap`."""
        args = [*self._namespaces(), "--die-with-parent", "--new-session", "--clearenv"]
        for key, value in env.items():
            args += ["--setenv", key, value]
        args += _system_args()
        args += [*self._proc(), "--dev", "/dev"]
        args += self._scratch_args(binds)
        args += _mount_args(binds)
        args += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(cwd)]
        return [*self._begin(args), "--", *self._step_down(), *limits.command(own_user=self.counts_alone), *command]

    def end_command(self) -> list[str] | None:
        """Return None: the sandbox dies with the started process."""
        return None

    def _begin(self, args: Sequence[str]) -> list[str]:
        """Return the start of the command line, with the arguments and the filter of system calls in files.

        A program in the sandbox can read the command line of bubblewrap, and the arguments contain paths of this
        machine.
        """
        form: Form = "beneath" if self.reports_calls else "plain"
        program = filter_path(self.allowed_calls, form) if self.syscall_filter else None
        filtering = ["--seccomp", _FILTER_DESCRIPTOR] if program else []
        started = [*self.started_by, self.program, "--args", _ARGUMENTS_DESCRIPTOR]
        # Open the files first: they are the grader's, and `started_by` may change the user or the namespace.
        shell = ["/bin/sh", "-c", _OPEN_BOTH if program else _OPEN_ARGUMENTS, _arguments_path([*filtering, *args])]
        return [*shell, *([program] if program else []), *started]

    def _namespaces(self) -> list[str]:
        spaces = ["--unshare-ipc", *([] if self.role == "warm" else ["--unshare-pid"]), "--unshare-net"]
        spaces += ["--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox", "--cap-drop", "ALL"]
        if self.user == "namespace":
            spaces += ["--unshare-user", "--uid", str(INNER_ID), "--gid", str(INNER_ID)]
            disabled = self.features.disable_userns and self.role == "sandbox"
            return [*spaces, "--disable-userns"] if disabled else spaces
        entering = ("CAP_SYS_ADMIN", "CAP_SYS_CHROOT") if self.role == "warm" else ()
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", *entering):
            spaces += ["--cap-add", capability]
        return spaces

    def _proc(self) -> list[str]:
        if self.role == "warm":
            return ["--ro-bind", "/proc", "/proc"]
        # The inner user may be root outside and so own these files, even without capabilities.
        covered = ["--ro-bind", "/proc/sys", "/proc/sys"] if self.user == "namespace" else []
        return ["--proc", "/proc", *covered]

    def _scratch_args(self, binds: Binds) -> list[str]:
        args: list[str] = []
        shm = Mount(binds.tmp.source / "shm", Path("/dev/shm"), writable=True)  # noqa: S108 — a mount point
        for mount in (binds.tmp, binds.home, shm):
            if self.features.sized_tmpfs:
                args += ["--perms", "1777", "--size", str(binds.tmp_bytes), "--tmpfs", str(mount.target)]
            else:
                mount.source.mkdir(parents=True, exist_ok=True)
                self.own(mount.source)
                args += ["--bind", str(mount.source), str(mount.target)]
        return args

    def _step_down(self) -> list[str]:
        if self.user == "namespace" or self.role == "warm":
            return []
        ids = ["--reuid", str(self.user_id), "--regid", str(self.user_id), "--clear-groups"]
        return ["setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]


def _arguments_path(args: Sequence[str]) -> str:
    """Return the path of a file with arguments, in memory."""
    descriptor = os.memfd_create("grader-arguments")
    os.write(descriptor, b"".join(os.fsencode(arg) + b"\0" for arg in args))
    with _argument_files_lock:
        _argument_files.append(descriptor)
        if len(_argument_files) > _MOST_ARGUMENT_FILES:
            os.close(_argument_files.popleft())
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def explain_failure(stderr: str, settings: Mapping[str, str]) -> str:
    """Explain why bubblewrap did not start.

    Args:
        stderr: Its error output.
        settings: The readable kernel settings by name (see `host_settings`).

    Returns:
        One clause; it includes the last line of `stderr`.
    """
    last = stderr.strip().splitlines()[-1] if stderr.strip() else "it ended without a message"
    if settings.get("kernel.unprivileged_userns_clone") == "0":
        return (
            f"bubblewrap may not make user namespaces: `sysctl kernel.unprivileged_userns_clone=1` allows it ({last})"
        )
    if settings.get("user.max_user_namespaces") == "0":
        return f"bubblewrap may not make user namespaces: `sysctl user.max_user_namespaces=10000` allows it ({last})"
    if settings.get("kernel.apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor forbids user namespaces to bubblewrap: add an AppArmor profile for bwrap with `userns,`, or "
            f"run `sysctl kernel.apparmor_restrict_unprivileged_userns=0` ({last})"
        )
    if any(sign in stderr for sign in ("Operation not permitted", "Permission denied", "No permissions")):
        return f"bubblewrap may not make namespaces here, as in most containers ({last})"
    return f"bubblewrap does not work: {last}"


def host_settings() -> dict[str, str]:
    """Read the kernel settings that decide whether namespaces can be made; skip unreadable ones."""
    settings = {}
    for name, path in _HOST_SETTINGS.items():
        try:
            settings[name] = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
    return settings


def _system_args() -> list[str]:
    args: list[str] = []
    for folder in map(Path, SYSTEM_FOLDERS):
        if folder.is_symlink():
            args += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            args += ["--ro-bind", str(folder), str(folder)]
    args += ["--perms", "0755", "--dir", "/etc"]
    for name in ETC_FILES:
        args += ["--ro-bind-try", name, name]
    return args


def _mount_args(binds: Binds) -> list[str]:
    args: list[str] = []
    for parent in sorted({parent for mount in binds.mounts for parent in mount.target.parents}):
        # Otherwise bubblewrap makes the parents with the permissions of the mounted folder.
        args += ["--perms", "0755", "--dir", str(parent)]
    for mount in binds.mounts:
        args += ["--bind" if mount.writable else "--ro-bind", str(mount.source), str(mount.target)]
    for folder in binds.masked:
        args += ["--tmpfs", str(folder), "--remount-ro", str(folder)]
    for device in binds.devices:
        args += ["--dev-bind", str(device), str(device)]
    return args


def _kernel_version() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)


def free_user_id() -> int:
    """Pick a user id that was not picked recently and that no process of this machine uses.

    The operating system counts processes by user, so two sandboxes with the same id would share one limit.

    Raises:
        SandboxError: No id is free.
    """
    taken: set[int] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            taken.update(process.uids())
    with _ids_lock:
        free = sorted({*TRANSIENT_IDS} - taken - {*_recent_ids})
        if not free:
            message = "every user id for sandboxes is used by a process"
            raise SandboxError(message, advice="end the processes of earlier runs, or restart this machine")
        _recent_ids.append(random.SystemRandom().choice(free))
        return _recent_ids[-1]


@lru_cache(maxsize=8)
def working_bubblewrap(program: str) -> tuple[Bubblewrap | None, str]:
    """Find the safest working way to use bubblewrap; if none works, return None and the reason."""
    try:
        shown = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, "bubblewrap is not installed (no program `bwrap`)"
    options = shown.stdout + shown.stderr
    features = BubblewrapFeatures(
        sized_tmpfs="--size" in options and "--perms" in options,
        disable_userns="--disable-userns" in options,
        seccomp="--seccomp" in options,
    )
    why = ""
    for user in ("transient", "namespace") if os.geteuid() == 0 else ("namespace",):
        candidate = Bubblewrap(program=program, user=user, features=features)
        why = _probe_bubblewrap(candidate)
        if not why:
            return candidate, ""
    return None, why


def _probe_bubblewrap(candidate: Bubblewrap) -> str:
    with held_folder() as folder:
        home = Mount(Path(folder) / "home", Path("/home/student"))
        binds = Binds(mounts=(), home=home, tmp=Mount(Path(folder) / "tmp", Path("/tmp")), tmp_bytes=1 << 20)  # noqa: S108 — a mount point
        env = {"PATH": "/usr/bin:/bin"}
        command = candidate.wrap(["true"], binds=binds, env=env, cwd=Path("/"), limits=ProcessLimits())
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bubblewrap does not start ({error})"
    return "" if done.returncode == 0 else explain_failure(done.stderr, host_settings())
