# ---
# tries: Fill the disk with one file after the other.
# must:
#   outcome: refused
#   execution: memory
#   says: ["it wrote more than {limit:size} to disk"]
# ---
import os
import time

for number in range(60):
    with open(f"f{number}", "wb") as file:
        for _ in range(10):
            file.write(os.urandom(1 << 20))
time.sleep(15)
