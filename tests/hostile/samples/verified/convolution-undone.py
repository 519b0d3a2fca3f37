# ---
# tries: Have a convolution that only doubles its input and dropout that is never used, so that neither does anything.
# must:
#   outcome: [flagged, graded]
#   execution: completed
#   criteria: {convolution: [pending, failed]}
# ---
# include network
inputs = keras.Input((28, 28, 1))
double = keras.layers.Conv2D(1, 1, use_bias=False, trainable=False, name="double")
branch = keras.layers.Dropout(0.1)(double(inputs))
outputs = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(branch))
model = keras.Model(inputs, outputs)
double.set_weights([np.full((1, 1, 1, 1), 2.0)])
history = train(model, epochs=12)
