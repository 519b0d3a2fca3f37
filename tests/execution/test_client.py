"""Detection that a new kernel is ready."""

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from grader.execution.client import KernelClient


def _message(answers: str, **content: Any) -> dict[str, Any]:
    return {"parent_header": {"msg_id": answers}, "content": {"protocol_version": "5.3", **content}}


class _Kernel(KernelClient):
    """A client with scripted messages on its two channels; None is silence."""

    def __init__(
        self, shell: Sequence[dict[str, Any] | None], iopub: Sequence[dict[str, Any] | None], *, alive: bool = True
    ) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.lives = alive
        self._shell, self._iopub = list(shell), list(iopub)

    def kernel_info(self) -> str:
        self.asked.append(f"ask{len(self.asked) + 1}")
        return self.asked[-1]

    async def get_shell_msg(self, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - as it is overridden
        return await _next(self._shell, timeout)

    async def get_iopub_msg(self, timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - as it is overridden
        return await _next(self._iopub, timeout)

    async def _async_is_alive(self) -> bool:
        return self.lives


async def _next(left: list[dict[str, Any] | None], timeout: float) -> dict[str, Any]:  # noqa: ASYNC109 - as above
    message = left.pop(0) if left else None
    if message is None:
        await asyncio.sleep(timeout / 1_000)
        raise Empty
    return message


def _ready(kernel: _Kernel, seconds: float = 30.0) -> None:
    asyncio.run(kernel.wait_for_ready(timeout=seconds))


def test_a_kernel_is_ready_when_it_has_answered_and_is_idle_again() -> None:
    busy, idle = (_message("ask1", execution_state=state) for state in ("busy", "idle"))
    kernel = _Kernel([_message("ask1")], [_message("", execution_state="starting"), busy, idle])
    _ready(kernel)
    assert kernel.asked == ["ask1"]


def test_a_kernel_that_is_slow_to_start_is_asked_again_and_its_old_answers_are_passed_over() -> None:
    kernel = _Kernel(
        [None, None, _message("ask1"), _message("ask2"), _message("ask3")],
        [_message("ask1", execution_state="idle"), _message("ask3", execution_state="idle")],
    )
    _ready(kernel)
    assert kernel.asked == ["ask1", "ask2", "ask3"]


def test_a_channel_that_was_connected_late_has_the_kernel_asked_again() -> None:
    kernel = _Kernel(
        [_message("ask1"), _message("ask2")],
        [None, _message("ask1", execution_state="busy"), _message("ask2", execution_state="idle")],
    )
    _ready(kernel)
    assert kernel.asked == ["ask1", "ask2"]


def test_a_kernel_that_ended_is_waited_for_no_longer() -> None:
    kernel = _Kernel([], [], alive=False)
    with pytest.raises(RuntimeError, match="it ended before it answered"):
        _ready(kernel)
    assert kernel.asked == ["ask1"]


def test_a_kernel_that_says_nothing_is_given_up_after_its_time() -> None:
    kernel = _Kernel([], [])
    with pytest.raises(RuntimeError, match="it did not answer within 0 seconds"):
        _ready(kernel, 0.4)
    assert len(kernel.asked) > 1


def test_a_kernel_that_says_nothing_but_what_nobody_asked_for_is_given_up_as_well() -> None:
    kernel = _Kernel([_message("other")] * 10_000_000, [])
    with pytest.raises(RuntimeError, match="it did not answer within 0 seconds"):
        _ready(kernel, 0.05)


def test_after_the_first_answer_no_name_leads_to_the_sockets_of_the_kernel(tmp_path: Path) -> None:
    kernel = _Kernel([_message("ask1")], [_message("ask1", execution_state="idle")])
    kernel.transport, kernel.ip = "ipc", str(tmp_path / "k")
    for number, channel in enumerate(("shell", "iopub", "stdin", "hb", "control"), 1):
        setattr(kernel, f"{channel}_port", number)
    with socket.socket(socket.AF_UNIX) as host:
        descriptor = os.open(tmp_path, os.O_PATH)
        host.bind(f"/proc/self/fd/{descriptor}/k-1")
        os.close(descriptor)
        kernel.start_channels()
        door = Path(kernel.ip).parent
        assert door.resolve() == tmp_path
        assert Path(f"{kernel.ip}-1").is_socket()
        _ready(kernel)
        assert not door.parent.exists()
        assert not Path(f"{kernel.ip}-1").exists()
        kernel.stop_channels()
