# ---
# tries: Nothing. An honest student, whose notebook runs next to a program that takes the processors.
# honest: true
# must:
#   outcome: graded
#   score: 16
#   criteria: {runs: passed, input: passed, convolution: passed, dropout: passed, trained: passed, accuracy: passed, curve: passed, words: failed}
#   execution: completed
#   says: ["{model:code} classifies {accuracy:percent} of the {images} correctly"]
# ---
# include honest
