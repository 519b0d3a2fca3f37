# ---
# tries: Hide data in a folder that nobody may open.
# must:
#   outcome: [graded, refused]
#   execution: [completed, memory]
#   says: []
# ---
import os
import time

os.mkdir("closed")
with open("closed/big", "wb") as file:
    for _ in range(80):
        file.write(os.urandom(4 << 20))
os.chmod("closed", 0)
time.sleep(4)
