# ---
# tries: Have the grader unpickle an object that writes a mark on the machine.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
#   unverified: true
# ---
# include record
import numpy as np


class Evil:
    def __reduce__(self):
        return (eval, ("__import__('posix').system('touch @folder@/mark-pickled')",))


claim_model()
claim_training()
np.save("/record/predictions/m1.npy", np.array([Evil()] * 200, dtype=object), allow_pickle=True)
np.savez("/record/arrays/a1.npz", fingerprints=np.array([Evil()], dtype=object), sample=np.zeros(3))
tell("kept", model="m1", format="predictions", path="predictions/m1.npy", after=recorder.log.last)
tell("arrays", file="arrays/a1.npz", arrays=[])
