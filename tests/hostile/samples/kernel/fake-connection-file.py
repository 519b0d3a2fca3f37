# ---
# tries: Replace the connection file, so that the grader talks to another kernel.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   cells: 2
#   prints: ["second"]
# ---
# include kernel
import os

path = app.abs_connection_file
try:
    os.unlink(path)
    with open(path, "w") as file:
        json.dump({"transport": "tcp", "ip": "127.0.0.1", "shell_port": @port@, "iopub_port": @port@, "key": ""}, file)
except OSError as error:
    print(error)
# %%
print("second")
