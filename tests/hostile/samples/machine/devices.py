# ---
# tries: Make a node for the disk of the machine, and programs that run as their owner.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "disk -> (EPERM|ENOSYS)"
#     - "zero -> (EPERM|ENOSYS)"
#     - "become root -> (EPERM|EINVAL)"
#     - "groups -> EPERM"
#     - "chroot -> (EPERM|ENOSYS)"
#     - "clock -> (EPERM|ENOSYS)"
#     - "reboot -> (EPERM|ENOSYS)"
#     - "module -> (EPERM|ENOSYS)"
#     - "swap -> (EPERM|ENOSYS)"
#     - "as its owner: \\d+, not 0"
# ---
# include attempt
import shutil
import subprocess

attempt("disk", lambda: os.mknod("disk", 0o60600, os.makedev(8, 0)))
attempt("zero", lambda: os.mknod("zero", 0o20600, os.makedev(1, 5)))
attempt("become root", lambda: os.setuid(0))
attempt("groups", lambda: os.setgroups([0]))
attempt("chroot", lambda: os.chroot("/"))
attempt("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0))
attempt("reboot", lambda: call((169, 142), 0, 0, 0, 0))
attempt("module", lambda: call((175, 105), 0, 0, 0))
attempt("swap", lambda: call((167, 224), 0, 0))
shutil.copy("/usr/bin/id", "mine")
os.chmod("mine", 0o6755)
number = subprocess.run(["./mine", "-u"], capture_output=True, text=True).stdout.strip()
print(f"as its owner: {number}, not {0 if number != '0' else 'safe'}")
