# ---
# tries: Use the same numbers of events, trainings and models many times, and refer to some in the future.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   unverified: true
# ---
# include record
for number in range(3):
    claim_model(name=f"net{number}")
    claim_training(fit=1)
    claim_training(fit=2**70)
    tell("kept", model="m1", format="keras", path="models/m1.keras", after=10**9)
    tell("fit_end", fit=77, status="completed", epochs=3, history={"loss": [1, 0]})
    recorder.log.last = 1
    recorder.log.cell = 10**9
