# ---
# tries: Print for as long as the notebook may run.
# must:
#   outcome: [graded, refused]
#   execution: [completed, timeout, died, memory]
# ---
import time

ends = time.time() + 6
line = "x" * 1000 + "\n"
while time.time() < ends:
    print(line * 100)
print("the end")
