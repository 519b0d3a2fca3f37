# ---
# tries: Replace the saved file by another network after the recorder has saved it.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
# ---
# include network
# include lookup
model = build()
history = train(model)
# %%
import glob

other = lookup()
fill(other)
for path in glob.glob("/record/models/*.keras"):
    other.save("other.keras")
    with open(path, "wb") as target:
        target.write(open("other.keras", "rb").read())
