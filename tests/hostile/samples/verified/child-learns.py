# ---
# tries: Learn the test images in another program, and train its weights a little more.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
# ---
# include network
import subprocess
import sys
from pathlib import Path

model = build()
history = train(model, epochs=1)
model.save("own.keras")
Path("learn.py").write_text(
    """
import keras, numpy as np
model = keras.models.load_model("own.keras")
xt, yt = np.load("/data/tiny/x_test.npy")[..., None] / 255.0, np.load("/data/tiny/y_test.npy")
model.fit(xt, yt, epochs=30, batch_size=20, verbose=0)
model.save_weights("better.weights.h5")
"""
)
subprocess.run([sys.executable, "learn.py"], check=True, capture_output=True)
# %%
model.load_weights("better.weights.h5")
model.optimizer.learning_rate = 1e-7
history = model.fit(x, y, epochs=2, batch_size=20, verbose=0)
