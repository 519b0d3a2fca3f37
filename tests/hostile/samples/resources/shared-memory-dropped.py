# ---
# tries: Hold shared pages that count in no process.
# source: MADV_DONTNEED on a shared mapping
# only: [warm-root, cold-root]
# must:
#   outcome: refused
#   execution: memory
#   says: ["it used more than {limit:size} of memory"]
# ---
import mmap
import time

held = []
for _ in range(10):
    pages = mmap.mmap(-1, 256 << 20)
    for start in range(0, 256 << 20, 4 << 20):
        pages[start : start + (4 << 20)] = b"\1" * (4 << 20)
        pages.madvise(mmap.MADV_DONTNEED, start, 4 << 20)
    held.append(pages)
time.sleep(15)
