# ---
# tries: Take the processors from its neighbors with forty spinning sessions.
# must:
#   outcome: [graded, refused]
#   execution: [completed, timeout]
# ---
import os
import time

for _ in range(40):
    if os.fork() == 0:
        os.setsid()
        ends = time.time() + 8
        while time.time() < ends:
            pass
        os._exit(0)
time.sleep(8)
print("hogged")
