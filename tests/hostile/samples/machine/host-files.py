# ---
# tries: Read the rubric, the results, keys, the work of others, and write a mark on the machine.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   prints:
#     - "secret -> (ENOENT|EACCES|EPERM)"
#     - "key -> (ENOENT|EACCES|EPERM)"
#     - "rubric -> (ENOENT|EACCES|EPERM)"
#     - "others -> (ENOENT|EACCES|EPERM)"
#     - "mark -> (ENOENT|EACCES|EPERM|EROFS)"
#     - "shadow -> (ENOENT|EACCES|EPERM)"
#     - "root -> (ENOENT|EACCES|EPERM)"
#     - "up -> (ENOENT|EACCES|EPERM)"
#     - "found: \\[\\]"
# ---
# include attempt
import pathlib

attempt("secret", lambda: open("@folder@/secret.txt").read())
attempt("key", lambda: open("@home@/.ssh/id_ed25519").read())
attempt("rubric", lambda: open("@course@/rubric.yaml").read())
attempt("others", lambda: os.listdir("@course@/../class"))
attempt("mark", lambda: open("@folder@/mark-host-files", "w"))
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("root", lambda: os.listdir("/root/.ssh"))
attempt("up", lambda: open("/proc/self/root/../../../@course@/rubric.yaml").read())
found = []
for top in ("/home", "/tmp", "/var", "/root", "/mnt", "/srv", "/opt", "/run", "/data"):
    for folder, folders, names in os.walk(top):
        for name in names:
            if name in ("rubric.yaml", "id_ed25519", "secret.txt", "grader.sqlite", "grade.json", "y_test_held_back.npy"):
                found.append(os.path.join(folder, name))
print("found:", found)
