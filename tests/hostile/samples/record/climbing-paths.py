# ---
# tries: Name files outside of the record as the kept model and its predictions.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
#   unverified: true
# ---
# include record
claim_model()
claim_training()
for path in ("../../../../@folder@/secret.txt", "@folder@/secret.txt", "models/../../x.keras", "models/\x00", "models", "", "."):
    for form in ("keras", "saved_model", "predictions"):
        tell("kept", model="m1", format=form, path=path, after=recorder.log.last)
