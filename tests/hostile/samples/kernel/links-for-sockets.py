# ---
# tries: "Make the kernel's sockets lead to a socket of the machine, so that the grader connects to it as root."
# must:
#   outcome: refused
#   execution: died
#   says: ["the kernel ended in {cell:cell} ({cause})"]
# ---
import glob
import os
import sys
import time

for folder in glob.glob("/tmp/g*"):
    print(folder, os.listdir(folder))
    for name in os.listdir(folder):
        if name.startswith("k-"):
            os.unlink(f"{folder}/{name}")
            os.symlink("@folder@/inner.sock", f"{folder}/{name}")
sys.stdout.flush()
time.sleep(0.5)
os.closerange(3, 4096)
time.sleep(4)
os._exit(3)
# %%
print("second")
