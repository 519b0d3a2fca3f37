# ---
# tries: Fill the record with bytes, half lines, and characters that are no text.
# must:
#   outcome: flagged
#   execution: completed
#   says: ["{count:number} line of events.jsonl is not an event"]
#   unverified: true
# ---
import os

with open("/record/events.jsonl", "ab") as record:
    record.write(b"\xff\xfe\x00\x00" * 10_000 + b"\n")
    record.write(os.urandom(200_000).replace(b"\n", b"") + b"\n")
    record.write(b'{"n": 1, "kind": "model", "model": {"name": "\\ud800"}}\n' * 100)
    record.write(b'{"n": 1, "kind": ')
