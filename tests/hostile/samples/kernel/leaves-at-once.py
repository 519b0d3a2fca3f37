# ---
# tries: End the kernel with the exit code of a success, before the cells that would fail.
# must:
#   outcome: refused
#   execution: died
#   cells: 1
#   criteria: {runs: [failed, partial]}
#   says: ["the kernel ended in {cell:cell}"]
# ---
import ctypes

ctypes.CDLL(None)._exit(0)
# %%
raise ValueError
