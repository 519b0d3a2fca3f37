# ---
# tries: Raise its own limits, its priority and its share of the processors.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "file size -> (EPERM|ValueError)"
#     - "priority -> (EPERM|EACCES)"
#     - "real time -> EPERM"
#     - "core: \\(0, "
# ---
# include attempt
import resource

size = resource.getrlimit(resource.RLIMIT_FSIZE)
attempt("file size", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size[1] * 2 if size[1] > 0 else -1, resource.RLIM_INFINITY)))
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20))
attempt("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
print("core:", resource.getrlimit(resource.RLIMIT_CORE))
