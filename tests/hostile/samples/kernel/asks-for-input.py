# ---
# tries: Wait for a person at the keyboard.
# must:
#   outcome: graded
#   execution: [cell_error, completed]
#   criteria: {runs: [failed, partial]}
#   prints: ["NobodyThereError"]
# ---
answer = input("Full marks? ")
