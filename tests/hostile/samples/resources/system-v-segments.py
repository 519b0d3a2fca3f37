# ---
# tries: Hold memory in System V segments, which stay when their process ends.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints: ["segment -> (EPERM|ENOSYS)", "semaphores -> (EPERM|ENOSYS)", "queue -> (EPERM|ENOSYS)"]
# ---
# include attempt
attempt("segment", lambda: call((29, 194), 0, 1 << 30, 0o1600))
attempt("semaphores", lambda: call((64, 190), 0, 100, 0o1600))
attempt("queue", lambda: call((68, 186), 0, 0o1600))
