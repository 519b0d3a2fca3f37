# ---
# tries: "Answer for the kernel that the failing cell was fine, before the kernel's own answer."
# open: The answer of the kernel is believed, although an output shows the exception; that is worth the points of `runs`.
# must:
#   outcome: [graded, flagged]
#   execution: cell_error
#   criteria: {runs: [failed, partial]}
# ---
# include kernel
real = session.send


def send(stream, kind, content=None, parent=None, ident=None, **others):
    if kind == "execute_reply" and isinstance(content, dict):
        content = {"status": "ok", "execution_count": 99, "user_expressions": {}, "payload": []}
    return real(stream, kind, content, parent, ident, **others)


session.send = send
# %%
raise ValueError("not seen in the answer, but in the output")
