# ---
# tries: Say that the kernel restarts, and that it wants input, debugging and a widget.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   cells: 2
#   prints: ["second"]
# ---
# include kernel
say("status", {"execution_state": "restarting"})
say("status", {"execution_state": "dead"})
say("shutdown_reply", {"restart": True})
say("input_request", {"prompt": "password: ", "password": True})
say("comm_open", {"comm_id": "x" * 100_000, "target_name": "jupyter.widget", "data": {"state": {"a": 1}}})
say("comm_msg", {"comm_id": 5, "data": []})
say("debug_event", {"event": "stopped"})
say("execute_input", {"code": "FORGED", "execution_count": 10**9})
# %%
print("second")
