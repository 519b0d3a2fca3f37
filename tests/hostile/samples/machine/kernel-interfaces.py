# ---
# tries: Use large interfaces of the operating system in which holes were found often.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "bpf -> (EPERM|ENOSYS)"
#     - "io_uring -> (EPERM|ENOSYS)"
#     - "userfaultfd -> (EPERM|ENOSYS)"
#     - "perf_event_open -> (EPERM|ENOSYS)"
#     - "add_key -> (EPERM|ENOSYS)"
#     - "keyctl -> (EPERM|ENOSYS)"
#     - "kernel log -> (EPERM|ENOSYS)"
#     - "memfd_secret -> (EPERM|ENOSYS)"
# ---
# include attempt
attempt("bpf", lambda: call((321, 280), 0, 0, 0))
attempt("io_uring", lambda: call((425, 425), 8, 0))
attempt("userfaultfd", lambda: call((323, 282), 1))
attempt("perf_event_open", lambda: call((298, 241), 0, 0, -1, -1, 0))
attempt("add_key", lambda: call((248, 217), 0, 0, 0, 0, 0))
attempt("keyctl", lambda: call((250, 219), 0, 0, 0, 0, 0))
attempt("kernel log", lambda: call((103, 116), 3, 0, 0))
attempt("memfd_secret", lambda: call((447, 447), 0))
