"""Executes one notebook in a sandbox, cell by cell, within its budgets."""

import asyncio
import copy
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty
from typing import Any, Literal, TypeVar

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from grader.execution.advice import advice_for
from grader.execution.client import CellClient, KernelClient
from grader.execution.outputs import OutputKeeper, clean_text
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.isolation import Isolation, Mount, ProcessLimits, gpu_binds
from grader.execution.sandbox.layout import Layout, copy_submission, make_layout
from grader.execution.sandbox.processes import MACHINE_ADVICE, end_tree, ended_from_outside, log_tail
from grader.execution.sandbox.provisioner import SandboxPlan, Starter
from grader.execution.sandbox.scratch import runtime_folder
from grader.execution.sandbox.warm import HeldProcess, Program, WarmPool, WarmRefusedError
from grader.execution.sandbox.watchdog import Budget, Watchdog
from grader.execution.terminal import collapse
from grader.execution.training_watch import TrainingWatch
from grader.inside.record.session import SESSION_VERSION, SessionFile
from grader.schema.base import spoken_cell
from grader.schema.errors import SandboxError
from grader.schema.rubric import RunSettings
from grader.schema.submission import CellError, ExecutionStatus, Run

__all__ = ["ExecutionOutcome", "ExecutionRequest", "Progress", "execute", "is_executed", "reserve_of"]

FINISH = 'get_ipython().run_line_magic("grader_finish", "")'
SKIPPING_TAGS = frozenset({"skip-execution", "otter_ignore"})
RAISING_TAG = "raises-exception"
_MESSAGE_LENGTH = 1_000
_TELL_SECONDS = 1.0
"""How often the listener is told that the execution goes on."""
_FEWEST_THREADS = 512
_SPARE_THREADS = 112
_CONNECTION = "connection.json"
# The kernel's own imports must not be shadowed by a student's files, which may still be imported: they come last.
_BOOTSTRAP = (
    "import sys; sys.path[:] = [p for p in sys.path if p] + ['']; "
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
)

