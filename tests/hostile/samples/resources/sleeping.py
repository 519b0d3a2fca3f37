# ---
# tries: Sleep forever, and ignore every signal that asks it to stop.
# must:
#   outcome: refused
#   execution: timeout
#   cells: 1
#   says: ["the notebook's time limit of {limit:seconds} ran out in {cell:cell}"]
# ---
import signal
import time

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        time.sleep(3600)
    except BaseException:
        continue
# %%
print("never")
