# ---
# tries: Replace the record by a pipe, so that the grader waits for a writer forever.
# must:
#   outcome: flagged
#   execution: completed
#   says: ["{path:code} is a link, a pipe or a device"]
# ---
import os

os.unlink("/record/events.jsonl")
os.mkfifo("/record/events.jsonl")
os.mkfifo("/record/models/m1.keras")
