# ---
# tries: Start processes until nothing else runs.
# must:
#   outcome: [graded, refused]
#   execution: [completed, memory, died, timeout]
#   never: ["at most \\d{4,} processes"]
# ---
import os
import time

ends, most, kernel = time.time() + 5, 0, os.getpid()
while time.time() < ends:
    try:
        os.fork()
    except OSError:
        time.sleep(0.02)
    if os.getpid() == kernel:
        most = max(most, sum(name.isdigit() for name in os.listdir("/proc")))
if os.getpid() != kernel:
    os._exit(0)
print("at most", most, "processes")
