# ---
# tries: Find the grader among the processes, read its memory and its variables, trace it and kill it.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "foreign processes: \\[\\]"
#     - "kill grader -> (ESRCH|EPERM)"
#     - "its variables -> (ENOENT|EACCES|EPERM)"
#     - "ptrace -> (EPERM|ENOSYS)"
#     - "process_vm_readv -> (EPERM|ENOSYS)"
#     - "pidfd_getfd -> (EPERM|ENOSYS)"
#     - "memory of process 1 -> (EACCES|EPERM|EIO)"
# ---
# include attempt
import signal

names = {}
for entry in os.listdir("/proc"):
    if entry.isdigit():
        try:
            names[entry] = open(f"/proc/{entry}/cmdline").read().replace("\0", " ")
        except OSError:
            names[entry] = "?"
print("foreign processes:", [name for name in names.values() if "tests.hostile" in name or " grade " in name])
attempt("kill grader", lambda: os.kill(@parent@, signal.SIGKILL) if not os.path.exists("/proc/@parent@/ns") else os.kill(2**22 - 1, 9))
attempt("its variables", lambda: open("/proc/@parent@/environ").read())
attempt("ptrace", lambda: call((101, 117), 16, 1, 0, 0))
attempt("process_vm_readv", lambda: call((310, 270), 1, 0, 0, 0, 0, 0))
attempt("pidfd_getfd", lambda: call((438, 438), 0, 0, 0))
attempt("memory of process 1", lambda: open("/proc/1/mem", "rb").read(1))