T = TypeVar("T")
ProgressKind = Literal["starting", "started", "cell", "running", "finishing", "ended"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Told to the listener as the execution goes on."""

    kind: ProgressKind
    """`starting`: the kernel does not answer yet; `started`: it does; `cell`: a cell begins; `running`: one goes on;
    `finishing`: the record is closed; `ended`. What goes on is told again every second."""
    done: int
    """Code cells that were executed by now."""
    total: int
    cell: int | None = None
    """Index into the notebook's `cells`, for `cell` and `running`."""
    seconds: float = 0.0
    epoch: int | None = None
    """Which epoch of a training runs, for `running`."""
    epochs: int | None = None
    """How many were asked for, where that is known."""


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """One execution of one notebook."""

    notebook: NotebookNode
    """Normalised; it is not changed."""
    scratch: Path
    """An empty or missing folder for this execution; the caller removes it."""
    isolation: Isolation
    settings: RunSettings = field(default_factory=RunSettings)
    device: Device = field(default_factory=lambda: Device("cpu"))
    dialect: Literal["keras3", "keras2"] = "keras3"
    seed: int = 0
    threads: int = 1
    files: Path | None = None
    """The submission's folder, copied into the sandbox."""
    data: Path | None = None
    """Folder of the data sets, read-only in the sandbox."""
    datasets: tuple[str, ...] = ()
    elsewhere: Mapping[str, Path] = field(default_factory=dict)
    """Those of the data sets that lie in another folder, each with its own."""
    graded_dataset: str = ""
    kernel_module: str = "inside.kernel"
    """Started as `python -m MODULE -f CONNECTION_FILE`."""
    finish_code: str | None = FINISH
    """Executed after the last cell; None for a kernel without the recorder."""
    start_seconds: float = 90.0
    """How long the kernel may take to answer; beyond it is the grader's failure."""
    grace_seconds: float = 6.0
    """How long an interrupted cell may take to end before the kernel is killed."""
    finish_seconds: float = 120.0
    """How long the recorder may take to keep what is to be kept."""
    warm: WarmPool | None = None
    """Where the kernel is forked from; without it, or where that cannot be, it is started cold."""

    @property
    def python(self) -> Path:
        """The Python the kernel runs with."""
        return Path(self.settings.kernel or sys.executable)


@dataclass(frozen=True, slots=True)
class ExecutionOutcome:
    """What an execution left behind."""

    run: Run
    notebook: NotebookNode
    """The executed notebook, its outputs within the caps."""
    out: Path
    """What the recorder wrote, still to be collected: a claim."""
    work: Path
    """The submission's folder as the notebook left it."""
    problems: tuple[str, ...] = ()
    """What the record may lack, in words."""
    log: str = ""
    """The end of what the kernel wrote to its standard streams."""
    warm: bool = False
    """Whether the kernel was forked from a warm process."""
    notices: tuple[str, ...] = ()
    """What went otherwise than asked for without harm to the record, in words: a cold start instead of a warm one."""


def reserve_of(budget: float) -> float:
    """Return the seconds before the end of a notebook's budget by which trainings stop: a tenth, at most a minute."""
    return min(60.0, 0.1 * budget)


def is_executed(cell: NotebookNode) -> bool:
    """Whether a cell is sent to the kernel: code with something in it, and no tag that says to skip it."""
    if cell.cell_type != "code" or not cell.source.strip():
        return False
    return not SKIPPING_TAGS & set(cell.metadata.get("tags", []))


def execute(request: ExecutionRequest, listener: Callable[[Progress], None] = lambda _: None) -> ExecutionOutcome:
    """Execute a notebook in a sandbox of its own; when this returns or raises, nothing of the sandbox is left running.

    Call it from a thread that is not running an event loop and lives until it returns.

    Args:
        request: What to execute, and how.
        listener: Told how it goes, in the calling thread, at least every second. What it raises ends the execution,
            and is raised here.

    Raises:
        SandboxError: The kernel did not start; the grader's failure.
        NotebookError: The submission's files are too many or too large.
    """
    return asyncio.run(_Execution(request, listener).run())


class _OneKernel(KernelSpecManager):  # type: ignore[misc] # jupyter_client is not typed for us
    """Knows one kernel specification, made for one execution."""

    def __init__(self, spec: KernelSpec) -> None:
        super().__init__()
        self._spec = spec

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 — whatever the notebook names
        return self._spec


class _Execution:
    """One execution while it goes on."""

    def __init__(self, request: ExecutionRequest, listener: Callable[[Progress], None]) -> None:
        self.request = request
        self.listener = listener
        self.isolation = request.isolation.for_run()
        self.notebook = _fresh(request.notebook)
        self.total = sum(map(is_executed, self.notebook.cells))
        self.mark = os.urandom(12).hex()
        self.keeper = OutputKeeper(request.settings.output)
        self.errors: list[CellError] = []
        self.cell_map: list[int] = []
        self.problems: list[str] = []
        self.status: ExecutionStatus = "completed"
        self.reason = ""
        self.begun = time.monotonic()
        self.seconds = 0.0
        self.deadline = 0.0
        self.watchdog: Watchdog | None = None
        self.told: ProgressKind = "starting"
        self.unread = ""
        """Why a kernel was ended whose messages make no sense."""
        self.notices: list[str] = []
        self.is_warm = False

    async def run(self) -> ExecutionOutcome:
        """Make the sandbox, run the cells, close the record, and end everything."""
        request = self.request
        layout = make_layout(
            request.scratch,
            self.isolation,
            data=request.data,
            datasets=request.datasets,
            elsewhere=request.elsewhere,
        )
        if request.files is not None:
            copy_submission(request.files, layout.work)
        runtime = runtime_folder()
        try:
            await self._in_sandbox(layout, runtime.path)
        finally:
            runtime.let_go()
        if self.watchdog is not None and self.watchdog.fault:
            raise SandboxError(self.watchdog.fault, where=self.isolation.name, advice=MACHINE_ADVICE)
        return ExecutionOutcome(
            run=self._verdict(),
            notebook=self.notebook,
            out=layout.out,
            work=layout.work,
            problems=tuple(self.problems),
            log=log_tail(layout.log),
            warm=self.is_warm,
            notices=tuple(self.notices),
        )

    async def _in_sandbox(self, layout: Layout, runtime: Path) -> None:
        request = self.request
        plan = self._plan(layout, runtime)
        watch = TrainingWatch(layout.out / "events.jsonl")
        starter = plan.starter
        if request.warm is not None:
            # Before the notebook's time begins: the first one would pay for all.
            starter = await self._telling(self._warmed(request.warm, plan, runtime), watch)
        self.deadline = time.time() + request.settings.time
        _write_session(request, layout, self.deadline)
        for folder in (layout.code, layout.work, layout.out, layout.home, layout.tmp):
            self.isolation.own(folder)
        manager = _manager(_spec(request, replace(plan, starter=starter)), runtime)
        client = CellClient(self.notebook, manager, self.keeper, request.start_seconds)
        try:
            await self._telling(self._from_start_to_end(client, layout, runtime), watch)
        finally:
            self.keeper.finish()
            await self._end(client, manager)

    async def _warmed(self, pool: WarmPool, plan: SandboxPlan, runtime: Path) -> Starter:
        """Wait for a warm process and return how the kernel is forked; where that cannot be, leave a notice."""
        arguments = ("-f", str(runtime / _CONNECTION))

        def program(env: Mapping[str, str]) -> Program:
            return Program(
                module=self.request.kernel_module,
                arguments=arguments,
                python=self.request.python,
                dialect=self.request.dialect,
                isolation=plan.isolation,
                binds=plan.binds,
                env=env,
                cwd=plan.cwd,
                limits=plan.limits,
                log=plan.log,
            )

        def starter(env: Mapping[str, str]) -> HeldProcess | None:
            try:
                held = pool.start(program(env))
            except WarmRefusedError as error:
                self.notices.append(f"the kernel was started cold: {error}")
                return None
            self.is_warm = True
            return held

        try:
            await asyncio.to_thread(pool.ready, program(plan.env))
        except WarmRefusedError as error:
            self.notices.append(f"the kernel was started cold: {error}")
            return plan.starter
        return starter

    async def _from_start_to_end(self, client: CellClient, layout: Layout, runtime: Path) -> None:
        await self._start(client, layout, runtime)
        await self._cells(client)
        self.seconds = time.monotonic() - self.begun
        if client.unreadable:
            self.problems.append(f"{client.unreadable:,} of the kernel's messages made no sense and were left out")
        await self._finish(client)
        self._tell("ended")

    async def _telling(self, work: Coroutine[Any, Any, T], watch: TrainingWatch) -> T:
        """Tell the listener every second that work goes on; what the listener raises ends the work."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=_TELL_SECONDS)
                if done:
                    return task.result()
                training = watch.look()
                if self.told == "cell":
                    self._tell("running", self.cell_map[-1] if self.cell_map else None, training)
                else:
                    self._tell(self.told)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=self.request.grace_seconds)

    async def _start(self, client: CellClient, layout: Layout, runtime: Path) -> None:
        """Start the kernel, then wait until it answers."""
        request = self.request
        try:
            await client.async_start_new_kernel()
            process = client.km.provisioner.process
            budget = Budget(
                memory_bytes=request.settings.memory,
                processes=request.settings.processes,
                disk_bytes=request.settings.disk,
                folders=(*layout.written, runtime),
            )
            self.watchdog = Watchdog(process, budget, lambda: end_tree(process, self.isolation, self.mark))
            self.watchdog.start()
            await client.async_start_new_kernel_client()
        except (RuntimeError, OSError, TimeoutError) as error:
            said = log_tail(layout.log)
            message = f"the kernel did not start: {error}" + (f"\n{said}" if said else "")
            raise SandboxError(message, where=self.isolation.name) from error
        self.begun = time.monotonic()
        self._tell("started")

    async def _cells(self, client: CellClient) -> None:
        """Run the cells in order; an exception ends its cell, and only the budget or a dead kernel ends the rest."""
        for index, cell in enumerate(self.notebook.cells):
            if not is_executed(cell):
                continue
            if time.time() >= self.deadline:
                self._out_of_time(index)
                return
            self._tell("cell", index)
            self.cell_map.append(index)
            client.begin()
            alive = await self._cell(client, cell, index)
            self.keeper.finish()
            if not alive:
                self._kernel_ended(client, index)
                return
            self._note_error(client.reply, cell, index)
            if self.status == "timeout":
                return

    async def _cell(self, client: CellClient, cell: NotebookNode, index: int) -> bool:
        """Run one cell, interrupt it at the deadline, and kill the kernel where that does not help.

        Returns:
            Whether the kernel is still there.
        """
        task = asyncio.ensure_future(client.async_execute_cell(cell, index, execution_count=len(self.cell_map)))
        try:
            done, _ = await asyncio.wait({task}, timeout=max(0.0, self.deadline - time.time()))
        except asyncio.CancelledError:
            # nbclient calls this a dead kernel, which is not what anyone needs to hear now.
            task.cancel()
            with suppress(DeadKernelError, asyncio.CancelledError):
                await task
            raise
        if not done:
            done = await self._interrupt(client, task)
            self._out_of_time(index)
        if not done:
            await client.km.provisioner.kill()
            done, _ = await asyncio.wait({task}, timeout=5.0)
        if not done:
            task.cancel()
        try:
            await task
        except (DeadKernelError, asyncio.CancelledError):
            return False
        except Exception as error:  # noqa: BLE001 — a stranger's message can be wrong in any way
            # What the kernel sent could not be read: the student's process speaks for itself on these channels.
            self.unread = f"the kernel sent a message that cannot be read ({type(error).__name__})"
            self.problems.append(self.unread)
            await client.km.provisioner.kill()
            return False
        return True

    async def _interrupt(self, client: CellClient, task: "asyncio.Future[Any]") -> set["asyncio.Future[Any]"]:
        """Interrupt twice: a bare `except:` in a loop swallows the first one."""
        done: set[asyncio.Future[Any]] = set()
        for _ in range(2):
            with suppress(RuntimeError):
                await client.km.interrupt_kernel()
            done, _pending = await asyncio.wait({task}, timeout=self.request.grace_seconds / 2)
            if done:
                break
        return done

    def _out_of_time(self, index: int) -> None:
        self.status = "timeout"
        budget = self.request.settings.time
        self.reason = f"the notebook's {budget:,.0f} seconds were over in {spoken_cell(index)}"

    def _kernel_ended(self, client: CellClient, index: int) -> None:
        """Say why there is no kernel any more.

        Raises:
            SandboxError: It was ended from outside.
        """
        over = self.watchdog.verdict if self.watchdog else ""
        fault = self.watchdog.fault if self.watchdog else ""
        if not (over or fault or self.unread or self.status == "timeout"):
            _refuse_outsiders(client, self.isolation, spoken_cell(index))
        if over:
            self.status, self.reason = "memory", f"{spoken_cell(index)} was ended: {over}"
        elif self.unread:
            self.status, self.reason = "died", f"{self.unread} in {spoken_cell(index)}"
        elif self.status != "timeout":
            self.status = "died"
            self.reason = f"the kernel ended by itself in {spoken_cell(index)}{_cause(client)}"
        self.errors.append(CellError(cell=index, name="KernelEnded", message=self.reason, advice=_ENDED[self.status]))

    def _note_error(self, reply: dict[str, Any], cell: NotebookNode, index: int) -> None:
        if reply.get("status") != "error" or RAISING_TAG in cell.metadata.get("tags", []):
            return
        name = str(reply.get("ename", "Error"))[:100]
        message = _without_file(collapse(str(reply.get("evalue", ""))[: 10 * _MESSAGE_LENGTH])[:_MESSAGE_LENGTH])
        if self.status == "timeout":
            self.errors.append(CellError(cell=index, name=name, message=self.reason, advice=_ENDED["timeout"]))
            return
        self.errors.append(CellError(cell=index, name=name, message=message, advice=advice_for(name, message)))
        self.status = "cell_error"
        self.reason = self.reason or f"{spoken_cell(index)} raised {name}"

    async def _finish(self, client: CellClient) -> None:
        """Let the recorder keep what is to be kept; a kernel that is gone has kept what it could."""
        if self.request.finish_code is None or not await client.km.is_alive():
            return
        self._tell("finishing")
        sent = client.kc.execute(self.request.finish_code, silent=True, store_history=False, allow_stdin=False)
        ends = time.monotonic() + self.request.finish_seconds
        while time.monotonic() < ends:
            try:
                reply = await client.kc.get_shell_msg(timeout=0.5)
            except Empty:
                if not await client.km.is_alive():
                    self._ended_while_closing(client)
                    return
                continue
            except Exception:  # noqa: BLE001, S112 — a stranger's message can be wrong in any way
                continue
            answer = _answer(reply, sent)
            if answer is not None:
                if answer.get("status") != "ok":
                    said = f"{answer.get('ename')}: {answer.get('evalue')}"
                    self.problems.append(f"the recorder could not close the record ({clean_text(said[:200])})")
                return
        self.problems.append(f"the recorder did not close the record within {self.request.finish_seconds:.0f} seconds")

    def _ended_while_closing(self, client: CellClient) -> None:
        over = self.watchdog.verdict if self.watchdog else ""
        if not (over or (self.watchdog and self.watchdog.fault)):
            _refuse_outsiders(client, self.isolation, "after the last cell")
        self.problems.append("the kernel ended while the record was closed")
        if over:
            self.status, self.reason = "memory", f"the notebook was ended after its last cell: {over}"

    async def _end(self, client: CellClient, manager: AsyncKernelManager) -> None:
        """End the sandbox for good; the notebook is over, so nothing needs a polite farewell."""
        process = getattr(manager.provisioner, "process", None)
        if client.kc is not None:
            client.kc.stop_channels()
        if process is not None:
            end_tree(process, self.isolation, self.mark)
            process.wait()
        if self.watchdog is not None:
            self.watchdog.stop()
        await manager.cleanup_resources()

    def _verdict(self) -> Run:
        request = self.request
        peak = self.watchdog.peak_mib if self.watchdog else 0.0
        return Run(
            status=self.status,
            reason=self.reason,
            seconds=round(self.seconds, 3),
            cells_run=len(self.cell_map),
            cells_total=self.total,
            errors=tuple(self.errors),
            peak_memory_mib=round(peak, 1) if peak else None,
            isolation=self.isolation.name,
            device=request.device.label,
            seed=request.seed,
            dialect=request.dialect,
            cell_map=tuple(self.cell_map),
        )

    def _plan(self, layout: Layout, runtime: Path) -> SandboxPlan:
        request = self.request
        devices, mounts = gpu_binds() if request.device.kind == "gpu" else ((), ())
        own = {
            "GRADER_SESSION": str(layout.inner("code") / "session.json"),
            "PYTHONHASHSEED": str(request.seed),
            **request.device.environment(request.threads),
        }
        return SandboxPlan(
            isolation=self.isolation,
            binds=layout.binds(request.python, (*mounts, Mount(runtime, runtime, writable=True)), devices=devices),
            env=layout.environment(request.python, own),
            cwd=layout.inner("work"),
            limits=ProcessLimits(processes=_threads(request.settings), memory_bytes=request.settings.memory),
            log=layout.log,
            mark=self.mark,
        )

    def _tell(
        self, kind: ProgressKind, cell: int | None = None, training: tuple[int, int | None] | None = None
    ) -> None:
        if kind != "running":
            self.told = kind
        seconds = time.monotonic() - self.begun
        epoch, epochs = training or (None, None)
        done = max(0, len(self.cell_map) - (kind == "running"))
        self.listener(Progress(kind, done, self.total, cell=cell, seconds=seconds, epoch=epoch, epochs=epochs))


_ENDED: dict[ExecutionStatus, str] = {
    "timeout": "Train fewer epochs or on less data, and leave out endless loops and long pauses.",
    "memory": "Use smaller batches and arrays, float32 instead of float64, and keep fewer copies of the data.",
    "died": "Look for `exit()`, `os._exit`, or native code that crashes.",
}


# IPython gives each cell's source the name of a file that is not there, with another number in each process.
_CELL_FILE = re.compile(r" \(\d+\.py, line (\d+)\)$")


def _without_file(message: str) -> str:
    """Leave the made-up file of a cell out of what a `SyntaxError` says: `invalid syntax (line 3)`."""
    return _CELL_FILE.sub(r" (line \1)", message)


def _refuse_outsiders(client: CellClient, isolation: Isolation, where: str) -> None:
    """Make sure that a kernel was not ended from outside: that is nothing its notebook can answer for.

    Raises:
        SandboxError: It was, or nobody can tell.
    """
    process = getattr(client.km.provisioner, "process", None)
    # The grader's own watchdog fails an execution by itself, with a better reason.
    if process is not None and (why := ended_from_outside(process, isolation)):
        message = (
            f"{why}, and the kernel with it" if getattr(process, "lost", False) else f"the kernel was ended: {why}"
        )
        raise SandboxError(message, where=where, advice=MACHINE_ADVICE)


def _cause(client: CellClient) -> str:
    """Read a cause from the exit code of the kernel's process, as a shell counts signals."""
    process = getattr(client.km.provisioner, "process", None)
    code = process.poll() if process is not None else None
    if code is None:
        return ""
    code = 128 - code if code < 0 else code
    if code == 128 + signal.SIGKILL:
        return " (it was killed, most likely because its container ran out of memory)"
    if code == 128 + signal.SIGSEGV:
        return " (it crashed: segmentation fault)"
    if code == 128 + signal.SIGABRT:
        return " (it aborted in native code)"
    return f" (exit code {code})"


def _answer(reply: Any, sent: str) -> dict[str, Any] | None:
    """Return what a reply says where it is one to our request; None for whatever else a kernel sends."""
    with suppress(AttributeError, KeyError, TypeError):
        if reply["parent_header"].get("msg_id") == sent and isinstance(reply["content"], dict):
            return dict(reply["content"])
    return None


def _fresh(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook without the outputs it was handed in with."""
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copied


def _write_session(request: ExecutionRequest, layout: Layout, deadline: float) -> None:
    """Write what the recorder reads; the keys are described in `docs/events.md`."""
    session = SessionFile(
        version=SESSION_VERSION,
        out=str(layout.inner("out")),
        data=str(layout.inner("data")),
        datasets=list(request.datasets),
        dialect=request.dialect,
        seed=request.seed,
        fit_time=request.settings.fit_time,
        deadline=deadline,
        reserve=reserve_of(request.settings.time),
        max_models_mib=request.settings.kept_models / (1 << 20),
        max_output_kib=request.settings.output.cell_text / 1024,
        graded_dataset=request.graded_dataset,
    )
    path = layout.code / "session.json"
    path.write_text(json.dumps(session), encoding="utf-8")
    path.chmod(0o644)


def _threads(settings: RunSettings) -> int:
    """Return how many processes and threads the sandbox's user may have; the watchdog counts processes alone."""
    return max(_FEWEST_THREADS, settings.processes + _SPARE_THREADS) + 32 * (os.cpu_count() or 1)


def _spec(request: ExecutionRequest, plan: SandboxPlan) -> KernelSpec:
    bootstrap = _BOOTSTRAP.format(module=request.kernel_module)
    return KernelSpec(
        argv=[str(request.python), "-c", bootstrap, "-f", "{connection_file}"],
        display_name="Sandboxed Python",
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "grader-sandbox", "config": {"plan": plan}}},
    )


def _manager(spec: KernelSpec, runtime: Path) -> AsyncKernelManager:
    """Make a kernel manager whose sockets lie in the runtime folder.

    Messages have no limit of their own: ZeroMQ's closes the connection for good, and an honest notebook would lose its
    outputs by one large animation. What is kept of them has limits, and the watchdog ends a sandbox that makes the
    grader's own memory grow.
    """
    return AsyncKernelManager(
        kernel_name="grader",
        kernel_spec_manager=_OneKernel(spec),
        transport="ipc",
        ip=str(runtime / "k"),
        connection_file=str(runtime / _CONNECTION),
        autorestart=False,
        client_factory=KernelClient,
    )
