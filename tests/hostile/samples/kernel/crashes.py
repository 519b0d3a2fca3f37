# ---
# tries: Crash the kernel in native code.
# must:
#   outcome: refused
#   execution: died
#   says: ["it crashed with a segmentation fault"]
# ---
import ctypes

ctypes.string_at(0)
