# ---
# tries: Nest folders so deeply that nobody can measure or remove them.
# must:
#   outcome: refused
#   execution: memory
#   says: ["it made folders that are closed or nested too deeply, so their size cannot be measured"]
# ---
import os
import time

for _ in range(1500):
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
time.sleep(15)
