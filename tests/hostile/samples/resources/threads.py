# ---
# tries: Start threads until the machine has no number left for them.
# must:
#   outcome: [graded, flagged, refused]
#   execution: [memory, cell_error, completed, timeout]
#   never: ["at most \\d{5,} threads"]
# ---
import threading
import time

threading.stack_size(64 << 10)
ends, most = time.time() + 4, 0
wait = threading.Event()
while time.time() < ends:
    try:
        threading.Thread(target=wait.wait, args=(20,), daemon=True).start()
    except RuntimeError:
        time.sleep(0.1)
    most = max(most, threading.active_count())
wait.set()
print("at most", most, "threads")
