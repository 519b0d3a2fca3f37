# ---
# tries: Fill memory with messages that wait in sockets.
# must:
#   outcome: [graded, flagged, refused]
#   execution: [completed, memory]
#   never: ["in flight: \\d{4,} MiB"]
# ---
import resource
import socket

limit = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
held, sent = [], 0
try:
    while len(held) < 9000:
        pair = socket.socketpair()
        held += pair
        for end in pair:
            end.setblocking(False)
            try:
                while True:
                    sent += end.send(b"x" * 65536)
            except BlockingIOError:
                pass
except OSError as error:
    print(error)
print("in flight:", sent >> 20, "MiB")
