# ---
# tries: Have a convolution and dropout that change nothing, since their branch is multiplied by zero.
# must:
#   outcome: [flagged, graded]
#   execution: completed
#   criteria: {convolution: [pending, failed], dropout: [pending, failed]}
# ---
# include network
inputs = keras.Input((28, 28, 1))
branch = keras.layers.Flatten()(keras.layers.Dropout(0.1)(keras.layers.Conv2D(1, 28)(inputs)))
branch = keras.layers.Dense(10, kernel_initializer="zeros", trainable=False)(branch)
outputs = keras.layers.Dense(10)(keras.layers.Flatten()(inputs))
model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Add()([outputs, branch])))
history = train(model, epochs=12)
