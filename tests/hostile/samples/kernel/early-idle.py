# ---
# tries: Report that the kernel is idle while the cell still runs, so that its time does not count.
# must:
#   outcome: graded
#   execution: completed
#   cells: 2
#   prints: ["second"]
# ---
# include kernel
say("status", {"execution_state": "idle"})
time.sleep(2)
print("late")
# %%
print("second")
