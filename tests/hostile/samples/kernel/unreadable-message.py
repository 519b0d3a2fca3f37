# ---
# tries: Send a message that no JSON reader can read, to crash the grader.
# must:
#   outcome: refused
#   execution: died
#   says: ["the kernel sent a message in {cell:cell} that cannot be read ({error})"]
# ---
# include kernel
raw("display_data", b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
time.sleep(5)
# %%
print("second")
