# ---
# tries: "Remove everything that it can reach: its sockets, its record, its submission."
# must:
#   outcome: flagged
#   execution: completed
#   cells: 2
# ---
import glob
import os
import shutil

for folder in (*glob.glob("/tmp/g*"), "/record", "/home/student/submission"):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
# %%
x = 1
