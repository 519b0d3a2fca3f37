# ---
# tries: Send SIGKILL to every process that it can reach, its own parents first.
# must:
#   outcome: [graded, refused]
#   execution: [completed, died, none]
#   criteria: {accuracy: [failed, pending]}
#   unverified: true
# ---
import os
import signal

for target in (os.getppid(), 1, -1):
    try:
        os.kill(target, signal.SIGKILL)
    except OSError as error:
        print(target, error)
os.kill(os.getpid(), signal.SIGKILL)
