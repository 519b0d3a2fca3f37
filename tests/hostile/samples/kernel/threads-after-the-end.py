# ---
# tries: Go on writing outputs and the record from threads after the last cell.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   criteria: {accuracy: [failed, pending], trained: [failed, pending]}
#   unverified: true
# ---
import atexit
import json
import threading
import time

LINE = json.dumps({"n": 10**6, "t": 1.0, "cell": 9, "kind": "problem", "text": "late"}) + "\n"


def late():
    for _ in range(200):
        with open("/record/events.jsonl", "a") as record:
            record.write(LINE)
        print("late")
        time.sleep(0.05)


for _ in range(4):
    threading.Thread(target=late).start()
atexit.register(late)
