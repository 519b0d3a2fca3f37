# ---
# tries: Nothing. An honest student, whose own `train_step` runs eagerly to find an error.
# honest: true
# must:
#   outcome: graded
#   execution: completed
#   criteria: {trained: passed, accuracy: passed}
# ---
# include network
class Net(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


model = Net(build().layers)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
history = model.fit(x, y, epochs=12, batch_size=20, validation_data=(xt, yt), verbose=0)
