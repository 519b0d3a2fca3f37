# ---
# tries: Let a shell start itself twice without an end, from programs that are no Python.
# must:
#   outcome: [graded, flagged, refused]
#   execution: [completed, memory, died, timeout]
#   never: ["at most \\d{4,} processes"]
# ---
import os
import subprocess
import time

bomb = subprocess.Popen(["bash", "-c", "b() { b | b & }; b"], stderr=subprocess.DEVNULL, start_new_session=True)
ends, most = time.time() + 5, 0
while time.time() < ends:
    most = max(most, sum(name.isdigit() for name in os.listdir("/proc")))
    time.sleep(0.05)
print("at most", most, "processes")
