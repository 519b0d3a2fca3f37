# ---
# tries: Describe layers by a `get_config`, a class name and a size that are made up.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   recorded: [convolution, dropout]
#   points: {accuracy: 0}
# ---
# include network
class Conv2D(keras.layers.Dense):
    def get_config(self):
        return {"name": self.name, "filters": 64, "kernel_size": (3, 3), "rate": 0.5, "units": 10}

    def count_params(self):
        return 1


Conv2D.__module__ = "keras.src.layers.convolutional.conv2d"


class Dropout(keras.layers.Dense):
    pass


model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), Conv2D(32), Dropout(10)])
model.count_params = lambda: 1
train(model, epochs=2)
