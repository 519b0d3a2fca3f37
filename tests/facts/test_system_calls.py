"""The table of system calls."""

import re
from pathlib import Path

import pytest

from grader.facts.system_calls import GROUPS, MACHINES, system_call_problem, system_calls

HEADERS = Path("/usr/include")
GENERIC = HEADERS / "asm-generic/unistd.h"
X86 = ("x86_64-linux-gnu/asm/unistd_64.h", "asm/unistd_64.h")
SEEN = (
    "read write openat close fstat mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl pread64 execve wait4 "
    "futex getrandom clone exit_group exit set_robust_list rseq prlimit64 epoll_pwait pipe2 dup3 getdents64 statx "
    "socket connect sendmsg recvmsg eventfd2 sched_getaffinity madvise clock_nanosleep memfd_create pidfd_open"
)


def numbers_in(text: str) -> dict[str, int]:
    """Read `#define __NR_name number`; the generic header has 64-bit calls as `__NR3264_name`."""
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", text, re.MULTILINE)
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("machine", MACHINES)
def test_each_number_is_that_of_the_headers(machine: str) -> None:
    paths = [HEADERS / name for name in X86] if machine == "x86_64" else [GENERIC]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        pytest.skip("the headers of Linux are not installed")
    header = numbers_in(path.read_text(encoding="utf-8"))
    assert len(header) > 250
    ours = {call.numbers[machine]: call.name for call in system_calls().values() if machine in call.numbers}
    theirs = {number: name for name, number in header.items() if name not in {"syscalls", "arch_specific_syscall"}}
    other = {number: theirs[number] for number, name in ours.items() if theirs.get(number, name) != name}
    # The generic header names some calls by their forms for 32 and for 64 bits; the last one counts.
    forms = {"fadvise64": "fadvise64_64", "newfstatat": "fstatat", "mmap": "mmap2", "lseek": "llseek"}
    assert {number: name for number, name in other.items() if forms.get(ours[number]) != name} == {}
    newest = max(ours)
    missing = {name for number, name in theirs.items() if number <= newest and number not in ours}
    # 32-bit machines alone have these.
    assert {name for name in missing if not name.endswith("time64")} <= {"clock_settime64", "clock_adjtime64"}


def test_no_number_and_no_name_is_listed_twice() -> None:
    for machine in MACHINES:
        numbers = [call.numbers[machine] for call in system_calls().values() if machine in call.numbers]
        assert len(numbers) == len(set(numbers)) > 300
    assert len(system_calls()) == 381


def test_each_call_has_a_rule_an_explained_group_and_an_answer() -> None:
    for call in system_calls().values():
        assert (call.rule == "allowed") == (call.answer == "-"), call
        assert call.group in GROUPS
        assert call.numbers
    assert {call.group for call in system_calls().values()} == set(GROUPS)


def test_ordinary_calls_are_allowed_and_dangerous_ones_never() -> None:
    calls = system_calls()
    assert {name for name in SEEN.split() if calls[name].rule != "allowed"} == set()
    dangerous = "mount umount2 bpf ptrace kexec_load init_module keyctl unshare setns pidfd_getfd process_vm_writev"
    assert {name for name in dangerous.split() if calls[name].rule != "never"} == set()


def test_a_rubric_can_allow_calls_on_request_and_learns_why_not_others() -> None:
    assert system_call_problem("io_uring_setup") == ""
    assert system_call_problem("io_uring_setpu").endswith("'io_uring_setpu'; did you mean 'io_uring_setup'?")
    assert "did you mean 'mount'" in system_call_problem("mont")
    assert "the choices are io_uring_setup" in system_call_problem("xyzzy")
    assert system_call_problem("read") == "the system call 'read' is always allowed, so leave it out"
    assert "no rubric can allow the system call 'mount' (namespaces" in system_call_problem("mount")
