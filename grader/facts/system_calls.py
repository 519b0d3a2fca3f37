"""The system calls of Linux, and which of them a sandbox allows.

`system_calls.tsv` lists each call with its numbers on x86-64 and on ARM 64, the rule for it, its group, the error that
a program gets if the call is refused, and whether ordinary programs were seen to use it. The numbers are those of the
headers of Linux; a test compares them with the installed headers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from grader.facts.nearest import did_you_mean

__all__ = ["GROUPS", "MACHINES", "Answer", "Rule", "SystemCall", "system_call_problem", "system_calls"]

Rule = Literal["allowed", "on request", "never"]
Answer = Literal["-", "EPERM", "ENOSYS"]
MACHINES = ("x86_64", "aarch64")
"""Names of machines as in `os.uname().machine`, in the order of the columns."""
GROUPS: Mapping[str, str] = {
    "files": "Files and folders; the mounts and the user id decide which.",
    "memory": "Memory of the process itself, and where it is placed (NUMA).",
    "processes": "Processes and threads. `clone` may not make namespaces, and `personality` only sets common modes.",
    "scheduling": "Cores and priorities of the sandbox's own processes.",
    "signals": "Signals.",
    "time": "Clocks and timers.",
    "waiting": "Locks, events and waiting for files.",
    "sockets": "Sockets of the families AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK. There is no network.",
    "identity": "Its user, rights and filters, which only become narrower; the name of the system; random numbers.",
    "System V": "Use of System V memory, semaphores and queues, which only calls on request can make.",
    "kernel interfaces": "Large parts of Linux with many past vulnerabilities.",
    "uncounted memory": "Memory that belongs to no process, or that outlives its process.",
    "other processes": "Memory and files of other processes.",
    "system information": "Facts about the machine, its clock and its file systems.",
    "newer": "Calls of newer versions of Linux that no notebook needs; the error makes libraries use an older one.",
    "namespaces and mounts": "Namespaces, in which a user would have root's privileges, and mounts.",
    "kernel": "The kernel itself: its modules, programs and log, and the processor's tables.",
    "keys": "Keys of the grader's user, which namespaces do not separate.",
    "machine": "Settings of the whole machine.",
    "clone3": "Its flags cannot be checked. The error makes the C library use `clone`.",
    "obsolete": "Calls that Linux no longer has, or never had on these machines.",
}
"""Group of calls → an explanation of it."""


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One system call."""

    name: str
    numbers: Mapping[str, int]
    """Machine → the number of the call there; machines without the call are missing."""
    rule: Rule
    """`on request`: a rubric may allow it; `never`: no rubric may."""
    group: str
    """Key of `GROUPS`."""
    answer: Answer
    """Name of the error that a program gets; `-` for an allowed call."""
    recorded: bool
    """Whether it was recorded in ordinary notebooks and programs on x86-64."""


@cache
def system_calls() -> Mapping[str, SystemCall]:
    """Read the table: name → call."""
    header, *lines = files(__package__).joinpath("system_calls.tsv").read_text(encoding="ascii").splitlines()
    columns = header.split("\t")
    return {call.name: call for call in (_call(dict(zip(columns, line.split("\t"), strict=True))) for line in lines)}


def system_call_problem(name: str) -> str:
    """Explain why a rubric cannot allow a system call; empty if it can."""
    calls = system_calls()
    call = calls.get(name)
    if call is None:
        choices = [other.name for other in calls.values() if other.rule == "on request"]
        hint = did_you_mean(name, calls) or f"; the choices are {', '.join(choices)}"
        return f"unknown system call {name!r}{hint}"
    if call.rule == "allowed":
        return f"the system call {name!r} is always allowed, so leave it out"
    if call.rule == "never":
        reason = GROUPS[call.group][:1].lower() + GROUPS[call.group][1:].rstrip(".")
        return f"no rubric can allow the system call {name!r} ({reason})"
    return ""


def _call(row: Mapping[str, str]) -> SystemCall:
    rules: dict[str, Rule] = {rule: rule for rule in get_args(Rule)}
    answers: dict[str, Answer] = {answer: answer for answer in get_args(Answer)}
    numbers = {machine: int(row[machine]) for machine in MACHINES if row[machine] != "-"}
    return SystemCall(
        row["name"], numbers, rules[row["rule"]], row["group"], answers[row["answer"]], row["recorded"] == "yes"
    )
