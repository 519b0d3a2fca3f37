# ---
# tries: Use files and sockets that the kernel inherited from the grader.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints: ["strange: \\[\\]"]
# ---
import os
import stat

strange = []
for name in os.listdir("/proc/self/fd"):
    try:
        place, mode = os.readlink(f"/proc/self/fd/{name}"), os.fstat(int(name)).st_mode
    except OSError:
        continue
    if any(word in place for word in ("rubric", "results", "class", "course", "sqlite")) or stat.S_ISDIR(mode):
        strange.append((name, place))
print("strange:", strange)
