"""Fuzz the readers: `python -m tests.fuzz [--seconds N] [--folder FOLDER] [TARGET …]`.

Each target runs in a process of its own, with coverage guidance if Atheris is installed (`uv pip install atheris`),
else without. Documents with findings are written to the folder, and checked again in a fresh process without
instruments.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.mutating import LARGEST, mutated

_SLOWER = 6.0
"""How much slower code with instruments may be."""
_MEMORY = 3 << 30
"""Limit of a process's address space in addition to what it has, so that a finding does not stop the machine."""
_MODULES = ["grader", "nbformat", "yaml", "zipfile", "email", "html", "numpy.lib", "csv"]
"""Packages whose coverage guides the choice of documents."""


@dataclass(frozen=True)
class _Order:
    """The target, the engine and the limits of one process."""

    name: str
    """Name of the target."""
    module: str
    engine: str
    seconds: float
    place: Path
    """Folder for documents with findings, the corpus and the figures."""
    seed: int


@dataclass
class Figures:
    """The figures of a target."""

    target: str
    engine: str
    inputs: int = 0
    seconds: float = 0.0
    findings: dict[str, str] = field(default_factory=dict)
    """Kind and detail → file with the document."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="names of targets; all without one")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds for each target")
    parser.add_argument("--folder", type=Path, default=Path("fuzz-findings"), help="folder for documents with findings")
    parser.add_argument("--engine", choices=("auto", "atheris", "random"), default="auto")
    parser.add_argument("--seed", type=int, default=None, help="seed of the random choices")
    parser.add_argument("--list", action="store_true", help="list the targets and end")
    parser.add_argument("--replay", type=Path, nargs="+", help="give files to the only target, and report the findings")
    return parser.parse_args()


def main() -> int:
    """Fuzz the chosen targets; return 1 if there is a finding."""
    chosen = _arguments()
    if chosen.list or chosen.replay:
        return _list() if chosen.list else _replay(chosen.targets[0], chosen.replay)
    engine = chosen.engine if chosen.engine != "auto" else ("atheris" if _has_atheris() else "random")
    modules: dict[str, str] = _in_process(_modules)
    names = chosen.targets or list(modules)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    every = []
    for name in names:
        figures = _fuzzed(name, modules[name], engine, chosen)
        every.append(figures)
        print(json.dumps(asdict(figures)), flush=True)  # noqa: T201 - the result
    (chosen.folder / "figures.json").write_text(json.dumps([asdict(one) for one in every], indent=1), encoding="utf-8")
    return int(any(one.findings for one in every))


def _has_atheris() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - only here

    return find_spec("atheris") is not None


def _in_process(function: Callable[[Any], None]) -> Any:
    """Call a function in a new process, so that this one imports nothing of the grader; return what it sends."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=function, args=(there,))
    process.start()
    there.close()
    answer = here.recv()
    process.join()
    return answer


def _modules(pipe: Any) -> None:
    from tests.fuzz.target import modules_of_targets  # noqa: PLC0415 - in a process of its own

    pipe.send(modules_of_targets())


def _list() -> int:
    from tests.fuzz.target import all_targets  # noqa: PLC0415 - only here

    for one in all_targets().values():
        print(f"{one.name}: {one.reads}")  # noqa: T201 - the result
    return 0


def _replay(name: str, files: list[Path]) -> int:
    from tests.fuzz.bounds import examine  # noqa: PLC0415 - only here
    from tests.fuzz.target import all_targets  # noqa: PLC0415 - only here

    target, code = all_targets()[name], 0
    with tempfile.TemporaryDirectory() as folder:
        examine(target, target.seeds()[0], Path(folder), slower=10)
        for file in files:
            finding = examine(target, file.read_bytes(), Path(folder))
            code |= finding is not None
            text = "no finding" if finding is None else f"{finding.kind}: {finding.detail}\n{finding.trace}"
            print(f"{file}: {text}")  # noqa: T201 - the result
    return code


# --- one target ------------------------------------------------------------------------------------------------------


def _fuzzed(name: str, module: str, engine: str, chosen: argparse.Namespace) -> Figures:
    """Fuzz a target in a new process, which writes its figures to a file every second, and confirm its findings."""
    context = multiprocessing.get_context("spawn")
    place = chosen.folder / name.strip(".").replace(" ", "-").replace("/", "-")
    place.mkdir(exist_ok=True)
    notes = place / "figures.json"
    notes.unlink(missing_ok=True)
    seed = random.SystemRandom().randrange(1 << 31) if chosen.seed is None else chosen.seed
    order = _Order(name, module, engine, chosen.seconds, place, seed)
    process = context.Process(target=_work, args=(order,))
    process.start()
    process.join(chosen.seconds * 3 + 120)
    if process.is_alive():
        process.kill()
        process.join()
    figures = Figures(name, engine, **_read(notes))
    if process.exitcode and not notes.exists():
        figures.findings[f"the process ended with {process.exitcode}"] = ""
    for what, file in list(figures.findings.items()):
        if file and not _confirmed(name, Path(file)):
            del figures.findings[what]
    return figures


