# ---
# tries: Print every variable and every command line, in the hope of a password.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints: ["COURSE_PASSWORD None"]
# ---
import glob
import os

print("COURSE_PASSWORD", os.environ.get("COURSE_PASSWORD"))
for name, value in os.environ.items():
    print(name, value[:200])
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        print(path, open(path).read().replace("\0", " ")[:3000])
    except OSError as error:
        print(path, error)
