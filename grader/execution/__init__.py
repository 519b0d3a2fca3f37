"""Executes one notebook in a sandbox, and asks the predictor's sandbox for predictions.

Modules are imported directly:

- `runner`: `execute(ExecutionRequest, listener) -> ExecutionOutcome`, one notebook from start to end;
- `client`: what talks to its kernel;
- `predict`: `predict(jobs, …) -> list[PredictionResult]`, kept models in a sandbox without student code;
- `collect`: what the sandbox wrote, copied safely; `read_record`;
- `sandbox.isolation`: what all ways to keep a process apart share; `bubblewrap`, `container` and `unprotected` are the
  ways, `choice` picks one;
- `sandbox.device`: CPU or GPU, and the environment that goes with it;
- `sandbox.provisioner`: the Jupyter kernel provisioner that starts a kernel inside an isolation;
- `sandbox.warm`: processes that have imported TensorFlow, from which kernels and the predictor are forked;
- `sandbox.layout`: the folders of one execution, on this machine and as the sandbox sees them;
- `sandbox.scratch`: folders for what is thrown away, and what a grader that was killed left of them;
- `sandbox.watchdog`, `sandbox.processes`: budgets of a process tree, and its end;
- `outputs`, `terminal`: what is kept of a cell's output while it runs;
- `advice`: the modern form of an old API, by the error it raises.

Nothing here imports TensorFlow; `inside/` is the only code that runs within a sandbox.
"""
