# ---
# tries: "Use up the file system's table with empty files."
# must:
#   outcome: refused
#   execution: memory
#   says: ["it wrote more than {limit:number} files"]
# ---
import os
import time

for folder in range(40):
    os.mkdir(f"/tmp/{folder}")
    for number in range(10_000):
        os.close(os.open(f"/tmp/{folder}/{number}", os.O_CREAT | os.O_WRONLY))
time.sleep(15)
