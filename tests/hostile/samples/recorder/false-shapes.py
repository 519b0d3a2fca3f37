# ---
# tries: Claim another shape for the input and other layers through properties of a subclass.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   recorded: [input, convolution]
#   points: {accuracy: 0}
# ---
# include network
class Net(keras.Sequential):
    input_shape = (None, 28, 28, 1)

    @property
    def layers(self):
        return [keras.layers.Conv2D(8, 3, name="claimed"), *super().layers]


model = Net([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
train(model, x.reshape(-1, 784), y, epochs=2)
