"""A mailing that is killed again and again: nobody gets a message twice, and nobody is left out."""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from queue import SimpleQueue

import pytest

from grader.store.results import ResultsFolder
from tests.support.command import COMMAND, RUBRIC, grader
from tests.support.mail_server import Inbox, mail_server
from tests.support.mailing import a_grade
from tests.support.waiting import DEADLOCK_SECONDS

STUDENTS = 60
KILLS = 30
MOST_STEPS = 9
"""Commands of the server's client until it is killed; a message takes four."""


def a_class(folder: Path, inbox: Inbox) -> tuple[list[str], dict[str, str]]:
    """Make results, roster and site file; return the command's words and its environment."""
    out = ResultsFolder(folder / "results")
    lines = ["id,email"]
    for number in range(STUDENTS):
        out.write_grade(a_grade(f"s{number}"))
        lines.append(f"s{number},s{number}@example.org")
    (folder / "roster.csv").write_text("\n".join(lines), encoding="utf-8")
    (folder / "tiny.yaml").write_text(RUBRIC, encoding="utf-8")
    settings = f"server: 127.0.0.1, port: {inbox.port}, security: none, sender: course@example.org, rate: 100000"
    (folder / "site.yaml").write_text(f"version: 1\nmail: {{{settings}}}\n", encoding="utf-8")
    words = ["mail", str(out.root), "--roster", str(folder / "roster.csv"), "--rubric", str(folder / "tiny.yaml")]
    return words, {"GRADER_CONFIG": str(folder / "site.yaml")}


def killed_run(words: list[str], environment: dict[str, str], inbox: Inbox, moments: random.Random) -> None:
    """Start a mailing and kill it: a moment after some command, or some time after its start."""
    pause = moments.random() ** 2 * 0.004
    steps = moments.randrange(MOST_STEPS) if moments.random() < 0.8 else None
    process = subprocess.Popen(
        [str(COMMAND), *words, "--send"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first = inbox.steps

    def kill(step: int) -> None:
        if steps is not None and step - first > steps:
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)

    inbox.at_step = kill
    try:
        # Most of this time is the start of Python: a longer one lets a fast machine send everything.
        process.wait(timeout=moments.random() * 0.8 if steps is None else DEADLOCK_SECONDS)
    except subprocess.TimeoutExpired:
        assert steps is None, "the mailing did not end"
        process.kill()
        process.wait()
    inbox.at_step = None


@pytest.mark.slow
def test_a_mailing_killed_at_thirty_moments_sends_each_message_once(tmp_path: Path) -> None:
    moments = random.Random(11)  # noqa: S311 - moments, not secrets
    with mail_server() as inbox:
        words, environment = a_class(tmp_path, inbox)
        for _ in range(KILLS):
            killed_run(words, environment, inbox, moments)
        halfway = len(inbox.messages)
        last = grader(*words, "--send", "--json", env=environment)
    rows = {row["address"]: row["state"] for row in json.loads(last.out)["messages"]}
    got = Counter(inbox.recipients())
    unknown = {address for address, state in rows.items() if state == "unknown"}
    assert 0 < halfway < STUDENTS, "the kills were not spread over the class"
    assert max(got.values()) == 1
    assert set(rows) == {f"s{number}@example.org" for number in range(STUDENTS)}
    assert set(rows) - set(got) <= unknown
    assert {address for address, state in rows.items() if state != "unknown"} <= set(got)
    assert set(rows.values()) <= {"sent", "done", "unknown"}
    page = (tmp_path / "results" / "mail" / "index.html").read_text(encoding="utf-8")
    assert page.count("unknown: perhaps sent") == len(unknown) + bool(unknown)


@pytest.mark.parametrize("moment", ["before the text", "after the dot"])
def test_a_mailing_killed_at_one_moment_says_what_happened(tmp_path: Path, moment: str) -> None:
    """The server's fourth step of a message comes after it accepted the message, before the answer arrives."""
    step = {"before the text": 2, "after the dot": 4}[moment]
    with mail_server() as inbox:
        words, environment = a_class(tmp_path, inbox)
        started = SimpleQueue["subprocess.Popen[bytes]"]()
        # Asked for before the start: the server waits in the step for the process that it ends.
        inbox.at_step = lambda number: started.get().kill() if number == step else None
        with subprocess.Popen(
            [str(COMMAND), *words, "--send", "--only", "s7"], env=os.environ | environment
        ) as process:
            started.put(process)
            try:
                assert process.wait(timeout=DEADLOCK_SECONDS) == -signal.SIGKILL
            finally:
                process.kill()
        inbox.at_step = None
        done = grader(*words, "--send", "--only", "s7", env=environment)
        assert inbox.recipients() == ["s7@example.org"]
        if moment == "before the text":
            assert done.code == 0
            return
        assert done.code == 3
        assert "perhaps sent" in done.out
        again = grader(*words, "--send", "--only", "s7", "--resend", "s7", env=environment)
    assert again.code == 0
    assert inbox.recipients() == ["s7@example.org"] * 2
