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
from pathlib import Path, PurePosixPath
from queue import Empty
from typing import Any, Literal, TypeVar

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from grader.execution.advice import advice_for
from grader.execution.causes import cause_of, cut_middle, without_own_paths
from grader.execution.client import CellClient, KernelClient, KernelStarter
from grader.execution.outputs import OutputKeeper
from grader.execution.sandbox.confinement import Confinement, Enforcement, confine
from grader.execution.sandbox.course_files import course_mounts, place_course_files
from grader.execution.sandbox.device import Device
from grader.execution.sandbox.gpu_nodes import gpu_binds
from grader.execution.sandbox.isolation import Isolation, Mount, ProcessLimits
from grader.execution.sandbox.layout import Layout, copy_submission, make_layout
from grader.execution.sandbox.load import CpuMeter, Load
from grader.execution.sandbox.processes import MACHINE_ADVICE, end_tree, ended_from_outside, log_tail
from grader.execution.sandbox.provisioner import SandboxPlan, Starter
from grader.execution.sandbox.refusals import HAND_OVER, CallListener, advise_student, explain_refusals
from grader.execution.sandbox.scratch import runtime_folder
from grader.execution.sandbox.warm import HeldProcess, Program, WarmPool, WarmRefusedError
from grader.execution.sandbox.watchdog import Budget, Watchdog
from grader.execution.terminal import collapse
from grader.execution.training_watch import TrainingWatch
from grader.execution.warming import KERNEL, kernel_variables
from grader.facts.controls import replaced
from grader.facts.file_modes import sandbox_mode
from grader.facts.language import english
from grader.inside.record.session import SESSION_VERSION, SessionFile
from grader.schema.course_file import CourseFile
from grader.schema.errors import SandboxError
from grader.schema.message import Message, MessageLike, say, say_count
from grader.schema.rubric import RunSettings
from grader.schema.submission import CellError, ExecutionStatus, Run

__all__ = ["ExecutionOutcome", "ExecutionRequest", "Progress", "execute", "is_executed", "reserve_of"]

FINISH = 'get_ipython().run_line_magic("grader_finish", "")'
SKIPPING_TAGS = frozenset({"skip-execution", "otter_ignore"})
RAISING_TAG = "raises-exception"
_MESSAGE_LENGTH = 1_000
_MOST_TEXT = 20_000
"""Characters of an exception's text, and of a frame of its traceback, in which the cause is searched."""
_MOST_FRAMES = 100
_MOST_SPECIAL = 5
"""Most special files of a submission that are named."""
_TELL_SECONDS = 1.0
"""Interval of the progress reports to the listener."""
_FEWEST_THREADS = 256
"""A training with TensorFlow and 64 threads of the notebook have about 100 threads on two cores."""
_SPARE_THREADS = 112
_CONNECTION = "connection.json"
# The student's folder comes last in `sys.path`, so that the student's files cannot shadow the kernel's imports.
_BOOTSTRAP = (
    "import sys; sys.path[:] = [p for p in sys.path if p] + ['']; {hand_over}"
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
)

