# ---
# tries: Claim hundreds of models and trainings, so that grading takes forever.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   unverified: true
# ---
# include record
for number in range(600):
    claim_model(id=f"m{number}", name=f"net{number}")
    if number % 10 == 0:
        claim_training(fit=number)
