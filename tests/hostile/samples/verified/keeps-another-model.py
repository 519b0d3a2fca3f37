# ---
# tries: Have the recorder save another network instead of the trained one.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
# ---
# include network
# include lookup
import inside.watch.artefacts as artefacts

other = lookup()
fill(other)
real = artefacts.save
artefacts.save = lambda model, path: real(other, path)
model = build()
history = train(model)
