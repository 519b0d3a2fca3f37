"""Command lines of the isolations, and the choice among them."""

import os
import subprocess
from collections import deque
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from grader.execution.sandbox import isolation
from grader.execution.sandbox.isolation import (
    Binds,
    Bubblewrap,
    BubblewrapFeatures,
    Container,
    Mount,
    NoIsolation,
    ProcessLimits,
    choose_isolation,
    explain_failure,
    gpu_binds,
)
from grader.schema.errors import IsolationRefusedError, SandboxError
from tests.support.waiting import until

TMP = Path("/tmp")  # noqa: S108 — the name inside a sandbox
BINDS = Binds(
    mounts=(
        Mount(Path("/opt/py"), Path("/opt/py")),
        Mount(Path("/s/work"), Path("/home/student/submission"), writable=True),
    ),
    home=Mount(Path("/s/home"), Path("/home/student"), writable=True),
    tmp=Mount(Path("/s/tmp"), TMP, writable=True),
    masked=(Path("/opt/py/grader"),),
    devices=(Path("/dev/nvidia0"),),
)


def wrapped(how: Bubblewrap | Container | NoIsolation) -> list[str]:
    return how.wrap(["python", "-V"], binds=BINDS, env={"A": "1"}, cwd=Path("/w"), limits=ProcessLimits())


def follows(args: list[str], *wanted: str) -> bool:
    return any(tuple(args[i : i + len(wanted)]) == wanted for i in range(len(args)))


def test_bubblewrap_shares_no_namespace_and_keeps_no_environment() -> None:
    args = wrapped(Bubblewrap())
    for option in ("net", "pid", "ipc", "uts", "user", "cgroup-try"):
        assert f"--unshare-{option}" in args
    assert {"--clearenv", "--die-with-parent", "--new-session", "--disable-userns"} <= set(args)
    assert follows(args, "--setenv", "A", "1")
    assert follows(args, "--cap-drop", "ALL")
    assert "--share-net" not in args


def test_bubblewrap_writes_only_where_a_mount_says_so() -> None:
    args = wrapped(Bubblewrap())
    assert follows(args, "--ro-bind", "/opt/py", "/opt/py")
    assert follows(args, "--bind", "/s/work", "/home/student/submission")
    assert [args[i + 2] for i, arg in enumerate(args) if arg == "--bind"] == ["/home/student/submission"]
    assert follows(args, "--remount-ro", "/")


def test_a_masked_folder_is_covered_after_it_was_mounted() -> None:
    args = wrapped(Bubblewrap())
    assert args.index("/opt/py/grader") > args.index("/opt/py")
    assert follows(args, "--tmpfs", "/opt/py/grader")


def test_a_user_namespace_never_shows_a_writable_proc_sys() -> None:
    assert follows(wrapped(Bubblewrap(user="namespace")), "--ro-bind", "/proc/sys", "/proc/sys")


def test_root_steps_down_to_a_user_of_its_own_for_each_run() -> None:
    how = Bubblewrap(user="transient")
    args = wrapped(how)
    assert "--unshare-user" not in args
    assert follows(args, "setpriv", "--reuid", str(how.user_id), "--regid", str(how.user_id), "--clear-groups")
    assert len({how.for_run().user_id for _ in range(50)}) == 50


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_no_run_gets_a_user_id_that_has_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "TRANSIENT_IDS", range(60100, 60102))
    step_down = ["setpriv", "--reuid", "60100", "--regid", "60100", "--clear-groups", "--", "sleep", "60"]
    with subprocess.Popen(step_down) as running:
        try:
            until(lambda: psutil.Process(running.pid).name() == "sleep")
            monkeypatch.setattr(isolation, "_given", deque())
            assert Bubblewrap(user="transient").for_run().user_id == 60101
            with pytest.raises(SandboxError, match="every user id"):
                Bubblewrap(user="transient").for_run()
        finally:
            running.kill()


def test_an_old_bubblewrap_keeps_home_and_tmp_on_disk(tmp_path: Path) -> None:
    old = Bubblewrap(features=BubblewrapFeatures(sized_tmpfs=False, disable_userns=False))
    binds = replace(
        BINDS,
        home=Mount(tmp_path / "home", Path("/home/student"), writable=True),
        tmp=Mount(tmp_path / "tmp", TMP, writable=True),
    )
    args = old.wrap(["true"], binds=binds, env={}, cwd=Path("/"), limits=ProcessLimits())
    assert follows(args, "--bind", str(tmp_path / "tmp"), str(TMP))
    assert "--size" not in args
    assert "--disable-userns" not in args


