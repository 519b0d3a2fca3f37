# ---
# tries: Fill memory with bytes that wait in pipes, which belong to no process.
# must:
#   outcome: [graded, flagged, refused]
#   execution: [completed, memory]
#   never: ["in pipes: \\d{4,} MiB"]
# ---
import fcntl
import os
import time

held, sent = [], 0
try:
    while len(held) < 4000:
        reading, writing = os.pipe2(os.O_NONBLOCK)
        held += [reading, writing]
        try:
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
        except OSError:
            pass
        try:
            while True:
                sent += os.write(writing, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as error:
    print(error)
time.sleep(3)
print("in pipes:", sent >> 20, "MiB")
