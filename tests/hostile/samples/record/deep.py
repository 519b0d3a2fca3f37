# ---
# tries: "Nest the JSON of an event deeper than a reader's stack."
# must:
#   outcome: flagged
#   execution: completed
#   unverified: true
# ---
with open("/record/events.jsonl", "ab") as record:
    record.write(b'{"n": 7, "t": 1.0, "cell": 1, "kind": "model", "model": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n")
    record.write(b'{"n": 8, "t": 1.0, "cell": 1, "kind": "model", "model": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}\n")
