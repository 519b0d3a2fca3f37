"""Client of one untrusted kernel, based on nbclient and jupyter_client."""

import asyncio
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbformat import NotebookNode

from grader.execution.outputs import OutputKeeper, clean_text, displayed
from grader.execution.sandbox.scratch import HeldFolder, runtime_folder

__all__ = ["CellClient", "KernelClient", "KernelStarter"]

_POLL_SECONDS = 0.1
_DOOR = "d"
"""Name of the link to the folder of a kernel's sockets; short, since a socket's path is."""
_DRAIN_SECONDS = 0.3
"""Time to wait for the last outputs of a kernel that has ended."""
_ANSWER_SECONDS = 1.0
"""Time to wait for a new kernel's answer before the request is repeated."""
_ECHO_SECONDS = 0.05
"""Time to wait for a message on the iopub channel after an answer; later it counts as not yet connected."""


class CellClient(NotebookClient):  # type: ignore[misc] # nbclient is not typed for us
    """nbclient with limited outputs and quick detection of a dead kernel.

    Attributes:
        reply: The kernel's unchanged reply to the last cell; empty before the reply.
        unreadable: Number of malformed messages.
    """

    def __init__(
        self, notebook: NotebookNode, manager: AsyncKernelManager, keeper: OutputKeeper, seconds: float
    ) -> None:
        """Prepare to execute cells of a notebook.

        Args:
            notebook: The notebook to add the outputs to.
            manager: The kernel's manager.
            keeper: Limits the outputs.
            seconds: Time limit for the kernel's first answer.
        """
        super().__init__(
            notebook,
            km=manager,
            allow_errors=True,
            startup_timeout=seconds,
            store_widget_state=False,
            on_cell_executed=self._keep_reply,
        )
        self.reply: dict[str, Any] = {}
        self.unreadable = 0
        self._keeper = keeper
        self._cell_running: int | None = None

    def begin(self) -> None:
        """Reset the state before the next cell."""
        self.reply = {}
        self._cell_running = None

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> None:
        """Handle one message of the running cell; a malformed message is counted and dropped."""
        if self._cell_running != cell_index:
            self._cell_running = cell_index
            self._keeper.begin(cell_index, cell.outputs)
        try:
            self._take(msg["msg_type"], msg["content"])
        except CellExecutionComplete:
            raise
        except Exception:  # noqa: BLE001 — an untrusted message can be wrong in any way
            self.unreadable += 1

    def _take(self, kind: str, content: dict[str, Any]) -> None:
        keeper = self._keeper
        if kind == "status":
            if content["execution_state"] == "idle":
                raise CellExecutionComplete
        elif kind == "stream":
            keeper.stream("stderr" if content["name"] == "stderr" else "stdout", clean_text(str(content["text"])))
        elif kind in ("display_data", "execute_result", "update_display_data"):
            shown = str((content.get("transient") or {}).get("display_id") or "")[:200]
            if shown:
                keeper.update(shown, content["data"], content.get("metadata", {}))
            if kind != "update_display_data":
                keeper.rich(displayed(kind, content), shown)
        elif kind == "error":
            keeper.error(str(content["ename"]), str(content["evalue"]), [str(line) for line in content["traceback"]])
        elif kind == "clear_output":
            keeper.clear(wait=bool(content.get("wait")))

    def _keep_reply(self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:  # noqa: ARG002
        content = execute_reply["content"]
        self.reply = content if isinstance(content, dict) else {}

    async def _async_poll_kernel_alive(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                await self._async_check_alive()
            except DeadKernelError:
                await asyncio.sleep(_DRAIN_SECONDS)
                self.task_poll_for_reply.cancel()
                return


class KernelStarter(AsyncKernelManager):  # type: ignore[misc] # jupyter_client is not typed for us
    """A kernel manager without a connection of its own, since the sandbox is interrupted and ended by signals."""

    def _connect_control_socket(self) -> None:
        """Connect to nothing: ZeroMQ would connect again by name; see `KernelClient`."""


class KernelClient(AsyncKernelClient):  # type: ignore[misc] # jupyter_client is not typed for us
    """A client that detects at once that a kernel is ready, and then never connects to it again.

    jupyter_client waits until no message has come for 0.2 seconds, which is a tenth of a small notebook's time. The
    kernel's own status `idle` shows that it has answered.

    ZeroMQ connects again, by name, when a connection breaks. The notebook can break it, and put links to other sockets
    of this machine in place of the kernel's. So the client connects through a link in a folder of its own, the door,
    and removes it before the notebook's first cell: later there is no name that leads to the kernel's sockets.
    """

    _door: HeldFolder | None = None

    def start_channels(self, *args: Any, **kwargs: Any) -> None:
        """Open the door and connect through it; called by nbclient.

        Raises:
            SandboxError: The door cannot be made.
        """
        if self.transport == "ipc" and self._door is None:
            self._door = runtime_folder()
            sockets = Path(str(self.ip))
            link = self._door.path / _DOOR
            link.symlink_to(sockets.parent)
            self.ip: str = str(link / sockets.name)
        super().start_channels(*args, **kwargs)

    def stop_channels(self) -> None:
        """Close the connections, and the door if it is still open."""
        super().stop_channels()
        self._close_door()

    def _close_door(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.let_go()

    async def wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature is its own
        """Repeat a request until its reply arrives on one channel and the status `idle` on the other; close the door.

        Raises:
            RuntimeError: The kernel has ended, or did not answer in time.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._answered(self.kernel_info()):
                    if not await self._async_is_alive():
                        message = "it ended before it answered"
                        raise RuntimeError(message)
        except TimeoutError as error:
            message = f"it did not answer within {timeout:.0f} seconds"
            raise RuntimeError(message) from error
        finally:
            self._close_door()

    async def _answered(self, sent: str) -> bool:
        # Messages on the iopub channel are lost before it is connected; then the request is repeated.
        try:
            # Yield to the event loop after each message, so that a flood of messages cannot stop the timeout.
            while not _answers(reply := await self.get_shell_msg(timeout=_ANSWER_SECONDS), sent):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0)
            while not _idle_after(await self.get_iopub_msg(timeout=_ECHO_SECONDS), sent):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        except Empty:
            return False
        self._handle_kernel_info_reply(reply)
        return True


def _answers(message: dict[str, Any], sent: str) -> bool:
    """Whether a message answers a request of ours."""
    return bool(message["parent_header"].get("msg_id") == sent)


def _idle_after(message: dict[str, Any], sent: str) -> bool:
    """Whether a message reports that the kernel has finished our request."""
    return _answers(message, sent) and message["content"].get("execution_state") == "idle"