def _read(notes: Path) -> dict[str, Any]:
    if not notes.is_file():
        return {}
    stored: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8"))
    return stored


def _confirmed(name: str, file: Path) -> bool:
    """Whether a document has a finding in a process without instruments."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_exit_with_replay, args=(name, file))
    process.start()
    process.join(300)
    if process.is_alive():
        process.kill()
        return True
    return process.exitcode != 0


def _exit_with_replay(name: str, file: Path) -> None:
    sys.exit(_replay(name, [file]))


class _Worker:
    """Gives documents to a target and keeps the figures."""

    def __init__(self, order: _Order, slower: float) -> None:
        from tests.fuzz.bounds import examine  # noqa: PLC0415 - after the instruments
        from tests.fuzz.target import all_targets  # noqa: PLC0415 - after the instruments

        self.target = all_targets(order.module)[order.name]
        self.seeds = list(self.target.seeds())
        self._examine, self._place, self._slower = examine, order.place, slower
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        for document in self.seeds[:3]:  # imports and caches are nobody's time
            examine(self.target, document, self._folder, slower=100)
        self._start = self._written = time.monotonic()
        self._end = self._start + order.seconds
        self._inputs = 0
        self._findings: dict[str, str] = {}
        _limit_memory()

    @property
    def over(self) -> bool:
        """Whether the time has passed."""
        return time.monotonic() > self._end

    def take(self, document: bytes) -> None:
        """Give a document to the target."""
        finding = self._examine(self.target, document, self._folder, slower=self._slower)
        self._inputs += 1
        if finding is not None and f"{finding.kind}: {finding.detail}" not in self._findings:
            file = self._place / f"{hashlib.sha256(document).hexdigest()[:16]}.bin"
            file.write_bytes(document)
            file.with_suffix(".txt").write_text(
                f"{finding.kind}: {finding.detail}\n{finding.trace}", "utf-8", "replace"
            )
            self._findings[f"{finding.kind}: {finding.detail}"] = str(file)
            self.note()
        elif time.monotonic() > self._written + 1:
            self.note()

    def note(self) -> None:
        """Write the figures."""
        self._written = time.monotonic()
        figures = {"inputs": self._inputs, "seconds": round(self._written - self._start, 1), "findings": self._findings}
        spare = self._place / "figures.new"
        spare.write_text(json.dumps(figures), encoding="utf-8")
        spare.replace(self._place / "figures.json")


def _limit_memory() -> None:
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))


def _work(order: _Order) -> None:
    log = os.open(order.place / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, sys.stderr.fileno())  # Atheris names each module there
    (_with_atheris if order.engine == "atheris" else _without)(order)


def _without(order: _Order) -> None:
    worker, rng = _Worker(order, 1.0), random.Random(order.seed)  # noqa: S311 - not for secrets
    while not worker.over:
        worker.take(mutated(worker.target.form, rng.choice(worker.seeds), worker.seeds, rng))
    worker.note()


def _with_atheris(order: _Order) -> None:
    import atheris  # noqa: PLC0415 - optional

    with atheris.instrument_imports(include=_MODULES):
        worker = _Worker(order, _SLOWER)

    def one(document: bytes) -> None:
        worker.take(document)
        if worker.over:
            worker.note()
            os._exit(0)  # libFuzzer looks at the time only between its own rounds

    def change(document: bytes, most: int, number: int) -> bytes:
        rng = random.Random(number)  # noqa: S311 - not for secrets
        if rng.random() < 0.2:
            return bytes(atheris.Mutate(document, most))
        return mutated(worker.target.form, document, worker.seeds, rng)[:most]

    corpus = order.place / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, document in enumerate(worker.seeds):
        (corpus / f"seed-{number}").write_bytes(document)
    limits = (f"-max_total_time={int(order.seconds)}", f"-max_len={4 * LARGEST}", "-rss_limit_mb=0", "-timeout=120")
    options = (*limits, f"-seed={order.seed}", "-verbosity=0")
    atheris.Setup(["fuzz", *options, str(corpus)], one, custom_mutator=change)
    atheris.Fuzz()
