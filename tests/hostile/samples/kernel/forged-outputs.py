# ---
# tries: "Send messages with the kernel's own key that have wrong types, half characters and large metadata."
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   cells: 5
#   prints: ["still here"]
# ---
# include kernel
deep = json.loads("[" * 900 + "]" * 900)
say("display_data", {"data": {"application/json": deep, "text/plain": "x"}, "metadata": {"m": deep}, "transient": {}})
# %%
raw("stream", b'{"name": "stdout", "text": "half \\ud800 there"}')
raw("display_data", b'{"data": {"text/plain": "\\udc00", "text/html": ["\\ud800"]}, "metadata": {"\\ud800": 1}}')
raw("error", b'{"ename": "\\ud800", "evalue": "\\ud800", "traceback": ["\\ud800"]}')
# %%
for data in (7, None, [], {"text/plain": 7}, {"image/png": {"a": 1}}, {"text/html": [1]}, {"k" * 1_000_000: "x"}):
    for count in ({"x": 1}, "9" * 1000, -1, 10**400, True):
        more = {"metadata": [1], "execution_count": count, "transient": {"display_id": [1]}}
        say("execute_result", {"data": data, **more})
say("error", {"ename": 1, "evalue": None, "traceback": 5})
say("stream", {"name": [], "text": {}})
say("update_display_data", {"data": None, "transient": 5})
raw("clear_output", b"[]")
raw("status", b'"busy"')
# %%
for _ in range(30):
    say("display_data", {"data": {"text/plain": "x"}, "metadata": {"m": "x" * 1_000_000}, "transient": {}})
# %%
print("still here")
