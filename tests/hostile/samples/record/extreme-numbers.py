# ---
# tries: "Claim numbers that no chart can show: 1e308, not-a-number, and integers of five thousand digits."
# must:
#   outcome: flagged
#   execution: completed
#   criteria: {runs: passed, accuracy: pending}
#   unverified: true
# ---
# include record
claim_model(parameters=10**4000, name="n" * 100_000)
claim_training(losses=(1e300, float("nan"), -1e308), epochs=10**30, rows=400)
recorder.log._file.write('{"n": 900, "t": NaN, "cell": 1, "kind": "epoch", "fit": 1, "epoch": 2, "logs": {"loss": Infinity, "a": 1e999}}\n')
recorder.log._file.write('{"n": 901, "t": 1, "cell": 1, "kind": "epoch", "fit": 1, "epoch": ' + "9" * 5000 + ', "logs": {"loss": 1}}\n')
tell("epoch", fit=1, epoch=1, logs={"loss": 1e300, "accuracy": -1e308})
tell("figure", title="t", axes=[{"title": "a", "xlabel": "x", "ylabel": "loss", "lines": [{"label": "l", "x": [1, 2], "y": [2, 1e308]}]}])
