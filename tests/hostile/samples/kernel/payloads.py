# ---
# tries: "Replace later cells, and execute code that is in no cell, through IPython's payloads and hooks."
# must:
#   outcome: [graded, flagged]
#   execution: cell_error
#   criteria: {runs: [failed, partial]}
#   never: ["REPLACED"]
# ---
ip = get_ipython()
ip.set_next_input("print('REPLACED')", replace=True)
ip.payload_manager.write_payload({"source": "ask_exit", "keepkernel": False})
# %%
raise ValueError("the cell as it was handed in")
