# ---
# tries: Start a process that lives on after the notebook, in a session of its own.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   cells: 2
# ---
import os
import sys

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "@token@"], {})
        os._exit(0)
# %%
print("it lives on")
