"""Decisions of the kernel provisioner; tests with real kernels are in `test_runner`."""

import asyncio
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from jupyter_client.kernelspec import KernelSpec

from grader.execution.sandbox.provisioner import SandboxProvisioner, _check_sockets, kernel_process
from grader.schema.errors import SandboxError


def test_it_is_registered_as_an_entry_point() -> None:
    (found,) = entry_points(group="jupyter_client.kernel_provisioners", name="grader-sandbox")
    assert found.load() is SandboxProvisioner


def test_a_specification_without_a_plan_is_refused() -> None:
    provisioner = SandboxProvisioner(kernel_id="k", kernel_spec=KernelSpec(argv=["python"]))
    with pytest.raises(SandboxError, match="no sandbox plan"):
        asyncio.run(provisioner.pre_launch())


def test_a_path_too_long_for_a_socket_is_refused_with_its_length() -> None:
    with pytest.raises(SandboxError, match="has 126 bytes, more than the maximum of 107"):
        _check_sockets({"transport": "ipc", "ip": "/" + "x" * 119})


def test_a_path_that_fits_is_accepted() -> None:
    _check_sockets({"transport": "ipc", "ip": "/run/gr-abcdefgh/k"})


def test_a_network_transport_is_refused() -> None:
    with pytest.raises(SandboxError, match="ipc"):
        _check_sockets({"transport": "tcp", "ip": "127.0.0.1"})


def test_the_kernel_is_the_eldest_descendant_at_its_depth() -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '30']).pid, flush=True); sys.stdin.read()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        found = kernel_process(parent.pid, 1)
        assert found is not None
        assert found.pid == child
        found.kill()
        parent.communicate("")
    assert kernel_process(parent.pid, 1) is None
