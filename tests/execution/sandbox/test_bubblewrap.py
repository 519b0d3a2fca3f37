"""Command lines of bubblewrap, and explanations of its failures."""

import os
import subprocess
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from grader.execution.sandbox import bubblewrap
from grader.execution.sandbox.bubblewrap import Bubblewrap, BubblewrapFeatures, explain_failure, working_bubblewrap
from grader.execution.sandbox.isolation import Mount, ProcessLimits
from grader.schema.errors import SandboxError
from tests.support.wrapping import BINDS, TMP, expanded, follows, wrapped


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


def test_the_command_line_that_a_sandbox_sees_names_no_folder_of_the_machine() -> None:
    how = Bubblewrap()
    command = how.wrap(["python", "-V"], binds=BINDS, env={"A": "1"}, cwd=Path("/w"), limits=ProcessLimits())
    assert not any("/s/" in part for part in command)
    assert follows(expanded(command), "--bind", "/s/work", "/home/student/submission")


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
    monkeypatch.setattr(bubblewrap, "TRANSIENT_IDS", range(60100, 60102))
    step_down = ["setpriv", "--reuid", "60100", "--regid", "60100", "--clear-groups", "--", "sleep", "60"]
    with subprocess.Popen(step_down) as running:
        try:
            while psutil.Process(running.pid).name() != "sleep":
                time.sleep(0.01)
            monkeypatch.setattr(bubblewrap, "_recent_ids", deque())
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
    args = expanded(old.wrap(["true"], binds=binds, env={}, cwd=Path("/"), limits=ProcessLimits()))
    assert follows(args, "--bind", str(tmp_path / "tmp"), str(TMP))
    assert "--size" not in args
    assert "--disable-userns" not in args


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kernel.unprivileged_userns_clone": "0"}, "sysctl kernel.unprivileged_userns_clone=1"),
        ({"user.max_user_namespaces": "0"}, "user.max_user_namespaces"),
        ({"kernel.apparmor_restrict_unprivileged_userns": "1"}, "AppArmor"),
        ({}, "may not make namespaces here"),
    ],
)
def test_a_failure_of_bubblewrap_is_explained_by_the_settings(settings: dict[str, str], said: str) -> None:
    stderr = "bwrap: No permissions to create new namespace, likely because the kernel does not allow it\n"
    assert said in explain_failure(stderr, settings)
    assert "No permissions" in explain_failure(stderr, settings)


def test_an_unknown_failure_is_quoted() -> None:
    assert explain_failure("bwrap: Can't mkdir /x: Disk quota exceeded\n", {}).endswith("Disk quota exceeded")


@pytest.mark.bubblewrap
def test_root_gets_a_transient_user_and_others_a_namespace() -> None:
    found, why = working_bubblewrap("bwrap")
    if found is None:
        pytest.skip(why)
    assert found.user == ("transient" if os.geteuid() == 0 else "namespace")