def test_limits_say_core_files_open_files_and_processes() -> None:
    limits = ProcessLimits(file_bytes=10, open_files=20, processes=30)
    assert limits.command(own_user=True) == ["prlimit", "--core=0", "--fsize=10", "--nofile=20", "--nproc=30", "--"]
    assert "--nproc=30" not in limits.command(own_user=False)


def test_a_container_has_no_network_no_rights_and_a_read_only_root() -> None:
    limits = ProcessLimits(memory_bytes=1 << 30, processes=77)
    how = Container(engine="docker", image="img").for_run()
    args = how.wrap(["python"], binds=BINDS, env={"A": "1"}, cwd=Path("/w"), limits=limits)
    assert args[:3] == ["docker", "run", "--rm"]
    assert follows(args, "--network", "none")
    assert follows(args, "--cap-drop", "all")
    assert follows(args, "--security-opt", "no-new-privileges")
    assert follows(args, "--pids-limit", "77")
    assert follows(args, "--memory", str(1 << 30))
    assert "--read-only" in args
    assert "/opt/py:/opt/py:ro" in args
    assert "/s/work:/home/student/submission:rw" in args
    assert args[-2:] == ["img", "python"]
    assert how.end_command() == ["docker", "kill", how.run_name]


def test_two_containers_have_two_names() -> None:
    assert Container().for_run().run_name != Container().for_run().run_name


def test_no_isolation_still_clears_the_environment() -> None:
    args = wrapped(NoIsolation())
    assert args[:4] == ["env", "--ignore-environment", "--chdir=/w", "A=1"]
    assert args[-2:] == ["python", "-V"]


def test_auto_never_falls_back_to_no_isolation() -> None:
    with pytest.raises(
        IsolationRefusedError, match=r"bubblewrap is not installed.*engine-x is not installed"
    ) as caught:
        choose_isolation("auto", bubblewrap="/nonexistent/bwrap", engines=["engine-x"])
    assert "--isolation none" in caught.value.advice


def test_none_is_given_only_when_it_is_asked_for() -> None:
    assert choose_isolation("none").name == "none"


def test_a_bubblewrap_that_fails_is_not_chosen(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(IsolationRefusedError, match="Permission denied"):
        choose_isolation("bubblewrap", bubblewrap=str(broken))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kernel.unprivileged_userns_clone": "0"}, "sysctl kernel.unprivileged_userns_clone=1"),
        ({"user.max_user_namespaces": "0"}, "user.max_user_namespaces"),
        ({"kernel.apparmor_restrict_unprivileged_userns": "1"}, "AppArmor"),
        ({}, "forbidden here"),
    ],
)
def test_a_failure_of_bubblewrap_is_explained_by_the_settings(settings: dict[str, str], said: str) -> None:
    stderr = "bwrap: No permissions to create new namespace, likely because the kernel does not allow it\n"
    assert said in explain_failure(stderr, settings)
    assert "No permissions" in explain_failure(stderr, settings)


def test_an_unknown_failure_is_quoted() -> None:
    assert explain_failure("bwrap: Can't mkdir /x: Disk quota exceeded\n", {}).endswith("Disk quota exceeded")


def test_gpu_nodes_are_devices_and_driver_state_is_read_only() -> None:
    devices, mounts = gpu_binds([Path("/dev/nvidia0"), Path("/dev/nvidiactl"), Path("/proc/driver/nvidia")])
    assert devices == (Path("/dev/nvidia0"), Path("/dev/nvidiactl"))
    assert [(mount.target, mount.writable) for mount in mounts] == [(Path("/proc/driver/nvidia"), False)]


@pytest.mark.bubblewrap
def test_root_gets_a_transient_user_and_others_a_namespace() -> None:
    found, why = isolation._working_bubblewrap("bwrap")
    if found is None:
        pytest.skip(why)
    assert found.user == ("transient" if os.geteuid() == 0 else "namespace")
