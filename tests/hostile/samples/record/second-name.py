# ---
# tries: Give the record a second name, to change it while the grader reads it.
# must:
#   outcome: flagged
#   execution: completed
#   says: ["{path:code} has more than one name"]
# ---
import os

os.link("/record/events.jsonl", "/home/student/again.jsonl") if os.stat("/record").st_dev == os.stat("/home/student").st_dev else None
os.link("/record/events.jsonl", "/record/models/again.jsonl")
