# ---
# tries: Replace the record by a folder, and add folders that no record has.
# must:
#   outcome: flagged
#   execution: completed
#   says: ["the folder {path:code} is not part of a record"]
# ---
import os

os.unlink("/record/events.jsonl")
os.mkdir("/record/events.jsonl")
os.mkdir("/record/events.jsonl/x")
os.mkdir("/record/.. ")
