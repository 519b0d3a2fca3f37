# ---
# tries: Give models, layers, metrics and figures names that are scripts, escape codes and formulas.
# must:
#   outcome: flagged
#   execution: completed
#   criteria: {accuracy: pending}
#   unverified: true
# ---
# include record
N = "</script><img src=x onerror=\"document.title='PWNED'\">\x1b]0;PWNED\x07\x1b[31m [red]x[/red] \u202ertl `code` =1+1"
layer = lambda name, cls, **keys: {
    "name": N + name, "cls": cls, "custom": N, "output_shape": [10], "input_shape": [28, 28, 1], "parameters": 10**30,
    "trainable": True, "config": {"filters": N, "rate": 0.2, "activation": N, "kernel_size": [N], "units": -5}, "inbound": [N],
}
claim_model(name=N, cls=N, layers=[layer("c", "Conv2D"), layer("d", "Dropout"), layer("x", N)], shares_layers_with=[N])
tell("compile", model="m1", optimizer={"cls": N, "config": {"learning_rate": 1e308}}, loss=N, metrics=[N])
claim_training()
tell("fit_end", fit=1, status=N, epochs=2, history={"loss": [1.5, 0.75], N: [1, 2]})
tell("figure", title=N, axes=[{"title": N, "xlabel": N, "ylabel": N, "lines": [{"label": N, "x": [1, 2], "y": [2, 1]}]}])
for kind in ("plot", "emulated", "problem", "gap", "ignored", "unhooked", N):
    tell(kind, title=N, name=N, note=N, text=N, what=N, hook=N, lost=[N], reason=N)
tell("unkept", model="m1", reason=N)
