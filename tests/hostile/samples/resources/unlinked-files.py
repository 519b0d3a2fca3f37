# ---
# tries: Fill the disk with files that have no name, so that no search finds them.
# must:
#   outcome: refused
#   execution: memory
#   says: ["it wrote more than {limit:size} to disk"]
# ---
import os
import time

held = []
for number in range(60):
    file = os.open(f"f{number}", os.O_CREAT | os.O_RDWR)
    os.unlink(f"f{number}")
    held.append(file)
    for _ in range(10):
        os.write(file, os.urandom(1 << 20))
time.sleep(15)
