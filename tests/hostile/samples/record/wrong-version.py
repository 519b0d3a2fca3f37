# ---
# tries: Claim a record of a version that does not exist yet, so that readers guess.
# must:
#   outcome: flagged
#   execution: completed
#   criteria: {accuracy: [pending, failed]}
#   unverified: true
# ---
with open("/record/events.jsonl", "w") as record:
    for version in (99, -1, "1", None, [1], 10**100):
        record.write('{"n": 1, "t": 0.0, "cell": 0, "kind": "start", "version": %s, "versions": {}}\n' % __import__("json").dumps(version))