T = TypeVar("T")
ProgressKind = Literal["starting", "started", "cell", "running", "finishing", "ended"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress report to the listener."""

    kind: ProgressKind
    """`starting`: the kernel does not answer yet; `started`: it does; `cell`: a cell starts; `running`: a cell is still
    running; `finishing`: the record is being closed; `ended`. Repeated every second until the next step."""
    done: int
    """Code cells executed so far."""
    total: int
    cell: int | None = None
    """Index into the notebook's `cells`, for `cell` and `running`."""
    seconds: float = 0.0
    epoch: int | None = None
    """Current epoch of a training, for `running`."""
    epochs: int | None = None
    """Number of epochs passed to `fit`, if known."""


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """One execution of one notebook."""

    notebook: NotebookNode
    """A notebook in the standard form of `grader.intake.notebook`; it is not changed."""
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
    only: tuple[str, ...] | None = None
    """Relative names of the files to copy; all by default."""
    inner: PurePosixPath = field(default_factory=PurePosixPath)
    """Folder of the notebook relative to `files`; the kernel's working folder."""
    course_files: tuple[CourseFile, ...] = ()
    """Files of the course, placed read-only next to the notebook."""
    data: Path | None = None
    """Folder of the data sets, read-only in the sandbox."""
    datasets: tuple[str, ...] = ()
    elsewhere: Mapping[str, Path] = field(default_factory=dict)
    """Data set → its folder, for data sets outside `data`."""
    graded_dataset: str = ""
    openml_frames: bool = True
    """Whether `fetch_openml` returns data frames by default."""
    quick: bool = False
    """Whether trainings, evaluations and predictions are cut down to their first steps."""
    kernel_module: str = KERNEL
    """Module to start as `python -m MODULE -f CONNECTION_FILE`."""
    finish_code: str | None = FINISH
    """Code to execute after the last cell; None for a kernel without the recorder."""
    start_seconds: float = 300.0
    """Time limit for the kernel's first answer; exceeding it is a failure of the grader. The notebook's own time starts
    only after that."""
    grace_seconds: float = 6.0
    """Time that an interrupted cell has to end before the kernel is killed."""
    finish_seconds: float = 120.0
    """Time limit for the recorder to save models and close the record."""
    warm: WarmPool | None = None
    """Processes to fork the kernel from; if None, or if the fork fails, the kernel is started cold."""

    @property
    def python(self) -> Path:
        """The Python that runs the kernel."""
        return Path(self.settings.kernel or sys.executable)


@dataclass(frozen=True, slots=True)
class ExecutionOutcome:
    """The results of an execution."""

    run: Run
    notebook: NotebookNode
    """The executed notebook, its outputs within the caps."""
    out: Path
    """Folder with the record, not yet collected; its content is untrusted."""
    work: Path
    """The submission's folder as the notebook left it."""
    problems: tuple[MessageLike, ...] = ()
    """Reasons why the record may be incomplete."""
    remarks: tuple[MessageLike, ...] = ()
    """Circumstances of the execution that a person should know; nothing is missing because of them."""
    log: str = ""
    """The end of the kernel's standard output and standard error."""
    warm: bool = False
    """Whether the kernel was forked from a warm process."""
    load: Load | None = None
    """CPU time during the cells, and what other programs of the machine took from it; None if it was not measured."""
    notices: tuple[str, ...] = ()
    """Deviations that do not affect the record, such as a cold start instead of a warm one."""


def reserve_of(budget: float) -> float:
    """Return how many seconds before a notebook's time limit trainings are stopped: a tenth of it, at most a minute."""
    return min(60.0, 0.1 * budget)


def is_executed(cell: NotebookNode) -> bool:
    """Whether a cell is sent to the kernel: a code cell that is not empty and has no tag to skip it."""
    if cell.cell_type != "code" or not cell.source.strip():
        return False
    return not SKIPPING_TAGS & set(cell.metadata.get("tags", []))


def execute(request: ExecutionRequest, listener: Callable[[Progress], None] = lambda _: None) -> ExecutionOutcome:
    """Execute a notebook in a new sandbox. No process of the sandbox is left when this returns or raises.

    Call it from a thread that runs no event loop and that lives until it returns.

    Args:
        request: The notebook and the settings.
        listener: Callback for progress, called in the calling thread at least every second. An exception it raises
            ends the execution and is raised here.

    Raises:
        SandboxError: The kernel did not start, or it was ended from outside: a failure of the grader.
        NotebookError: The submission's files are too many or too large.
    """
    return asyncio.run(_Execution(request, listener).run())


class _OneKernel(KernelSpecManager):  # type: ignore[misc] # jupyter_client is not typed for us
    """Provides the kernel specification of one execution."""

    def __init__(self, spec: KernelSpec) -> None:
        super().__init__()
        self._spec = spec

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002 — the same for any name
        return self._spec


class _Execution:
    """One running execution."""

    def __init__(self, request: ExecutionRequest, listener: Callable[[Progress], None]) -> None:
        self.request = request
        self.listener = listener
        self.isolation = request.isolation.for_run().for_notebook(request.settings.allow_system_calls)
        self.calls: CallListener | None = None
        self.notebook = _fresh(request.notebook)
        self.total = sum(map(is_executed, self.notebook.cells))
        self.mark = os.urandom(12).hex()
        self.keeper = OutputKeeper(request.settings.output)
        self.errors: list[CellError] = []
        self.cell_map: list[int] = []
        self.problems: list[MessageLike] = []
        self.remarks: list[MessageLike] = []
        self.status: ExecutionStatus = "completed"
        self.reason: MessageLike = ""
        self.begun = time.monotonic()
        self.seconds = 0.0
        self.deadline = 0.0
        self.watchdog: Watchdog | None = None
        self.confinement: Confinement | None = None
        self.enforcement: Enforcement | None = None
        self.load: Load | None = None
        self.step: ProgressKind = "starting"
        self.unreadable = ""
        """Class of the exception that a malformed message of the kernel caused."""
        self.notices: list[str] = []
        self.is_warm = False

    async def run(self) -> ExecutionOutcome:
        """Make the sandbox, run the cells, close the record, and end the sandbox."""
        request = self.request
        layout = make_layout(
            request.scratch,
            self.isolation,
            data=request.data,
            datasets=request.datasets,
            elsewhere=request.elsewhere,
            notebook=request.inner,
        )
        if request.files is not None:
            special = copy_submission(request.files, layout.work, only=request.only)
            self.remarks += [_left_out(name) for name in special[:_MOST_SPECIAL]]
        for name in place_course_files(request.course_files, layout):
            self.remarks.append(
                say("the notebook got the course's file {name:code} in place of the submitted one", name=name)
            )
        runtime = runtime_folder()
        if self.isolation.call_filters is not None:
            self.calls = CallListener(self.isolation.call_filters, lambda: self.cell_map[-1] if self.cell_map else None)
        try:
            await self._in_sandbox(layout, runtime.path)
        finally:
            if self.confinement is not None:
                self.confinement.release()
            runtime.let_go()
            if self.calls is not None:
                self.calls.close()
                self.remarks += explain_refusals(list(self.calls.calls.values()))
        if self.watchdog is not None and self.watchdog.fault:
            raise SandboxError(self.watchdog.fault, where=self.isolation.name, advice=MACHINE_ADVICE)
        return ExecutionOutcome(
            run=self._verdict(),
            notebook=self.notebook,
            out=layout.out,
            work=layout.work,
            problems=tuple(self.problems),
            remarks=tuple(self.remarks),
            log=log_tail(layout.log),
            warm=self.is_warm,
            load=self.load,
            notices=tuple(self.notices),
        )

    async def _in_sandbox(self, layout: Layout, runtime: Path) -> None:
        request = self.request
        plan = self._plan(layout, runtime)
        watch = TrainingWatch(layout.out / "events.jsonl")
        starter = plan.starter
        if request.warm is not None:
            starter = await self._report_during(self._warmed(request.warm, plan, runtime), watch)
        _write_session(request, layout)
        for folder in (layout.code, layout.work, layout.input, layout.out, layout.home, layout.tmp):
            self.isolation.own(folder)
        manager = _manager(_spec(request, replace(plan, starter=starter)), runtime)
        client = CellClient(self.notebook, manager, self.keeper, request.start_seconds)
        try:
            await self._report_during(self._from_start_to_end(client, layout, runtime), watch)
        finally:
            self.keeper.finish()
            await self._end(client, manager)

    async def _warmed(self, pool: WarmPool, plan: SandboxPlan, runtime: Path) -> Starter:
        """Wait for a warm process and return a starter that forks it; if there is none, add a notice."""
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
                calls=None if self.calls is None else self.calls.theirs.fileno(),
                confinement=plan.confinement,
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
        self.load = self.watchdog.measure_load() if self.watchdog else None
        if client.unreadable:
            malformed = say_count(
                "{count:number} message of the kernel was malformed and was ignored",
                "{count:number} messages of the kernel were malformed and were ignored",
                client.unreadable,
            )
            self.problems.append(malformed)
        await self._finish(client)
        self._report("ended")

    async def _report_during(self, work: Coroutine[Any, Any, T], watch: TrainingWatch) -> T:
        """Report to the listener every second during the work; an exception of the listener ends the work."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=_TELL_SECONDS)
                if done:
                    return task.result()
                training = watch.look()
                if self.step == "cell":
                    self._report("running", self.cell_map[-1] if self.cell_map else None, training)
                else:
                    self._report(self.step)
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
            meter = CpuMeter(request.threads, visible=self.isolation.name != "container")
            self.watchdog = Watchdog(process, budget, lambda: end_tree(process, self.isolation, self.mark), meter)
            self.watchdog.start()
            await client.async_start_new_kernel_client()
        except (RuntimeError, OSError, TimeoutError) as error:
            tail = log_tail(layout.log)
            message = f"the kernel did not start: {error}" + (f"\n{tail}" if tail else "")
            raise SandboxError(message, where=self.isolation.name) from error
        if self.confinement is not None and self.isolation.name != "container":
            self.enforcement = self.confinement.enforcement
        self.watchdog.measure_load()
        self.watchdog.meter.restart()
        self.begun = time.monotonic()
        # The notebook's time starts with its first cell, however long the kernel took to start.
        self.deadline = time.time() + request.settings.time
        self._report("started")

    async def _cells(self, client: CellClient) -> None:
        """Run the cells in order; an exception ends its cell, but only a budget or a dead kernel ends the notebook."""
        for index, cell in enumerate(self.notebook.cells):
            if not is_executed(cell):
                continue
            if time.time() >= self.deadline:
                self._out_of_time(index)
                return
            self._report("cell", index)
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
        """Run one cell, interrupt it at the deadline, and kill the kernel if the cell still runs.

        Returns:
            Whether the kernel is still alive.
        """
        task = asyncio.ensure_future(client.async_execute_cell(cell, index, execution_count=len(self.cell_map)))
        try:
            done, _ = await asyncio.wait({task}, timeout=max(0.0, self.deadline - time.time()))
        except asyncio.CancelledError:
            # nbclient reports a cancellation as a dead kernel.
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
        except Exception as error:  # noqa: BLE001 — an untrusted message can be wrong in any way
            # The student's process can send anything on the kernel's channels.
            self.unreadable = type(error).__name__
            self.problems.append(say("the kernel sent a message that cannot be read ({error})", error=self.unreadable))
            await client.km.provisioner.kill()
            return False
        return True

    async def _interrupt(self, client: CellClient, task: "asyncio.Future[Any]") -> set["asyncio.Future[Any]"]:
        """Interrupt twice, since a bare `except:` in a loop can swallow the first interrupt."""
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
        limit = self.request.settings.time
        self.reason = say(
            "the notebook's time limit of {limit:seconds} ran out in {cell:cell}", limit=limit, cell=index
        )

    def _kernel_ended(self, client: CellClient, index: int) -> None:
        """Set the status and the reason after the kernel has ended.

        Raises:
            SandboxError: The kernel was ended from outside.
        """
        excess = self.watchdog.conclude() if self.watchdog else None
        fault = self.watchdog.fault if self.watchdog else ""
        if not (excess or fault or self.unreadable or self.status == "timeout"):
            _refuse_outsiders(client, self.isolation, english(say("{cell:cell}", cell=index)))
        if excess:
            self.status = "memory"
            self.reason = say("the kernel was stopped in {cell:cell}: {excess}", cell=index, excess=excess)
        elif self.unreadable:
            self.status = "died"
            self.reason = say(
                "the kernel sent a message in {cell:cell} that cannot be read ({error})",
                cell=index,
                error=self.unreadable,
            )
        elif self.status != "timeout":
            self.status, self.reason = "died", _end_of_kernel(client, index)
        message = english(self.reason)
        self.errors.append(CellError(cell=index, name="KernelEnded", message=message, advice=_ENDED[self.status]))

    def _note_error(self, reply: dict[str, Any], cell: NotebookNode, index: int) -> None:
        if reply.get("status") != "error" or RAISING_TAG in cell.metadata.get("tags", []):
            return
        name = replaced(str(reply.get("ename", "Error"))[:100])
        text = collapse(cut_middle(str(reply.get("evalue", "")), _MOST_TEXT))
        cause = cause_of(name, text, [str(part)[:_MOST_TEXT] for part in (reply.get("traceback") or ())[:_MOST_FRAMES]])
        message = replaced(cut_middle(_without_file(without_own_paths(text)), _MESSAGE_LENGTH))
        if self.status == "timeout":
            message = english(self.reason)
            self.errors.append(CellError(cell=index, name=name, message=message, advice=_ENDED["timeout"]))
            return
        limit = self.request.settings.time
        if name == "KeyboardInterrupt" and time.time() >= self.deadline - reserve_of(limit):
            # The recorder interrupts a training without an end while there is still time for the later cells.
            self.reason = self.reason or say(
                "{cell:cell} was interrupted shortly before the notebook's time limit of {limit:seconds}",
                cell=index,
                limit=limit,
            )
            message = english(self.reason)
            self.errors.append(CellError(cell=index, name=name, message=message, advice=_ENDED["timeout"]))
            self.status = "cell_error"
            return
        self.errors.append(
            CellError(
                cell=index,
                name=name,
                message=message,
                cause=replaced(cause.text),
                line=cause.line,
                advice=advice_for(name, cause.text) or advice_for(name, message) or self._advice_on_calls(index),
            )
        )
        self.status = "cell_error"
        self.reason = self.reason or say("{cell:cell} raised {error}", cell=index, error=name)

    def _advice_on_calls(self, index: int) -> MessageLike:
        """Advise on a system call that was first refused in a cell; empty if there is none."""
        calls = self.calls.calls.values() if self.calls else ()
        return next((advise_student(call) for call in [*calls] if call.cell == index), "")

    async def _finish(self, client: CellClient) -> None:
        """Let the recorder save models and close the record, if the kernel is still alive."""
        if self.request.finish_code is None or not await client.km.is_alive():
            return
        self._report("finishing")
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
            except Exception:  # noqa: BLE001, S112 — an untrusted message can be wrong in any way
                continue
            answer = _answer(reply, sent)
            if answer is not None:
                if answer.get("status") != "ok":
                    error = replaced(f"{answer.get('ename')}: {answer.get('evalue')}"[:200])
                    self.problems.append(say("the recorder could not close the record ({error})", error=error))
                return
        limit = self.request.finish_seconds
        self.problems.append(say("the recorder did not close the record within {limit:seconds}", limit=limit))

    def _ended_while_closing(self, client: CellClient) -> None:
        excess = self.watchdog.conclude() if self.watchdog else None
        if not (excess or (self.watchdog and self.watchdog.fault)):
            _refuse_outsiders(client, self.isolation, "after the last cell")
        self.problems.append(say("the kernel ended before the record was closed"))
        if excess:
            self.status = "memory"
            self.reason = say("the kernel was stopped after the last cell: {excess}", excess=excess)

    async def _end(self, client: CellClient, manager: AsyncKernelManager) -> None:
        """Kill the sandbox; after the last cell the kernel need not shut down cleanly."""
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
        load = self.load
        return Run(
            status=self.status,
            reason=self.reason,
            seconds=round(self.seconds, 3),
            cells_run=len(self.cell_map),
            cells_total=self.total,
            errors=tuple(self.errors),
            peak_memory_mib=round(peak, 1) if peak else None,
            cpu_seconds=_rounded(load.cpu_seconds) if load else None,
            cpu_share=_rounded(load.share) if load else None,
            pressure=_rounded(load.pressure) if load else None,
            isolation=self.isolation.name,
            limits=self.enforcement,
            device=request.device.label,
            seed=request.seed,
            dialect=request.dialect,
            cell_map=tuple(self.cell_map),
        )

    def _plan(self, layout: Layout, runtime: Path) -> SandboxPlan:
        request = self.request
        devices, mounts = gpu_binds(request.device)
        if self.isolation.moves_paths:
            mounts += tuple(course_mounts(layout, layout.notebook_folders))
        own = {
            "GRADER_SESSION": str(layout.inner("code") / "session.json"),
            **kernel_variables(request.seed, request.device, request.threads),
        }
        limits = ProcessLimits(
            processes=_threads(request.settings), memory_bytes=request.settings.memory, cores=request.threads
        )
        self.confinement = confine(limits, self.isolation.name)
        return SandboxPlan(
            isolation=self.isolation,
            binds=layout.binds(request.python, (*mounts, Mount(runtime, runtime, writable=True)), devices=devices),
            env=layout.environment(request.python, own),
            cwd=layout.cwd,
            limits=limits,
            log=layout.log,
            mark=self.mark,
            calls=self.calls,
            confinement=self.confinement,
        )

    def _report(
        self, kind: ProgressKind, cell: int | None = None, training: tuple[int, int | None] | None = None
    ) -> None:
        if kind != "running":
            self.step = kind
        seconds = time.monotonic() - self.begun
        epoch, epochs = training or (None, None)
        done = max(0, len(self.cell_map) - (kind == "running"))
        self.listener(Progress(kind, done, self.total, cell=cell, seconds=seconds, epoch=epoch, epochs=epochs))


_ENDED: dict[ExecutionStatus, Message] = {
    "timeout": say("Train for fewer epochs or on less data. Remove endless loops and long pauses."),
    "memory": say("Use smaller batches and arrays, and float32 instead of float64. Keep fewer copies of the data."),
    "died": say("Look for `exit()`, `os._exit`, or native code that crashes."),
}


# IPython gives each cell a made-up file name, with a number that differs between processes.
_CELL_FILE = re.compile(r" \(\d+\.py, line (\d+)\)$")


def _without_file(message: str) -> str:
    """Remove a cell's made-up file name from a `SyntaxError`'s text: `invalid syntax (line 3)`."""
    return _CELL_FILE.sub(r" (line \1)", message)


def _refuse_outsiders(client: CellClient, isolation: Isolation, where: str) -> None:
    """Make sure that the kernel was not ended from outside, which is not the notebook's fault.

    Raises:
        SandboxError: The kernel was ended from outside, or it may have been.
    """
    process = getattr(client.km.provisioner, "process", None)
    # If the watchdog ended the sandbox, the watchdog gives the better reason.
    if process is not None and (why := ended_from_outside(process, isolation)):
        message = (
            f"{why}, and the kernel ended with it"
            if getattr(process, "lost", False)
            else f"the kernel was ended: {why}"
        )
        raise SandboxError(message, where=where, advice=MACHINE_ADVICE)


def _end_of_kernel(client: CellClient, index: int) -> Message:
    cause = _cause(client)
    if cause is None:
        return say("the kernel ended in {cell:cell}", cell=index)
    return say("the kernel ended in {cell:cell} ({cause})", cell=index, cause=cause)


def _cause(client: CellClient) -> Message | None:
    """Return the cause that the exit code of the kernel's process shows; signals are counted as in a shell."""
    process = getattr(client.km.provisioner, "process", None)
    code = process.poll() if process is not None else None
    if code is None:
        return None
    code = 128 - code if code < 0 else code
    if code == 128 + signal.SIGKILL:
        return say("it was killed, probably because its container ran out of memory")
    if code == 128 + signal.SIGSEGV:
        return say("it crashed with a segmentation fault")
    if code == 128 + signal.SIGABRT:
        return say("it aborted in native code")
    return say("exit code {code:raw}", code=code)


def _answer(reply: Any, sent: str) -> dict[str, Any] | None:
    """Return the content of a reply to our request; None for any other message."""
    with suppress(AttributeError, KeyError, TypeError):
        if reply["parent_header"].get("msg_id") == sent and isinstance(reply["content"], dict):
            return dict(reply["content"])
    return None


def _fresh(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook without its submitted outputs."""
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copied


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)


def _left_out(name: str) -> Message:
    return say(
        "the submitted {name:code} is a socket, a pipe or a device, so the notebook did not get it",
        name=replaced(name[:200]),
    )


def _write_session(request: ExecutionRequest, layout: Layout) -> None:
    """Write the recorder's settings; `docs/events.md` describes the keys."""
    session = SessionFile(
        version=SESSION_VERSION,
        out=str(layout.inner("out")),
        data=str(layout.inner("data")),
        datasets=list(request.datasets),
        dialect=request.dialect,
        seed=request.seed,
        fit_time=request.settings.fit_time,
        deadline=time.time() + request.start_seconds + request.settings.time,
        time=request.settings.time,
        reserve=reserve_of(request.settings.time),
        max_models_mib=request.settings.kept_models / (1 << 20),
        max_output_kib=request.settings.output.cell_text / 1024,
        graded_dataset=request.graded_dataset,
        submission=str(layout.inner("work")),
        openml_frames=request.openml_frames,
        quick=request.quick,
    )
    path = layout.code / "session.json"
    path.write_text(json.dumps(session), encoding="utf-8")
    path.chmod(sandbox_mode(folder=False))


def _threads(settings: RunSettings) -> int:
    """Return the limit on processes and threads together; the watchdog limits the processes alone."""
    return max(_FEWEST_THREADS, settings.processes + _SPARE_THREADS) + 32 * (os.cpu_count() or 1)


def _spec(request: ExecutionRequest, plan: SandboxPlan) -> KernelSpec:
    descriptor = None if plan.calls is None else plan.calls.theirs.fileno()
    hand_over = "" if descriptor is None else HAND_OVER.format(descriptor=descriptor)
    bootstrap = _BOOTSTRAP.format(module=request.kernel_module, hand_over=hand_over)
    return KernelSpec(
        argv=[str(request.python), "-c", bootstrap, "-f", "{connection_file}"],
        display_name="Sandboxed Python",
        language="python",
        metadata={"kernel_provisioner": {"provisioner_name": "grader-sandbox", "config": {"plan": plan}}},
    )


def _manager(spec: KernelSpec, runtime: Path) -> AsyncKernelManager:
    """Make a kernel manager with its sockets in the runtime folder.

    The size of messages is not limited. ZeroMQ's limit closes the connection for good, so an honest notebook would
    lose its outputs after one large animation. Instead the stored outputs are limited, and the watchdog ends a sandbox
    that makes the grader's own memory grow.
    """
    return KernelStarter(
        kernel_name="grader",
        kernel_spec_manager=_OneKernel(spec),
        transport="ipc",
        ip=str(runtime / "k"),
        connection_file=str(runtime / _CONNECTION),
        autorestart=False,
        client_factory=KernelClient,
    )
