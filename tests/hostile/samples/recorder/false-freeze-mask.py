# ---
# tries: Call layers frozen that are not, and trainable that are, by properties that answer as asked.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   cells: 2
# ---
# include network
class Liar(keras.layers.Dense):
    @property
    def trainable(self):
        return False

    @trainable.setter
    def trainable(self, value):
        pass

    @property
    def trainable_variables(self):
        return list(self.variables)

    @property
    def trainable_weights(self):
        return list(self.variables)


model = build(Liar(16))
# %%
train(model, epochs=2)
