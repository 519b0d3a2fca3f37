# ---
# tries: Fill memory with page tables, which count in no process.
# must:
#   outcome: refused
#   execution: memory
#   says: ["it used more than {limit:size} of memory"]
# ---
import ctypes
import time

import numpy as np

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
total = 0
for _ in range(8):
    size = 1 << 38
    place = libc.mmap(None, size, 1, 0x22 | 0x4000, -1, 0)
    libc.madvise(place, size, 15)
    first = np.frombuffer((ctypes.c_char * 8).from_address(place), np.uint8)
    total += int(np.lib.stride_tricks.as_strided(first, (size >> 21,), (1 << 21,)).sum())
print(total)
time.sleep(15)
