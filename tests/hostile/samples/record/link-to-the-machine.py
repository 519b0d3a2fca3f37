# ---
# tries: Replace the record and a model by links to files of the machine, for the grader to read as root.
# must:
#   outcome: flagged
#   execution: completed
#   unverified: true
#   says: ["{path:code} is a link, a pipe or a device"]
# ---
# include record
import os

claim_model()
claim_training()
tell("kept", model="m1", format="keras", path="models/m1.keras", after=recorder.log.last)
os.symlink("@folder@/secret.txt", "/record/models/m1.keras")
os.symlink("@folder@/secret.txt", "/record/arrays/a1.npz")
os.rename("/record/events.jsonl", "/record/models/events.jsonl")
os.symlink("@folder@/secret.txt", "/record/events.jsonl")
