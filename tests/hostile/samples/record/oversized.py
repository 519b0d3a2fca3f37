# ---
# tries: Write more events than the grader can hold in memory.
# must:
#   outcome: flagged
#   execution: completed
#   unverified: true
#   says: ["{path:code} is too large ({size:size})"]
# ---
line = b'{"n": 5, "t": 1.0, "cell": 1, "kind": "ignored", "what": "' + b"x" * 60_000 + b'"}\n'
with open("/record/events.jsonl", "ab") as record:
    for _ in range(3000):
        record.write(line)
