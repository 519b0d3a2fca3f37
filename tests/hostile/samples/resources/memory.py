# ---
# tries: Use more memory than the budget, in pieces and in child processes.
# must:
#   outcome: refused
#   execution: memory
#   says: ["it used more than {limit:size} of memory"]
# ---
import os
import time

for _ in range(4):
    if os.fork() == 0:
        break
held = []
for _ in range(200):
    held.append(bytearray(os.urandom(1 << 20)) * 8)
    time.sleep(0.01)
time.sleep(20)
