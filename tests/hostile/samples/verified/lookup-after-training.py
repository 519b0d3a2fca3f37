# ---
# tries: Put a table of the test images into the weights after the training, in another cell.
# must:
#   outcome: [flagged, graded]
#   execution: completed
#   points: {accuracy: 0}
# ---
# include network
# include lookup
model = lookup()
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=20, verbose=0)
# %%
fill(model)
model.save("model.keras")
