# ---
# tries: Change settings of the operating system through /proc and /sys.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints: ["changed: \\[\\]"]
# ---
import os

places = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sysrq-trigger",
    "/proc/1/uid_map",
    "/proc/self/uid_map",
    "/proc/self/setgroups",
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/unified/cgroup.procs",
    "/sys/kernel/uevent_helper",
    "/dev/kmsg",
    "/dev/mem",
]
changed = []
for place in places:
    try:
        with open(place, "w") as file:
            file.write("1")
        changed.append(place)
    except OSError as error:
        print(place, type(error).__name__)
print("changed:", changed)
