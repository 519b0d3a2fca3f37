"""Measure how much faster a class runs on two local Ray nodes than on one.

Each node has one CPU, and its processes run on a core of their own. The head has no CPU, so it executes nothing. The
command `grader grade` and the head may use every core, as the nodes' machine would have others for them.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

__all__ = ["cluster"]

_RAY = Path(sys.executable).parent / "ray"
_START_SECONDS = 120.0
_STORE_BYTES = 80 << 20
"""Smallest size of an object store; it only holds grades."""


@contextmanager
def cluster(nodes: int) -> Iterator[None]:
    """Run a cluster on the loopback within the block; commands that start there join it.

    Args:
        nodes: Number of nodes with one CPU each, at most the number of cores.

    Raises:
        SystemExit: A node does not start.
    """
    # Not in the folder for temporary files, whose path may be long: the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="gr-ray-", dir="/tmp") as folder, ExitStack() as stack:
        place, port = Path(folder), _free_port()
        token = place / "token"
        token.write_text(secrets.token_hex(32), encoding="ascii")
        address = f"127.0.0.1:{port}"
        own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        stack.enter_context(_environment(own))
        head = ["--head", f"--port={port}", f"--temp-dir={place}", "--num-cpus=0", "--include-dashboard=false"]
        stack.enter_context(_started(head, sorted(os.sched_getaffinity(0)), place / "head.log"))
        for core in sorted(os.sched_getaffinity(0))[:nodes]:
            words = [f"--address={address}", "--num-cpus=1"]
            stack.enter_context(_started(words, [core], place / f"node-{core}.log"))
        stack.enter_context(_environment({"RAY_ADDRESS": address}))
        yield


@contextmanager
def _environment(own: Mapping[str, str]) -> Iterator[None]:
    """Set variables within the block."""
    before = dict(os.environ)
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _started(words: list[str], cores: list[int], log: Path) -> Iterator[None]:
    """Run a node on some cores within the block, and end all its processes."""
    command = ["taskset", "--cpu-list", ",".join(map(str, cores)), str(_RAY), "start"]
    common = ["--node-ip-address=127.0.0.1", f"--object-store-memory={_STORE_BYTES}", "--block"]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *words, *common], stdout=output, stderr=output)
    try:
        ends = time.monotonic() + _START_SECONDS
        while "Ray runtime started" not in log.read_text(encoding="utf-8", errors="replace"):
            if process.poll() is not None or time.monotonic() > ends:
                sys.exit(f"not measured: a node did not start\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a node with everything that it started."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        for one in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


def _free_port() -> int:
    """Choose a free port below those that the system and Ray choose for connections."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
