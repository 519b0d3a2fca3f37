"""A real `grader serve` in a process of its own, and many uploads at once over real sockets.

`python -m tests.support.serve_load FOLDER --uploads 200` prints the figures of docs/serve.md.
"""

import argparse
import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import psutil

from tests.support.command import COMMAND, a_course
from tests.support.waiting import DEADLOCK_SECONDS, until

__all__ = ["RUBRIC", "Load", "Served", "an_upload", "main", "upload_at_once"]

_WORDS = (2, 4, 6, 8, 10)
RUBRIC = """\
version: 1
id: tiny
title: A tiny course
dataset: digits
run: {time: 30 min, memory: 1 GiB}
criteria:
  - {id: runs, title: It runs, points: 10, check: runs}
""" + "".join(f"  - {{id: words-{n}, points: 1, check: text, with: {{min_words: {n}}}}}\n" for n in _WORDS)


def an_upload(number: int) -> tuple[str, bytes, float]:
    """Make a student, a notebook that no other number has, and the points that it must get."""
    words, fails = number % 6 * 2, number % 4 == 3
    cells = [nbformat.v4.new_markdown_cell("word " * words, id="text")] if words else []
    code = f"print({number})" if not fails else f"raise ValueError({number})"
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_code_cell(code, id="code")])
    points = sum(words >= least for least in _WORDS) + (0 if fails else 10)
    return f"student-{number}", nbformat.writes(notebook).encode(), float(points)


@dataclass
class Served:
    """A running service."""

    process: "subprocess.Popen[bytes]"
    log: Path
    token: str
    address: str = ""

    @property
    def rss(self) -> float:
        """Resident memory of the process itself, in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / (1 << 20)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        """Send a request over a connection of its own; return the status and the JSON of the answer."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=DEADLOCK_SECONDS)
        try:
            connection.request(method, path, body, {"authorization": f"Bearer {self.token}", **headers})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, json.loads(content) if content else None
        finally:
            connection.close()

    def upload(self, student: str, content: bytes) -> tuple[int, Any]:
        """Send a notebook."""
        kind = {"content-type": "application/json"}
        return self.ask("POST", f"/v1/submissions?student={student}", content, **kind)

    def wait(self, name: str) -> Any:
        """Wait until a submission is done."""

        def done() -> Any:
            status, answer = self.ask("GET", f"/v1/submissions/{name}?wait=20")
            assert status == 200, answer
            return answer if answer["status"] == "done" else None

        return until(done)

    def events(self) -> list[dict[str, Any]]:
        """Read the log so far."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def count(self, state: str) -> int:
        """Count the submissions in a state."""
        return int(self.ask("GET", "/v1/queue")[1][state])


@dataclass
class Load:
    """A course, and a results folder that several services use one after the other."""

    folder: Path
    options: Sequence[str] = ()
    starts: int = field(default=0)

    def __post_init__(self) -> None:
        """Make the course."""
        self.rubric = a_course(self.folder / "course")
        self.rubric.write_text(RUBRIC, encoding="utf-8")
        self.out = self.folder / "out"

    @contextmanager
    def serving(self) -> Iterator[Served]:
        """Start the service, and wait until it answers."""
        self.starts += 1
        log = self.folder / f"log-{self.starts}.jsonl"
        places = ("--rubric", str(self.rubric), "--out", str(self.out))
        words = [str(COMMAND), "serve", *places, "--port", "0", "--json", *self.options]
        env = {**os.environ, "GRADER_DATA": str(self.rubric.parent / "data")}
        with log.open("wb") as file:
            process = subprocess.Popen(words, stdout=file, stderr=file, env=env)
        served = Served(process, log, "")
        try:
            served.address = until(lambda: _address(served))
            served.token = self.out.with_name("out-token").read_text(encoding="ascii").strip()
            yield served
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=DEADLOCK_SECONDS)


def _address(served: Served) -> str:
    """Return the address of a service that answers; empty before."""
    assert served.process.poll() is None, served.log.read_text(encoding="utf-8")
    return next((str(event["address"]) for event in served.events() if event["event"] == "serving"), "")


def upload_at_once(served: Served, numbers: Sequence[int]) -> dict[int, str]:
    """Send notebooks at the same moment; return the id of each."""
    barrier = threading.Barrier(len(numbers))

    def send(number: int) -> tuple[int, str]:
        student, content, _ = an_upload(number)
        barrier.wait()
        status, answer = served.upload(student, content)
        assert status == 202, answer
        return number, str(answer["id"])

    with ThreadPoolExecutor(len(numbers)) as pool:
        return dict(pool.map(send, numbers))


def main() -> None:
    """Measure the memory of a service under load, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--uploads", type=int, default=200)
    arguments = parser.parse_args()
    load = Load(arguments.folder)
    with load.serving() as served:
        print(f"before the first upload: {served.rss:.0f} MiB")  # noqa: T201 - the result
        for start in range(0, arguments.uploads, 50):
            ids = upload_at_once(served, range(start, min(start + 50, arguments.uploads)))
            right = sum(served.wait(name)["result"]["score"] == an_upload(number)[2] for number, name in ids.items())
            times = [event["time"] for event in served.events() if event["event"] == "done"][start:]
            pace = (len(times) - 1) / (times[-1] - times[0])
            print(f"{start + len(ids)} uploads: {right} right, {pace:.2f} per second, {served.rss:.0f} MiB")  # noqa: T201
        served.process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
