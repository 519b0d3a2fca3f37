# ---
# tries: Send outputs and states for cells that it does not run, and for other kernels.
# must:
#   outcome: graded
#   execution: completed
#   cells: 2
#   prints: ["second"]
#   never: ["FOREIGN"]
# ---
# include kernel
for message in ("", "0" * 32, "x" * 1000):
    header = json.dumps({"msg_id": message, "session": "s", "msg_type": "execute_request", "version": "5.3"}).encode()
    raw("stream", b'{"name": "stdout", "text": "FOREIGN"}', header)
    raw("status", b'{"execution_state": "idle"}', header)
    raw("error", b'{"ename": "E", "evalue": "FOREIGN", "traceback": []}', header)
# %%
print("second")
