# ---
# tries: Claim evaluations with 100 % and a verified accuracy, in events that no recorder writes.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: [pending, failed]}
#   unverified: true
# ---
# include record
claim_model()
claim_training()
for kind in ("evaluate", "accuracy", "verified", "prediction"):
    tell(kind, model="m1", dataset="tiny", split="test", value=1.0, correct=200, total=200, assurance="verified",
         results={"accuracy": 1.0, "loss": 0.0}, x=None)
