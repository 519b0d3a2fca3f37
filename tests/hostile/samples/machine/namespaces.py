# ---
# tries: "Get root's rights in a new user namespace, then mount the disk of the machine."
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "unshare user -> (EPERM|ENOSYS)"
#     - "clone into a user namespace -> (EPERM|ENOSYS)"
#     - "clone3 -> (ENOSYS|EPERM)"
#     - "setns -> (EPERM|ENOSYS)"
#     - "mount -> (EPERM|ENOSYS)"
#     - "pivot_root -> (EPERM|ENOSYS)"
#     - "open_by_handle_at -> (EPERM|ENOSYS)"
# ---
# include attempt
attempt("unshare user", lambda: call((272, 97), 0x10000000))
attempt("clone into a user namespace", lambda: call((56, 220), 0x10000011, 0, 0, 0, 0))
attempt("clone3", lambda: call((435, 435), 0, 0))
attempt("setns", lambda: call((308, 268), os.open("/proc/self/ns/mnt", os.O_RDONLY), 0))
attempt("mount", lambda: call((165, 40), 0, 0, 0, 0, 0))
attempt("pivot_root", lambda: call((155, 41), 0, 0))
attempt("open_by_handle_at", lambda: call((304, 265), 3, 0, 0))
